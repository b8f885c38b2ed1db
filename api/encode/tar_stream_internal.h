/* A tar archive as a stream of bytes: members are added in their order, then read. Thread: one owner. */
#pragma once
#include <stdint.h>
#include <sys/types.h>
struct lag_strbuf;
struct lagd_tar_stream;

/* As in struct lagd_response: > 0 bytes, 0 end, < 0 failed. */
typedef ssize_t lagd_tar_read_fn(void *arg, char *buffer, size_t size);

/* folder: all members are in it, at most 155 bytes. name: what the log calls the archive. NULL: out of memory. */
struct lagd_tar_stream *lagd_tar_stream_create(const char *folder, const char *name, int64_t mtime_s);
void lagd_tar_stream_destroy(void *stream);
/* name: at most 63 bytes. destroy is called on arg with the stream, or at once on failure. 0, or LAG_ENOMEM. */
int lagd_tar_stream_add(struct lagd_tar_stream *stream, const char *name, uint64_t n_bytes, lagd_tar_read_fn *read,
                        void (*destroy)(void *arg), void *arg);
/* The bytes of a file from its present position; the descriptor is the stream's. */
int lagd_tar_stream_add_fd(struct lagd_tar_stream *stream, const char *name, uint64_t n_bytes, int fd);
/* Takes the text; LAG_ENOMEM also where it has failed. */
int lagd_tar_stream_add_text(struct lagd_tar_stream *stream, const char *name, struct lag_strbuf *text);
uint64_t lagd_tar_stream_bytes(const struct lagd_tar_stream *stream); /* of the whole archive */
lagd_tar_read_fn lagd_tar_stream_read; /* arg: the stream */
