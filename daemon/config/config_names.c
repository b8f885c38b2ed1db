/* Names of configuration keys in the environment, and the ones that a misspelt name may have meant. */
#include "config/config_names_internal.h"

#include <lagd/base/check.h>
#include <lagd/base/names.h>
#include <lagd/daemon/config.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#define NAME_SIZE 96

/* What is no key but has a meaning: for lagctl, and for builds with failpoints. */
static const char *const other_variables[] = {
    "LAGD_HOST", "LAGD_SOCKET", "LAGD_TOKEN_FILE", /* lagctl(1) */
#ifdef LAG_FAILPOINTS
    "LAGD_CLOCK_WRONG_BY_MS", "LAGD_FAILPOINTS", "LAGD_JOURNAL_SOCKET", "LAGD_PATIENCE_MS",
#endif
};

void lagd_config_variable(const char *path, char *ret, size_t size) {
    (void)snprintf(ret, size, "LAGD_%s", path);
    for (char *p = ret; *p; p++) *p = *p == '/' ? '_' : (char)toupper((unsigned char)*p);
}

/* By the whole path, or by the key alone, which may stand in the wrong section. */
static int distance(const char *given, const char *path) {
    const char *given_key = strchr(given, '/'), *key = strchr(path, '/');
    int whole = lag_names_distance(given, path);
    int alone = given_key ? lag_names_distance(given_key, key) : lag_names_distance(given, key + 1);
    return LAG_MIN(whole, alone);
}

void lagd_config_meant(const char *path, char *ret, size_t size) {
    int least = LAG_NAMES_FAR;
    (void)snprintf(ret, size, "lagd --print-config lists the keys");
    for (size_t i = 0; i < lagd_config_fields.n_rows; i++) {
        const char *known = lagd_config_fields.rows[i].path;
        int far = distance(path, known);
        if (far >= least) continue;
        least = far;
        (void)snprintf(ret, size, "did you mean %s?", known);
    }
}

/* Keeps a known name that is nearer than the ones before; true: it is the very same. */
static bool compare(const char *given, const char *known, int *least, char *nearest) {
    if (strcmp(given, known) == 0) return true;
    int far = lag_names_distance(given + 5, known + 5); /* behind LAGD_, which is near to itself */
    if (far < *least) {
        *least = far;
        (void)snprintf(nearest, NAME_SIZE, "%s", known);
    }
    return false;
}

static bool is_known(const char *name, char nearest[NAME_SIZE]) {
    int least = LAG_NAMES_FAR;
    bool found = false;
    *nearest = '\0';
    for (size_t i = 0; i < LAG_COUNT(other_variables); i++) found |= compare(name, other_variables[i], &least, nearest);
    for (size_t i = 0; i < lagd_config_fields.n_rows; i++) {
        char known[NAME_SIZE];
        lagd_config_variable(lagd_config_fields.rows[i].path, known, sizeof(known));
        found |= compare(name, known, &least, nearest);
    }
    return found;
}

int lagd_config_unknown_variables(lagd_config_tell_fn *tell, void *arg) {
    int n = 0;
    for (char **entry = environ; entry && *entry; entry++) {
        char name[NAME_SIZE], nearest[NAME_SIZE], text[400];
        int length = (int)strcspn(*entry, "=");
        if (strncasecmp(*entry, "LAGD_", 5) != 0) continue;
        (void)snprintf(name, sizeof(name), "%.*s", length, *entry);
        if (is_known(name, nearest)) continue;
        (void)snprintf(text, sizeof(text), "the environment variable %s is not known and changes nothing; %s%s%s", name,
                       *nearest ? "did you mean " : "lagd --help lists the keys, which are LAGD_SECTION_KEY there",
                       nearest, *nearest ? "?" : "");
        tell(arg, text);
        n++;
    }
    return n;
}
