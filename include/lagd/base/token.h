/* The file that holds a bearer token: one line. White space at its ends is no part of the token, since HTTP would cut
 * it off on the way; so lagd and lagctl read every file alike. Thread: any. */
#pragma once
#include <stddef.h>
struct lag_error;

#define LAG_TOKEN_MAX 1024 /* bytes of a token */
/* ret: the token with its NUL. LAG_EINVAL: not one line of text, or LAG_TOKEN_MAX bytes are too few for it. The caller
 * clears ret by explicit_bzero when it is done. */
int lag_token_read(const char *path, char ret[LAG_TOKEN_MAX + 1], struct lag_error *err);
