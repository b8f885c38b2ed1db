/* A body that goes to a file in <state_dir>/uploads, piece by piece. Thread: one owner. */
#pragma once
#include <stddef.h>
#include <stdint.h>
struct lag_error;
struct lagd_upload;

/* expected_bytes 0: not known. LAG_ENOSPC when it would leave less than min_free_bytes, LAG_ETOOBIG above the limit. */
int lagd_upload_create(const char *state_dir, const char *id, int64_t limit_bytes, int64_t min_free_bytes,
                       int64_t expected_bytes, struct lagd_upload **ret, struct lag_error *err);
int lagd_upload_write(struct lagd_upload *upload, const void *data, size_t length, struct lag_error *err);
/* Asks for the SHA-256 of the bytes, which is there after finish. Before the first write. */
int lagd_upload_hash(struct lagd_upload *upload, struct lag_error *err);
const char *lagd_upload_sha256(const struct lagd_upload *upload);
/* Makes the bytes durable. */
int lagd_upload_finish(struct lagd_upload *upload, struct lag_error *err);
const char *lagd_upload_path(const struct lagd_upload *upload);
/* Removes the file, unless somebody moved it away. */
void lagd_upload_destroy(struct lagd_upload *upload);
