/* A growing, always terminated string. After a failed allocation it stays failed and every later call is a no-op.
 * Thread: one owner. */
#pragma once
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

struct lag_strbuf {
    char *data; /* never NULL after the first successful append */
    size_t length, capacity;
    bool failed;
};
#define LAG_STRBUF_INIT {0}

void lag_strbuf_append(struct lag_strbuf *buffer, const char *text);
void lag_strbuf_append_n(struct lag_strbuf *buffer, const void *data, size_t length);
void lag_strbuf_printf(struct lag_strbuf *buffer, const char *format, ...) __attribute__((format(printf, 2, 3)));
void lag_strbuf_clear(struct lag_strbuf *buffer);
/* The text, now the caller's (free()); NULL when an append failed. The buffer is empty again. */
char *lag_strbuf_take(struct lag_strbuf *buffer);
void lag_strbuf_deinit(struct lag_strbuf *buffer);
