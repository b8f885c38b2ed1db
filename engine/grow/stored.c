/* Recipes as they were stored: their text read back. An operator may make another recipe in a newer lagd; a candidate
 * that exists stays what it was. */
#include "grow/grow_internal.h"
#include <lagd/base/check.h>
#include <lagd/base/cleanup.h>
#include <lagd/base/error.h>
#include <string.h>

/* One word of the text, such as "12z", "12g", "12~", "r" or "rm"; *text goes behind it and the blank that follows. */
static bool read_layer(const char **text, int n_parent, struct lag_layer_src *ret) {
    const char *p = *text;
    int source = 0;
    if (*p == 'r') {
        source = -1;
        p++;
    } else {
        if (*p < '0' || *p > '9') return false;
        for (; *p >= '0' && *p <= '9' && source < n_parent; p++) source = 10 * source + (*p - '0');
        if (source >= n_parent) return false;
    }
    *ret = (struct lag_layer_src){.source = source, .zero_out = *p == 'z', .shut = *p == 'g', .masked = *p == 'm'};
    if (*p == '~' && (source < 0 || source + 1 >= n_parent)) return false;
    ret->blend = *p == '~' ? 0.5 : 0;
    p += *p == 'z' || *p == 'g' || *p == 'm' || *p == '~';
    if (*p != ' ' && *p != '\0') return false;
    *text = p + (*p == ' ' && p[1] != '\0');
    return **text != ' ';
}

static int fill_by_text(struct lag_draft *draft, const struct lag_strategy *strategy, const char *text,
                        struct lag_error *err) {
    const char *rest = text;
    draft->n = 0;
    while (*rest && draft->n < draft->target) {
        if (!read_layer(&rest, draft->n_parent, &draft->layers[draft->n])) break;
        draft->n++;
    }
    if (draft->n == draft->target && !*rest) return 0;
    return lag_error_set(err, LAG_ECORRUPT,
                         "the stored recipe \"%.64s%s\" of operator %s does not make %d layers of %d", text,
                         strlen(text) > 64 ? "…" : "", strategy->op->name, draft->target, draft->n_parent);
}

/* Its end is lost: it is what the operator makes, if that begins so. */
static int restore_cut(const struct lag_strategy *strategy, const struct lag_spec *from, const struct lag_spec *to,
                       const char *text, struct lag_recipe *ret, struct lag_error *err) {
    LAG_CLEANUP(lag_recipe_deinit) struct lag_recipe recipe = {0};
    char today[LAG_RECIPE_TEXT];
    int rc = lag_recipe_build(strategy, from, to, &recipe, err);
    if (rc) return rc;
    lag_recipe_text(&recipe, today, sizeof(today));
    if (strncmp(today, text, LAG_RECIPE_CUT) != 0)
        return lag_error_set(err, LAG_ECORRUPT,
                             "the stored recipe of operator %s was cut by an earlier lagd, and this one makes another: "
                             "cancel the growth and ask for it anew", strategy->op->name);
    *ret = recipe;
    recipe = (struct lag_recipe){0};
    return 0;
}

int lag_recipe_restore(const struct lag_strategy *strategy, const struct lag_spec *from, const struct lag_spec *to,
                       const char *text, struct lag_recipe *ret, struct lag_error *err) {
    if (!*text) return lag_recipe_build(strategy, from, to, ret, err);
    if (strlen(text) == LAG_RECIPE_CUT) return restore_cut(strategy, from, to, text, ret, err);
    return lag_recipe_make(strategy, from, to, fill_by_text, text, ret, err);
}
