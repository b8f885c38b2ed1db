/* A text that grows. */
#include <lagd/base/strbuf.h>

#include <lagd/base/mem.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Room for more bytes and the terminator. */
static bool make_room(struct lag_strbuf *buffer, size_t more) {
    if (buffer->failed) return false;
    void *data = buffer->data;
    if (more > SIZE_MAX - 1 - buffer->length ||
        lag_grow_array(&data, &buffer->capacity, buffer->length + more + 1, 1) != 0) {
        buffer->failed = true;
        return false;
    }
    buffer->data = data;
    return true;
}

void lag_strbuf_append(struct lag_strbuf *buffer, const char *text) { lag_strbuf_append_n(buffer, text, strlen(text)); }

void lag_strbuf_append_n(struct lag_strbuf *buffer, const void *data, size_t length) {
    if (!make_room(buffer, length)) return;
    if (length) memcpy(buffer->data + buffer->length, data, length);
    buffer->length += length;
    buffer->data[buffer->length] = '\0';
}

static void append_formatted(struct lag_strbuf *buffer, const char *format, va_list args) {
    va_list again;
    va_copy(again, args);
    int wanted = vsnprintf(NULL, 0, format, args);
    if (wanted < 0) {
        buffer->failed = true;
    } else if (make_room(buffer, (size_t)wanted)) {
        (void)vsnprintf(buffer->data + buffer->length, (size_t)wanted + 1, format, again);
        buffer->length += (size_t)wanted;
    }
    va_end(again);
}

void lag_strbuf_printf(struct lag_strbuf *buffer, const char *format, ...) {
    va_list args;
    va_start(args, format);
    append_formatted(buffer, format, args);
    va_end(args);
}

void lag_strbuf_clear(struct lag_strbuf *buffer) {
    buffer->length = 0;
    if (buffer->data) buffer->data[0] = '\0';
}

char *lag_strbuf_take(struct lag_strbuf *buffer) {
    (void)make_room(buffer, 0); /* an untouched buffer gives "" */
    char *text = NULL;
    if (!buffer->failed) {
        text = buffer->data;
        text[buffer->length] = '\0';
        buffer->data = NULL;
    }
    lag_strbuf_deinit(buffer);
    return text;
}

void lag_strbuf_deinit(struct lag_strbuf *buffer) {
    free(buffer->data);
    *buffer = (struct lag_strbuf)LAG_STRBUF_INIT;
}
