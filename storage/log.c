/* The write-ahead log on disk: https://sqlite.org/fileformat2.html#the_write_ahead_log. SQLite reads it up to the first
 * frame that does not verify and silently takes that for the end; here is seen what lies behind. */
#include "log_internal.h"
#include <errno.h>
#include <fcntl.h>
#include <lagd/base/cleanup.h>
#include <lagd/base/error.h>
#include <lagd/base/mem.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { HEADER_BYTES = 32, FRAME_HEADER_BYTES = 24, LEAST_PAGE = 512, LARGEST_PAGE = 65536, LEAF_OF_TABLE = 13 };
#define LOG_MAGIC 0x377f0682u /* the last bit: checksums are of big-endian words */
#define LOG_VERSION 3007000u

static uint32_t big(const unsigned char *p) {
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static uint32_t little(const unsigned char *p) {
    return (uint32_t)p[3] << 24 | (uint32_t)p[2] << 16 | (uint32_t)p[1] << 8 | p[0];
}

void lag_log_sum(bool is_big_endian, const unsigned char *data, size_t n_bytes, uint32_t sum[2]) {
    uint32_t a = sum[0], b = sum[1];
    for (size_t i = 0; i + 8 <= n_bytes; i += 8) {
        a += (is_big_endian ? big(data + i) : little(data + i)) + b;
        b += (is_big_endian ? big(data + i + 4) : little(data + i + 4)) + a;
    }
    sum[0] = a;
    sum[1] = b;
}

/* 1 = read, 0 = not that many bytes are there, or an error. */
static int read_all(int fd, void *data, size_t n_bytes, int64_t offset, const char *what, struct lag_error *err) {
    unsigned char *at = data;
    while (n_bytes > 0) {
        ssize_t got = pread(fd, at, n_bytes, offset);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return lag_error_errno(err, errno, "cannot read %s", what);
        if (got == 0) return 0;
        at += got;
        offset += got;
        n_bytes -= (size_t)got;
    }
    return 1;
}

/* A leaf with one cell: payload of 68 bytes in row 1, of which 4 are its header (NULL for the row number, and two texts
 * of 32 bytes, which SQLite writes as 13 + 2 * 32). */
bool lag_log_token_of_page(const unsigned char *page, size_t n_bytes, struct lag_log_token *ret) {
    static const unsigned char cell[] = {68, 1, 4, 0, 77, 77};
    if (n_bytes < LEAST_PAGE || page[0] != LEAF_OF_TABLE || page[3] != 0 || page[4] != 1) return false;
    size_t at = (size_t)page[8] << 8 | page[9], n_digits = LAG_LOG_TOKEN - 1;
    if (at + sizeof cell + 2 * n_digits > n_bytes || memcmp(page + at, cell, sizeof cell)) return false;
    memcpy(ret->now, page + at + sizeof cell, n_digits);
    memcpy(ret->before, page + at + sizeof cell + n_digits, n_digits);
    ret->now[n_digits] = ret->before[n_digits] = '\0';
    return strspn(ret->now, "0123456789abcdef") == n_digits && strspn(ret->before, "0123456789abcdef") == n_digits;
}

int lag_log_token_read(int db_fd, int64_t page, uint32_t page_bytes, struct lag_log_token *ret, struct lag_error *err) {
    if (page <= 0) return 0;
    LAG_CLEANUP(lag_free_p) unsigned char *data = lag_calloc(1, page_bytes);
    if (!data) return lag_error_set(err, LAG_ENOMEM, "no memory to read lagd.db");
    int rc = read_all(db_fd, data, page_bytes, (page - 1) * page_bytes, "lagd.db", err);
    return rc == 1 ? lag_log_token_of_page(data, page_bytes, ret) : rc;
}

/* --- the log ----------------------------------------------------------------------------------------------------- */

struct walk {
    int fd;
    bool is_big_endian;
    uint32_t sum[2];      /* of all frames so far */
    unsigned char *frame; /* header and page */
    struct lag_log *log;
};

/* 1 = it verifies, 0 = it does not, or an error. */
static int read_header(int fd, struct walk *walk, struct lag_log *log, struct lag_error *err) {
    unsigned char header[HEADER_BYTES];
    uint32_t sum[2] = {0, 0};
    int rc = read_all(fd, header, sizeof header, 0, "lagd.db-wal", err);
    if (rc != 1) return rc;
    if ((big(header) & ~1u) != LOG_MAGIC || big(header + 4) != LOG_VERSION) return 0;
    bool is_big_endian = big(header) & 1u;
    lag_log_sum(is_big_endian, header, HEADER_BYTES - 8, sum);
    if (sum[0] != big(header + 24) || sum[1] != big(header + 28)) return 0;
    log->page_bytes = big(header + 8);
    log->salts[0] = big(header + 16);
    log->salts[1] = big(header + 20);
    if (walk) *walk = (struct walk){.fd = fd, .is_big_endian = is_big_endian, .sum = {sum[0], sum[1]}, .log = log};
    return log->page_bytes >= LEAST_PAGE && log->page_bytes <= LARGEST_PAGE &&
           (log->page_bytes & (log->page_bytes - 1)) == 0;
}

int lag_log_salts(int log_fd, uint32_t ret[2], struct lag_error *err) {
    struct lag_log log = {0};
    int rc = read_header(log_fd, NULL, &log, err);
    if (rc == 1) memcpy(ret, log.salts, sizeof log.salts);
    return rc;
}

/* Of this generation, by what it says of itself. */
static bool is_ours(const struct walk *walk) {
    return big(walk->frame) != 0 && big(walk->frame + 8) == walk->log->salts[0] &&
           big(walk->frame + 12) == walk->log->salts[1];
}

/* Its checksum goes on from the one of the frame before. */
static bool verifies(struct walk *walk) {
    lag_log_sum(walk->is_big_endian, walk->frame, 8, walk->sum);
    lag_log_sum(walk->is_big_endian, walk->frame + FRAME_HEADER_BYTES, walk->log->page_bytes, walk->sum);
    return walk->sum[0] == big(walk->frame + 16) && walk->sum[1] == big(walk->frame + 20);
}

static int look_for_token(const struct walk *walk) {
    struct lag_log *log = walk->log;
    struct lag_log_token token;
    int64_t page = big(walk->frame);
    if ((log->token_page && log->token_page != page) ||
        !lag_log_token_of_page(walk->frame + FRAME_HEADER_BYTES, log->page_bytes, &token))
        return 0;
    if (lag_grow_array((void **)&log->tokens, &log->capacity, log->n_tokens + 1, sizeof *log->tokens)) return -1;
    if (!log->token_page) log->first = token;
    log->token_page = page;
    memcpy(log->tokens[log->n_tokens++], token.now, LAG_LOG_TOKEN);
    return 0;
}

static int walk_frames(struct walk *walk, struct lag_error *err) {
    struct lag_log *log = walk->log;
    const int64_t n_frame_bytes = FRAME_HEADER_BYTES + (int64_t)log->page_bytes;
    bool is_good = true;
    for (int64_t i = 0; HEADER_BYTES + (i + 1) * n_frame_bytes <= log->n_bytes; i++) {
        int rc = read_all(walk->fd, walk->frame, (size_t)n_frame_bytes, HEADER_BYTES + i * n_frame_bytes,
                          "lagd.db-wal", err);
        if (rc < 0) return rc;
        if (rc == 0) return lag_error_set(err, LAG_EIO, "lagd.db-wal became shorter while it was read");
        is_good = is_good && is_ours(walk) && verifies(walk);
        bool is_commit = big(walk->frame + 4) != 0;
        if (is_good && is_commit) log->n_frames = i + 1;
        if (is_good && look_for_token(walk)) return lag_error_set(err, LAG_ENOMEM, "no memory to read the log");
        if (!is_good && is_commit && is_ours(walk)) log->n_behind++;
    }
    return 0;
}

int64_t lag_log_bytes(int64_t n_frames, uint32_t page_bytes) {
    return HEADER_BYTES + n_frames * (FRAME_HEADER_BYTES + (int64_t)page_bytes);
}

int lag_log_read(const char *path, struct lag_log *ret, struct lag_error *err) {
    *ret = (struct lag_log){.n_bytes = -1};
    LAG_CLEANUP(lag_close_p) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0) return errno == ENOENT ? 0 : lag_error_errno(err, errno, "cannot open %s", path);
    struct stat info;
    if (fstat(fd, &info)) return lag_error_errno(err, errno, "cannot examine %s", path);
    if (!S_ISREG(info.st_mode)) return lag_error_set(err, LAG_EINVAL, "%s is not a regular file", path);
    ret->n_bytes = info.st_size;
    struct walk walk;
    int rc = read_header(fd, &walk, ret, err);
    if (rc != 1) return rc;
    ret->has_header = true;
    LAG_CLEANUP(lag_free_p) unsigned char *frame = lag_calloc(1, FRAME_HEADER_BYTES + (size_t)ret->page_bytes);
    if (!frame) return lag_error_set(err, LAG_ENOMEM, "no memory to read the log");
    walk.frame = frame;
    return walk_frames(&walk, err);
}

void lag_log_free(struct lag_log *log) {
    free(log->tokens);
    log->tokens = NULL;
}
