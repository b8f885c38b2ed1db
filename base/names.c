/* Names of an enum's values. */
#include <lagd/base/names.h>

#include <lagd/base/error.h>
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
