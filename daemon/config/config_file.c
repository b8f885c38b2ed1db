/* One configuration file: sections, keys and values, with lines of any length. */
#include "config/config_file_internal.h"

#include <lagd/base/cleanup.h>
#include <lagd/base/error.h>
#include <lagd/base/parse.h>
#include <lagd/base/strbuf.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define FILE_MAX ((size_t)1 << 20)
#define BLANKS " \t\v\f\r"

struct reading {
    const char *path;
    char *rest;          /* what is not read yet */
    int line;            /* of the line that was read last; 1 is the first */
    const char *section; /* "" before the first one */
    lagd_config_key_fn *on_key;
    void *arg;
    struct lag_error *err;
};

static char *without_blanks(char *text) {
    text += strspn(text, BLANKS);
    for (size_t n = strlen(text); n > 0 && strchr(BLANKS, text[n - 1]); n--) text[n - 1] = '\0';
    return text;
}

/* A comment behind a value begins with a blank and ';'. ('#' is part of a value.) */
static void cut_comment(char *text) {
    for (char *p = text; *p; p++) {
        if (*p != ';' || (p > text && !strchr(BLANKS, p[-1]))) continue;
        *p = '\0';
        return;
    }
}

/* The next line without its end, or NULL. */
static char *next_line(struct reading *reading) {
    if (!reading->rest || !*reading->rest) return NULL;
    reading->line++;
    return strsep(&reading->rest, "\n");
}

static int refuse(const struct reading *reading, int line, const char *what) {
    return lag_error_set(reading->err, LAG_EINVAL, "%s:%d: %s", reading->path, line, what);
}

static bool ends_in_comma(const char *text) {
    size_t n = strlen(text);
    return n > 0 && text[n - 1] == ',';
}

static bool is_indented(const char *text) { return *text == ' ' || *text == '\t'; }

/* A list that ends in a comma goes on in the next line, if that is indented. The lines lie one behind the other in one
 * buffer, so what is joined never needs more room than they take. */
static char *join_lines(struct reading *reading, char *value) {
    while (ends_in_comma(value) && reading->rest && is_indented(reading->rest)) {
        char *more = next_line(reading);
        cut_comment(more);
        more = without_blanks(more);
        if (*more == '#') continue; /* a comment between two items */
        memmove(value + strlen(value), more, strlen(more) + 1);
    }
    return value;
}

static int read_section(struct reading *reading, char *text) {
    char *end = strchr(text, ']');
    if (!end) return refuse(reading, reading->line, "a [section] needs its ]");
    char *rest = end + 1 + strspn(end + 1, BLANKS);
    if (*rest && *rest != ';' && *rest != '#')
        return refuse(reading, reading->line, "nothing but a comment may stand behind a [section]");
    *end = '\0';
    reading->section = without_blanks(text + 1);
    return 0;
}

static int read_line(struct reading *reading, char *text) {
    text = without_blanks(text);
    if (!*text || *text == '#' || *text == ';') return 0;
    if (*text == '[') return read_section(reading, text);
    char *sign = text + strcspn(text, "=:");
    if (!*sign || sign == text)
        return refuse(reading, reading->line, "neither a [section], a key = value, nor a comment");
    *sign = '\0';
    char *value = sign + 1;
    cut_comment(value);
    int line = reading->line;
    value = join_lines(reading, without_blanks(value));
    const struct lagd_config_key key = {reading->section, without_blanks(text), value, line};
    return reading->on_key(reading->arg, &key, reading->err);
}

/* Pipes and devices too, which --config may name. */
static int read_all(const char *path, struct lag_strbuf *text, struct lag_error *err) {
    LAG_CLEANUP(lag_fclose_p) FILE *file = fopen(path, "re");
    if (!file) return lag_error_errno(err, errno, "cannot read the configuration file %s", path);
    char part[4096];
    for (size_t n; (n = fread(part, 1, sizeof(part), file)) > 0;) {
        lag_strbuf_append_n(text, part, n);
        if (text->failed) return lag_error_set(err, LAG_ENOMEM, "out of memory while reading %s", path);
        if (text->length > FILE_MAX) return lag_error_set(err, LAG_EINVAL, "the configuration file %s is larger than "
                                                          "1 MiB; name another one", path);
    }
    return ferror(file) ? lag_error_errno(err, errno, "cannot read the configuration file %s", path) : 0;
}

static int read_lines(const char *path, struct lag_strbuf *text, lagd_config_key_fn *on_key, void *arg,
                      struct lag_error *err) {
    if (!text->data) return 0; /* an empty file */
    struct reading reading = {path, text->data + lag_utf8_mark(text->data, text->length), 0, "", on_key, arg, err};
    size_t n_text = strlen(text->data);
    if (n_text != text->length) {
        for (size_t i = 0; i < n_text; i++) reading.line += text->data[i] == '\n';
        return refuse(&reading, reading.line + 1, "there is a NUL byte; write the file as plain text in UTF-8");
    }
    int rc = 0;
    for (char *line; rc == 0 && (line = next_line(&reading)) != NULL;) rc = read_line(&reading, line);
    return rc;
}

int lagd_config_file_read(const char *path, lagd_config_key_fn *on_key, void *arg, struct lag_error *err) {
    struct lag_strbuf text = LAG_STRBUF_INIT;
    int rc = read_all(path, &text, err);
    if (rc == 0) rc = read_lines(path, &text, on_key, arg, err);
    lag_strbuf_deinit(&text);
    return rc;
}
