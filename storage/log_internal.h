/* Inside storage: the write-ahead log and the database as they lie on disk, read without SQLite. Nobody may have them
 * open for writing meanwhile, and this process must not have the database open at all: closing it again would drop
 * SQLite's locks on it. Thread: any. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
struct lag_error;

#define LAG_LOG_TOKEN 33 /* 32 digits and the terminator */
/* The row of log_mark. */
struct lag_log_token {
    char now[LAG_LOG_TOKEN], before[LAG_LOG_TOKEN];
};
struct lag_log {
    int64_t n_bytes;        /* -1: there is no such file */
    bool has_header;        /* one that verifies */
    uint32_t salts[2];      /* of this generation: each time that the log begins anew it gets others */
    uint32_t page_bytes;
    int64_t n_frames;       /* up to the last commit that an unbroken chain of checksums reaches */
    int64_t n_behind;       /* commits of the same generation behind the first frame that does not verify */
    int64_t token_page;     /* number of the page of log_mark, 0: no frame holds it */
    struct lag_log_token first; /* in the first such frame */
    char (*tokens)[LAG_LOG_TOKEN]; /* in all of them */
    size_t n_tokens, capacity;
};
/* A missing or empty log is no error. Free *ret with lag_log_free, also after an error. */
int lag_log_read(const char *path, struct lag_log *ret, struct lag_error *err);
void lag_log_free(struct lag_log *log);
int64_t lag_log_bytes(int64_t n_frames, uint32_t page_bytes); /* of a log so long */
/* Does this page hold the row of log_mark? *ret only then. */
bool lag_log_token_of_page(const unsigned char *page, size_t n_bytes, struct lag_log_token *ret);
/* The token in the file. 1 = read, 0 = none is there, or an error: it cannot be read now, which tells nothing of it. */
int lag_log_token_read(int db_fd, int64_t page, uint32_t page_bytes, struct lag_log_token *ret, struct lag_error *err);
/* The salts in the log's header. 1 = read, 0 = it has none that verifies, or an error as above. */
int lag_log_salts(int log_fd, uint32_t ret[2], struct lag_error *err);
/* SQLite's checksum of the log, going on from sum: over whole pairs of words of 4 bytes. */
void lag_log_sum(bool is_big_endian, const unsigned char *data, size_t n_bytes, uint32_t sum[2]);
