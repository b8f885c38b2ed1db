/* Errors: a code, and a text that says what to change. */
#include <lagd/base/error.h>

#include <lagd/base/check.h>
#include <lagd/base/mem.h>
#include <lagd/base/parse.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* --- the tables -------------------------------------------------------------------------------------------------- */

static const struct code {
    const char *name;
    enum lag_cause cause;
} codes[] = {
    [0] = {"ok", LAG_CAUSE_NONE},
    [-LAG_EINVAL] = {"invalid", LAG_CAUSE_ASKED},
    [-LAG_ENOTFOUND] = {"not_found", LAG_CAUSE_DAMAGE},
    [-LAG_EEXIST] = {"exists", LAG_CAUSE_ASKED},
    [-LAG_ESTATE] = {"wrong_state", LAG_CAUSE_ASKED},
    [-LAG_ENOMEM] = {"no_memory", LAG_CAUSE_PASSES},
    [-LAG_EIO] = {"io", LAG_CAUSE_OUTSIDE},
    [-LAG_ENOSPC] = {"no_space", LAG_CAUSE_PASSES},
    [-LAG_ECORRUPT] = {"corrupt", LAG_CAUSE_DAMAGE},
    [-LAG_EBUSY] = {"busy", LAG_CAUSE_PASSES},
    [-LAG_ECANCELED] = {"canceled", LAG_CAUSE_STOP},
    [-LAG_ENONFINITE] = {"non_finite", LAG_CAUSE_OWN},
    [-LAG_EUNSUPPORTED] = {"unsupported", LAG_CAUSE_ASKED},
    [-LAG_EDENIED] = {"denied", LAG_CAUSE_OUTSIDE},
    [-LAG_ETOOBIG] = {"too_big", LAG_CAUSE_ASKED},
    [-LAG_EVERSION] = {"newer_version", LAG_CAUSE_OUTSIDE},
    [-LAG_EINTERNAL] = {"internal", LAG_CAUSE_DEFECT},
    [-LAG_EAWAY] = {"away", LAG_CAUSE_OUTSIDE},
    [-LAG_ESHORT] = {"shortage", LAG_CAUSE_PASSES},
    [-LAG_EPATH] = {"bad_path", LAG_CAUSE_OUTSIDE},
    [-LAG_EFIT] = {"no_fit", LAG_CAUSE_PASSES},
};

/* What the system says, and what it is for lagd; its cause is the code's. What is not here is LAG_EIO. */
static const struct {
    int number, code;
} errnos[] = {
    /* may pass by itself */
    {ENOSPC, LAG_ENOSPC}, {EDQUOT, LAG_ENOSPC}, {EFBIG, LAG_ENOSPC}, /* the last is RLIMIT_FSIZE: no more room */
    {ENOMEM, LAG_ENOMEM},
    {EMFILE, LAG_ESHORT}, {ENFILE, LAG_ESHORT}, {EAGAIN, LAG_ESHORT}, {ENOBUFS, LAG_ESHORT}, {ENOLCK, LAG_ESHORT},
    {EBUSY, LAG_EBUSY}, {ETXTBSY, LAG_EBUSY}, {EINTR, LAG_EBUSY}, {ETIMEDOUT, LAG_EBUSY},
    /* a person has to mend it */
    {EACCES, LAG_EDENIED}, {EPERM, LAG_EDENIED}, {EROFS, LAG_EDENIED}, {ELOOP, LAG_EDENIED}, {EXDEV, LAG_EDENIED},
    {ENOTDIR, LAG_EPATH}, {EISDIR, LAG_EPATH}, {ENAMETOOLONG, LAG_EPATH}, {EEXIST, LAG_EPATH}, {ENOTEMPTY, LAG_EPATH},
    {EIO, LAG_EIO}, {ENXIO, LAG_EIO}, {ENODEV, LAG_EIO}, {ESTALE, LAG_EIO},
    /* it is gone */
    {ENOENT, LAG_ENOTFOUND},
};

static const struct code *find_code(int code) {
    return code > 0 || code <= -(int)LAG_COUNT(codes) ? NULL : &codes[-code];
}

const char *lag_code_name(int code) {
    const struct code *found = find_code(code);
    return found ? found->name : "unknown";
}

enum lag_cause lag_code_cause(int code) {
    const struct code *found = find_code(code);
    return found ? found->cause : LAG_CAUSE_NONE;
}

int lag_code_of_errno(int error_number) {
    for (size_t i = 0; i < LAG_COUNT(errnos); i++)
        if (errnos[i].number == error_number) return errnos[i].code;
    return LAG_EIO;
}

/* --- texts ------------------------------------------------------------------------------------------------------- */

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

int lag_error_errno(struct lag_error *err, int error_number, const char *format, ...) {
    int code = lag_code_of_errno(error_number);
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
