/* A file that is hashed while it is written, and made durable. Thread: one owner. */
#pragma once
#include <lagd/base/hash.h>
#include <stddef.h>
#include <stdint.h>
struct lag_error;

struct lag_sink {
    int fd;             /* -1 when closed */
    char *path;
    struct lag_sha256 *hash;
    uint64_t n_bytes;
};
/* Creates dir/name, which must not exist; need_bytes (0 = unknown) are reserved where the file system can. */
int lag_sink_open(const char *dir, const char *name, uint64_t need_bytes, struct lag_sink *ret, struct lag_error *err);
int lag_sink_write(struct lag_sink *sink, const void *data, size_t length, struct lag_error *err);
/* fsync, close; the hash of all that was written, n_bytes of it. */
int lag_sink_finish(struct lag_sink *sink, char ret_sha256[LAG_SHA256_HEX], struct lag_error *err);
/* Gives up what is still open. */
void lag_sink_deinit(struct lag_sink *sink);
