/* Tar archives, member by member. */
#include "encode/tar_stream_internal.h"

#include "encode/rows_internal.h"
#include "encode/tar_internal.h"

#include <lagd/base/check.h>
#include <lagd/base/error.h>
#include <lagd/base/log.h>
#include <lagd/base/mem.h>
#include <lagd/base/strbuf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct member {
    char name[64];
    uint64_t n_bytes;
    lagd_tar_read_fn *read;
    void (*destroy)(void *arg);
    void *arg;
};
struct lagd_tar_stream {
    char folder[156], name[80];
    int64_t mtime_s;
    struct lagd_rows members; /* of struct member */
    size_t next;              /* member; n of them: the two blocks of zeros at the end */
    uint64_t left;            /* bytes of the present member */
    char block[2 * LAGD_TAR_BLOCK]; /* header, padding or the end: what goes out before the member's bytes */
    size_t n_block, taken;
    bool in_member, ended;
};

struct lagd_tar_stream *lagd_tar_stream_create(const char *folder, const char *name, int64_t mtime_s) {
    struct lagd_tar_stream *stream = lag_calloc(1, sizeof(*stream));
    if (!stream) return NULL;
    (void)lag_copy(stream->folder, sizeof(stream->folder), folder);
    (void)lag_copy(stream->name, sizeof(stream->name), name);
    stream->mtime_s = mtime_s;
    stream->members = (struct lagd_rows)LAGD_ROWS_INIT(struct member);
    return stream;
}

void lagd_tar_stream_destroy(void *arg) {
    struct lagd_tar_stream *stream = arg;
    if (!stream) return;
    struct member *members = stream->members.rows;
    for (size_t i = 0; i < stream->members.n; i++) members[i].destroy(members[i].arg);
    lagd_rows_deinit(&stream->members);
    free(stream);
}

int lagd_tar_stream_add(struct lagd_tar_stream *stream, const char *name, uint64_t n_bytes, lagd_tar_read_fn *read,
                        void (*destroy)(void *arg), void *arg) {
    struct member member = {.n_bytes = n_bytes, .read = read, .destroy = destroy, .arg = arg};
    (void)lag_copy(member.name, sizeof(member.name), name);
    const int status = lagd_rows_add(&stream->members, &member);
    if (status < 0) destroy(arg);
    return status;
}

uint64_t lagd_tar_stream_bytes(const struct lagd_tar_stream *stream) {
    const struct member *members = stream->members.rows;
    uint64_t n_bytes = 2 * LAGD_TAR_BLOCK;
    for (size_t i = 0; i < stream->members.n; i++)
        n_bytes += LAGD_TAR_BLOCK + members[i].n_bytes + lagd_tar_padding(members[i].n_bytes);
    return n_bytes;
}

/* --- what members are made of ------------------------------------------------------------------------------------ */

static ssize_t read_fd(void *arg, char *buffer, size_t size) {
    ssize_t n;
    do n = read(*(const int *)arg, buffer, size);
    while (n < 0 && errno == EINTR);
    return n;
}

static void close_fd(void *arg) {
    (void)close(*(const int *)arg);
    free(arg);
}

int lagd_tar_stream_add_fd(struct lagd_tar_stream *stream, const char *name, uint64_t n_bytes, int fd) {
    int *kept = lag_calloc(1, sizeof(*kept));
    if (!kept) {
        (void)close(fd);
        return LAG_ENOMEM;
    }
    *kept = fd;
    return lagd_tar_stream_add(stream, name, n_bytes, read_fd, close_fd, kept);
}

struct text {
    struct lag_strbuf text;
    size_t taken;
};

static ssize_t read_text(void *arg, char *buffer, size_t size) {
    struct text *text = arg;
    const size_t n = LAG_MIN(size, text->text.length - text->taken);
    if (n > 0) memcpy(buffer, text->text.data + text->taken, n);
    text->taken += n;
    return (ssize_t)n;
}

static void free_text(void *arg) {
    struct text *text = arg;
    lag_strbuf_deinit(&text->text);
    free(text);
}

int lagd_tar_stream_add_text(struct lagd_tar_stream *stream, const char *name, struct lag_strbuf *text) {
    struct text *kept = text->failed ? NULL : lag_calloc(1, sizeof(*kept));
    if (!kept) {
        lag_strbuf_deinit(text);
        return LAG_ENOMEM;
    }
    kept->text = *text;
    *text = (struct lag_strbuf)LAG_STRBUF_INIT;
    return lagd_tar_stream_add(stream, name, kept->text.length, read_text, free_text, kept);
}

/* --- reading ----------------------------------------------------------------------------------------------------- */

static void put_zeros(struct lagd_tar_stream *stream, size_t n) {
    memset(stream->block, 0, n);
    stream->n_block = n;
    stream->taken = 0;
}

/* The block has gone out; fills in the next: padding behind a member, the header of the next one, or the end. */
static int step(struct lagd_tar_stream *stream) {
    const struct member *members = stream->members.rows;
    if (stream->in_member) {
        stream->in_member = false;
        put_zeros(stream, lagd_tar_padding(members[stream->next++].n_bytes));
        return 0;
    }
    if (stream->next == stream->members.n) {
        put_zeros(stream, 2 * LAGD_TAR_BLOCK);
        stream->ended = true;
        return 0;
    }
    const struct member *member = &members[stream->next];
    stream->left = member->n_bytes;
    stream->in_member = true;
    stream->n_block = LAGD_TAR_BLOCK;
    stream->taken = 0;
    return lagd_tar_header(stream->folder, member->name, stream->left, stream->mtime_s, stream->block);
}

static ssize_t read_member(struct lagd_tar_stream *stream, char *buffer, size_t size) {
    const struct member *member = (const struct member *)stream->members.rows + stream->next;
    const ssize_t n = member->read(member->arg, buffer, (size_t)LAG_MIN((uint64_t)size, stream->left));
    if (n > 0) {
        stream->left -= (uint64_t)n;
        return n;
    }
    lag_log(LAG_LOG_ERROR, "http: an archive of %s broke off in %s", stream->name, member->name);
    return -1;
}

ssize_t lagd_tar_stream_read(void *arg, char *buffer, size_t size) {
    struct lagd_tar_stream *stream = arg;
    for (;;) {
        if (stream->taken < stream->n_block) {
            size_t n = LAG_MIN(size, stream->n_block - stream->taken);
            memcpy(buffer, stream->block + stream->taken, n);
            stream->taken += n;
            return (ssize_t)n;
        }
        if (stream->in_member && stream->left > 0) return read_member(stream, buffer, size);
        if (stream->ended) return 0;
        if (step(stream) < 0) return -1;
    }
}
