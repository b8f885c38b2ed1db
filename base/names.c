/* Names of an enum's values. */
#include <lagd/base/names.h>

#include <lagd/base/check.h>
#include <lagd/base/error.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>

int lag_names_find(const char *const *names, const char *name) {
    for (int i = 0; names[i]; i++)
        if (strcmp(names[i], name) == 0) return i;
    return -1;
}

int lag_names_refuse(const char *const *names, const char *pointer, const char *what, const char *got,
                     struct lag_error *err) {
    char list[400] = "";
    size_t used = 0;
    for (int i = 0; names[i] && used < sizeof(list); i++)
        used += (size_t)snprintf(list + used, sizeof(list) - used, "%s%s", i > 0 ? ", " : "", names[i]);
    return lag_error_at(err, LAG_EINVAL, pointer, "%s must be one of %s (got %.80s)", what, list, got);
}

#define WORD_MAX 96 /* longer names are far from all */

/* Letters and digits in lower case; the length, or -1 when it is too long. */
static int plain(const char *name, char ret[WORD_MAX]) {
    int n = 0;
    for (; *name; name++) {
        if (*name == '_' || *name == '-') continue;
        if (n == WORD_MAX - 1) return -1;
        ret[n++] = (char)tolower((unsigned char)*name);
    }
    ret[n] = '\0';
    return n;
}

/* Letters to insert, to drop, to change, and neighbours to swap: optimal string alignment, in three rows. */
static int edits(const char *a, int n_a, const char *b, int n_b) {
    int rows[3][WORD_MAX];
    for (int j = 0; j <= n_b; j++) rows[0][j] = j;
    for (int i = 1; i <= n_a; i++) {
        int *row = rows[i % 3];
        const int *above = rows[(i + 2) % 3], *two_above = rows[(i + 1) % 3];
        row[0] = i;
        for (int j = 1; j <= n_b; j++) {
            int change = above[j - 1] + (a[i - 1] != b[j - 1]);
            row[j] = LAG_MIN(change, LAG_MIN(above[j], row[j - 1]) + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                row[j] = LAG_MIN(row[j], two_above[j - 2] + 1);
        }
    }
    return rows[n_a % 3][n_b];
}

int lag_names_distance(const char *given, const char *known) {
    char a[WORD_MAX], b[WORD_MAX];
    int n_a = plain(given, a), n_b = plain(known, b);
    if (n_a <= 0 || n_b <= 0) return LAG_NAMES_FAR;
    int distance = edits(a, n_a, b, n_b);
    if (distance <= LAG_MIN(LAG_MAX(n_a, n_b) / 3, LAG_NAMES_FAR - 1)) return distance;
    /* "rate" for "learning_rate", "steps" for "max_steps" */
    return (n_a >= 4 && strstr(b, a)) || (n_b >= 4 && strstr(a, b)) ? LAG_NAMES_FAR - 1 : LAG_NAMES_FAR;
}
