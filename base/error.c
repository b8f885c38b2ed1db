/* Errors: a code, and a text that says what to change. */
#include <lagd/base/error.h>

#include <lagd/base/check.h>
#include <lagd/base/mem.h>
#include <lagd/base/parse.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char *const code_names[] = {
    [0] = "ok",
    [-LAG_EINVAL] = "invalid",
    [-LAG_ENOTFOUND] = "not_found",
    [-LAG_EEXIST] = "exists",
    [-LAG_ESTATE] = "wrong_state",
    [-LAG_ENOMEM] = "no_memory",
    [-LAG_EIO] = "io",
    [-LAG_ENOSPC] = "no_space",
    [-LAG_ECORRUPT] = "corrupt",
    [-LAG_EBUSY] = "busy",
    [-LAG_ECANCELED] = "canceled",
    [-LAG_ENONFINITE] = "non_finite",
    [-LAG_EUNSUPPORTED] = "unsupported",
    [-LAG_EDENIED] = "denied",
    [-LAG_ETOOBIG] = "too_big",
    [-LAG_EVERSION] = "newer_version",
    [-LAG_EINTERNAL] = "internal",
    [-LAG_EAWAY] = "away",
};

const char *lag_code_name(int code) {
    if (code > 0 || code <= -(int)LAG_COUNT(code_names)) return "unknown";
    return code_names[-code];
}

/* Error texts quote what users and files sent; they must stay one line of valid UTF-8 wherever they end up. A
 * character that the buffer's end cut in two is removed. */
static void make_printable(char *text) {
    for (char *p = text; *p;) {
        size_t length = lag_utf8_length(p);
        if (length == 0 || (unsigned char)*p < 0x20 || *p == 0x7f) {
            *p++ = '?';
            continue;
        }
        p += length;
    }
}

static void cut_at_character(char *text, size_t size, int wanted) {
    if (wanted < 0 || (size_t)wanted < size) return;
    size_t length = strlen(text);
    size_t start = length;
    while (start > 0 && length - start < 4 && ((unsigned char)text[start - 1] & 0xc0) == 0x80) start--;
    if (start > 0 && (unsigned char)text[start - 1] >= 0xc0) start--;
    if (start < length && lag_utf8_length(text + start) == 0) text[start] = '\0';
}

static void format_text(struct lag_error *err, const char *format, va_list args) {
    char text[sizeof(err->text)]; /* apart, because an argument may point into err */
    int wanted = vsnprintf(text, sizeof(text), format, args);
    if (wanted < 0) text[0] = '\0';
    cut_at_character(text, sizeof(text), wanted);
    make_printable(text);
    memcpy(err->text, text, sizeof(text));
}

int lag_error_set(struct lag_error *err, int code, const char *format, ...) {
    if (!err) return code;
    va_list args;
    va_start(args, format);
    format_text(err, format, args);
    va_end(args);
    err->code = code;
    err->pointer[0] = '\0';
    return code;
}

int lag_error_at(struct lag_error *err, int code, const char *pointer, const char *format, ...) {
    if (!err) return code;
    va_list args;
    va_start(args, format);
    format_text(err, format, args);
    va_end(args);
    err->code = code;
    (void)lag_copy(err->pointer, sizeof(err->pointer), pointer ? pointer : "");
    make_printable(err->pointer);
    return code;
}

static int code_of_errno(int error_number) {
    switch (error_number) {
    case ENOSPC:
    case EDQUOT: return LAG_ENOSPC;
    case ENOENT: return LAG_ENOTFOUND;
    case EACCES:
    case EPERM:
    case EROFS:
    case ELOOP:
    case EXDEV: return LAG_EDENIED;
    case ENOMEM: return LAG_ENOMEM;
    default: return LAG_EIO;
    }
}

int lag_error_errno(struct lag_error *err, int error_number, const char *format, ...) {
    int code = code_of_errno(error_number);
    if (!err) return code;
    va_list args;
    va_start(args, format);
    format_text(err, format, args);
    va_end(args);
    char reason[128];
    const char *text = strerror_r(error_number, reason, sizeof(reason)); /* the GNU one: returns the text */
    size_t length = strlen(err->text);
    (void)snprintf(err->text + length, sizeof(err->text) - length, ": %s", text);
    err->code = code;
    err->pointer[0] = '\0';
    return code;
}

int lag_error_wrap(struct lag_error *err, const char *format, ...) {
    if (!err) return LAG_EINTERNAL;
    char inner[sizeof(err->text)];
    memcpy(inner, err->text, sizeof(inner));
    va_list args;
    va_start(args, format);
    format_text(err, format, args);
    va_end(args);
    size_t length = strlen(err->text);
    size_t room = sizeof(err->text) - length;
    int wanted = snprintf(err->text + length, room, ": %s", inner);
    cut_at_character(err->text, sizeof(err->text), (int)length + wanted);
    return err->code;
}
