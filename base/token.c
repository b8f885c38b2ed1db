/* Bearer tokens in files. */
#include <lagd/base/token.h>

#include <lagd/base/error.h>
#include <lagd/base/fs.h>
#include <lagd/base/parse.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define FILE_MAX ((size_t)4 * LAG_TOKEN_MAX) /* with white space and a byte order mark */
#define WHITE " \t\v\f\r\n"

static bool has_control(const char *text, size_t n) {
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f) return true;
    return false;
}

int lag_token_read(const char *path, char ret[LAG_TOKEN_MAX + 1], struct lag_error *err) {
    char *text;
    size_t length;
    int rc = lag_fs_read_file(path, FILE_MAX, &text, &length, err);
    if (rc < 0) return rc;
    char *token = text + lag_utf8_mark(text, length), *end = text + length;
    while (token < end && *token && strchr(WHITE, *token)) token++;
    while (token < end && end[-1] && strchr(WHITE, end[-1])) end--;
    size_t n = (size_t)(end - token);
    if (n == 0 || n > LAG_TOKEN_MAX || has_control(token, n)) {
        rc = lag_error_set(err, LAG_EINVAL, "%s must hold one line with a token of at most %d bytes, none of them a "
                           "control byte", path, LAG_TOKEN_MAX);
    } else {
        memcpy(ret, token, n);
        ret[n] = '\0';
    }
    explicit_bzero(text, length);
    free(text);
    return rc;
}
