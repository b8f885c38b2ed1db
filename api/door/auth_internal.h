/* The bearer token. Only its SHA-256 is kept. */
#pragma once
#include <lagd/base/hash.h>
#include <stdbool.h>
struct lag_error;

struct lagd_auth {
    bool configured;
    char digest[LAG_SHA256_HEX];
};
/* token_file "": no token is asked for. LAG_EDENIED when others may read the file; *ret is untouched on failure. */
int lagd_auth_load(const char *token_file, struct lagd_auth *ret, struct lag_error *err);
/* authorization: the header's value or NULL. Takes the same time wherever a wrong token differs. */
bool lagd_auth_check(const struct lagd_auth *auth, const char *authorization);
