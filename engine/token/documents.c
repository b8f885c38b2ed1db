/* Documents in a text. */
#include "token/documents_internal.h"

#include "format/json_internal.h"
#include "token/token_internal.h"
#include <lagd/base/error.h>
#include <inttypes.h>
#include <string.h>

const char *const lag_documents_names[] = {
    [LAG_DOCUMENTS_NONE] = "none", [LAG_DOCUMENTS_LINE] = "line", [LAG_DOCUMENTS_BLANK_LINE] = "blank_line",
    [LAG_DOCUMENTS_SEPARATOR] = "separator", [LAG_DOCUMENTS_JSONL] = "jsonl", [LAG_N_DOCUMENTS] = NULL,
};

/* Nested values are allowed beside the text. */
static const struct lag_json_limits limits = {.max_depth = 64, .bytes_per_container = 2, .bytes_per_comma = 2};

/* Without the carriage return of Windows. */
static size_t trim(const char *line, size_t n) { return n > 0 && line[n - 1] == '\r' ? n - 1 : n; }

static int broken(uint64_t line, struct lag_error *err) {
    return err ? lag_error_wrap(err, "line %" PRIu64, line) : LAG_ECORRUPT;
}

static int read_member(struct lag_divider *divider, const char *line, size_t n, lag_document_fn each, void *arg,
                       struct lag_error *err) {
    const char *member = divider->field && divider->field[0] ? divider->field : "text";
    json_t *tree = NULL;
    int rc = lag_json_parse(line, n, &limits, &tree, err);
    if (rc == LAG_ENOMEM) return rc;
    if (rc != 0) return broken(divider->n_lines, err);
    const json_t *text = json_object_get(tree, member);
    if (json_is_string(text)) rc = each(arg, json_string_value(text), json_string_length(text), err);
    else rc = lag_error_set(err, LAG_EINVAL, "line %" PRIu64 ": it has no text named %.60s: name the member in "
                            "documents/field", divider->n_lines, member);
    json_decref(tree);
    return rc;
}

static int tell_line(struct lag_divider *divider, const char *line, size_t n, lag_document_fn each, void *arg,
                     struct lag_error *err) {
    divider->n_lines++;
    n = trim(line, n);
    if (n == 0) return 0;
    return divider->kind == LAG_DOCUMENTS_JSONL ? read_member(divider, line, n, each, arg, err)
                                                : each(arg, line, n, err);
}

static int divide_lines(struct lag_divider *divider, const char *text, size_t n, bool last, lag_document_fn each,
                        void *arg, size_t *ret, struct lag_error *err) {
    int rc = 0;
    size_t i = 0;
    while (rc == 0 && i < n) {
        const char *newline = memchr(text + i, '\n', n - i);
        if (!newline && !last) break;
        const size_t end = newline ? (size_t)(newline - text) : n;
        rc = tell_line(divider, text + i, end - i, each, arg, err);
        i = newline ? end + 1 : n;
    }
    *ret = i;
    return rc;
}

/* Empty lines on both sides go; the end of a document's last line stays with it, as does what is inside. */
static int divide_blanks(const char *text, size_t n, bool last, lag_document_fn each, void *arg, size_t *ret,
                         struct lag_error *err) {
    size_t begin = 0, i = 0, done = 0; /* begin: of the document under way */
    bool inside = false;
    int rc = 0;
    while (rc == 0 && i < n) {
        const char *newline = memchr(text + i, '\n', n - i);
        if (!newline && !last) break;
        const size_t end = newline ? (size_t)(newline - text) : n, next = newline ? end + 1 : n;
        const bool empty = trim(text + i, end - i) == 0;
        if (empty && inside) rc = each(arg, text + begin, i - begin, err);
        if (!empty && !inside) begin = i;
        inside = !empty;
        i = next;
        done = inside ? begin : i;
    }
    if (rc == 0 && last && inside) {
        rc = each(arg, text + begin, n - begin, err);
        done = n;
    }
    *ret = done;
    return rc;
}

static int divide_at(const char *separator, const char *text, size_t n, bool last, lag_document_fn each, void *arg,
                     size_t *ret, struct lag_error *err) {
    const size_t length = strlen(separator);
    const char *found;
    size_t i = 0;
    int rc = 0;
    while (rc == 0 && (found = memmem(text + i, n - i, separator, length))) {
        const size_t end = (size_t)(found - text);
        if (end > i) rc = each(arg, text + i, end - i, err);
        i = end + length;
    }
    if (rc == 0 && last && i < n) {
        rc = each(arg, text + i, n - i, err);
        i = n;
    }
    *ret = i;
    return rc;
}

int lag_divide(struct lag_divider *divider, const char *text, size_t n, bool last, lag_document_fn each, void *arg,
               size_t *ret, struct lag_error *err) {
    switch (divider->kind) {
    case LAG_DOCUMENTS_BLANK_LINE: return divide_blanks(text, n, last, each, arg, ret, err);
    case LAG_DOCUMENTS_SEPARATOR: return divide_at(divider->field, text, n, last, each, arg, ret, err);
    default: return divide_lines(divider, text, n, last, each, arg, ret, err);
    }
}
