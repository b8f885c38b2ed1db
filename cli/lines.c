/* Cuts a stream of bytes into events: one JSON object a line, or server-sent events whose data is one. */
#include "ctl_internal.h"

#include <lagd/base/mem.h>
#include <string.h>

static int give(struct ctl_lines *lines, const char *text, size_t length, int (*each)(void *arg, json_t *event),
                void *arg) {
    json_t *event = json_loadb(text, length, 0, NULL);
    if (!json_is_object(event)) {
        json_decref(event);
        return lines->sse ? 0 : -1;
    }
    if (lines->sse && *lines->event && !json_object_get(event, "type"))
        (void)json_object_set_new(event, "type", json_string(lines->event));
    int status = each(arg, event);
    json_decref(event);
    return status;
}

/* WHATWG HTML, "Server-sent events": a field a line, an empty line ends the event, a line with ':' first is a comment.
 */
static int take_sse_line(struct ctl_lines *lines, const char *line, int (*each)(void *arg, json_t *event), void *arg) {
    int status = 0;
    if (!*line) {
        if (lines->data.length > 0) status = give(lines, lines->data.data, lines->data.length, each, arg);
        lag_strbuf_clear(&lines->data);
        lines->event[0] = '\0';
        return status;
    }
    const char *value = strchr(line, ':');
    size_t name = value ? (size_t)(value - line) : strlen(line);
    value = value ? value + 1 + (value[1] == ' ') : "";
    if (name == 4 && strncmp(line, "data", 4) == 0) {
        if (lines->data.length > 0) lag_strbuf_append(&lines->data, "\n");
        lag_strbuf_append(&lines->data, value);
    } else if (name == 5 && strncmp(line, "event", 5) == 0) {
        (void)lag_copy(lines->event, sizeof(lines->event), value);
    }
    return 0;
}

int ctl_lines_feed(struct ctl_lines *lines, const char *bytes, size_t length, int (*each)(void *arg, json_t *event),
                   void *arg) {
    int status = 0;
    while (length > 0 && status == 0) {
        const char *end = memchr(bytes, '\n', length);
        size_t n = end ? (size_t)(end - bytes) : length;
        lag_strbuf_append_n(&lines->line, bytes, n);
        bytes += n + (end != NULL);
        length -= n + (end != NULL);
        if (!end || lines->line.failed) break;
        struct lag_strbuf *line = &lines->line;
        if (line->length > 0 && line->data[line->length - 1] == '\r') line->data[--line->length] = '\0';
        if (lines->sse)
            status = take_sse_line(lines, line->data, each, arg);
        else if (line->length > 0)
            status = give(lines, line->data, line->length, each, arg);
        lag_strbuf_clear(line);
    }
    return lines->line.failed || lines->data.failed ? -1 : status;
}

void ctl_lines_deinit(struct ctl_lines *lines) {
    lag_strbuf_deinit(&lines->line);
    lag_strbuf_deinit(&lines->data);
}
