/* SHA-256 of files, each computed once since the file was last written to (device, inode, size and times tell). Thread:
 * any. */
#pragma once
#include <lagd/base/hash.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
struct lag_error;
struct lagd_hashes;

int lagd_hashes_create(struct lagd_hashes **ret, struct lag_error *err);
void lagd_hashes_destroy(struct lagd_hashes *hashes);
/* fd: of a regular file; its position stays. true: known, *ret_n_bytes is its size in any case (-1: no such file). */
bool lagd_hashes_find(struct lagd_hashes *hashes, int fd, char ret_hex[LAG_SHA256_HEX], int64_t *ret_n_bytes);
/* Reads the whole file and remembers. *cancelled (NULL = never) ends it with LAG_ECANCELED. LAG_EBUSY: it was written
 * to meanwhile. */
int lagd_hashes_compute(struct lagd_hashes *hashes, int fd, const _Atomic bool *cancelled,
                        char ret_hex[LAG_SHA256_HEX], struct lag_error *err);
