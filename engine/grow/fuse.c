/* Fusion: the units of several models of equal depth, end to end.
 *
 * Embeddings lie side by side, [E_A, E_B], matrices between units are block-diagonal, heads and FFN units are joined,
 * and the last norm has the share λ of its parent, so that logits are λ A + (1 - λ) B. Norms see what is pooled: the
 * result is near that mean, and equal to it where the parents' streams have equal means and variances, as those of one
 * model fused with itself. Source: Mazzawi et al., arXiv 2306.11903 (Deep Fusion). */
#include "grow/grow_internal.h"
#include <lagd/base/error.h>
#include <lagd/base/mem.h>
#include <stdio.h>
#include <string.h>

/* A fusion under construction; models[0] is the run's own. */
struct fusing {
    const struct lag_strategy *strategy;
    const struct lag_spec *models[LAG_PARENTS];
    int n;
    double share[LAG_PARENTS];
    struct lag_width *width;
};

int lag_strategy_add_parent(struct lag_strategy *strategy, const char *name, struct lag_error *err) {
    const struct lag_operator *op = strategy->with ? strategy->with : strategy->op;
    char pointer[32];
    (void)snprintf(pointer, sizeof(pointer), "/parents/%d", strategy->n_parents);
    if (!op->takes_parents)
        return lag_error_at(err, LAG_EINVAL, "/parents", "operator %s takes no parents: leave them out, or choose fuse",
                            op->name);
    if (strategy->n_parents == LAG_FUSE_MAX)
        return lag_error_at(err, LAG_EINVAL, pointer, "a fusion takes at most %d parents beside the run's own model",
                            LAG_FUSE_MAX);
    struct lag_parent *parent = &strategy->parents[strategy->n_parents];
    if (!*name || strcspn(name, " ,=+") != strlen(name) || lag_copy(parent->name, sizeof(parent->name), name) < 0)
        return lag_error_at(err, LAG_EINVAL, pointer, "\"%.64s\" is no id of a checkpoint", name);
    strategy->n_parents++;
    return 0;
}

/* --- which models go together ------------------------------------------------------------------------------------ */

static int check_model(const struct fusing *f, int p, struct lag_error *err) {
    const struct lag_spec *own = f->models[0], *other = f->models[p];
    const char *name = f->strategy->parents[p - 1].name;
    char pointer[32];
    (void)snprintf(pointer, sizeof(pointer), "/parents/%d", p - 1);
    if (other->n_layer == 0)
        return lag_error_at(err, LAG_EINVAL, pointer, "the model of %s is not known here", name);
    if (other->arch != own->arch)
        return lag_error_at(err, LAG_EINVAL, pointer, "%s is of architecture %s, and the run of %s: fused models have "
                            "one", name, lag_arch_name(other->arch), lag_arch_name(own->arch));
    const struct { const char *what; int own, other; } equal[] = {
        {"layers", own->n_layer, other->n_layer},
        {"tokens in its vocabulary", own->vocab_size, other->vocab_size},
        {"positions", own->n_positions, other->n_positions},
        {"numbers in a head", lag_spec_head_dim(own), lag_spec_head_dim(other)}};
    if (own->gated || other->gated)
        return lag_error_at(err, LAG_EINVAL, pointer, "%s has gates in its residual branches, and gates of several "
                            "models do not fuse: name checkpoints of models without", own->gated ? "the run" : name);
    for (size_t i = 0; i < sizeof(equal) / sizeof(equal[0]); i++)
        if (equal[i].own != equal[i].other)
            return lag_error_at(err, LAG_EINVAL, pointer, "%s has %d %s, and the run %d: fused models have equal "
                                "depth, vocabulary, context and size of a head; name a checkpoint with %d", name,
                                equal[i].other, equal[i].what, equal[i].own, equal[i].own);
    return 0;
}

static int total(const struct fusing *f, enum lag_space space) {
    int n = 0;
    for (int p = 0; p < f->n; p++) n += lag_space_size(f->models[p], space);
    return n;
}

static int check_target(const struct fusing *f, const struct lag_spec *to, struct lag_error *err) {
    static const struct { const char *name; enum lag_space space; } counted[] = {
        {"n_embd", LAG_SPACE_RESIDUAL}, {"n_head", LAG_SPACE_HEADS}, {"n_inner", LAG_SPACE_FFN}};
    const int embd = total(f, LAG_SPACE_RESIDUAL), heads = total(f, LAG_SPACE_HEADS), inner = total(f, LAG_SPACE_FFN);
    for (size_t i = 0; i < sizeof(counted) / sizeof(counted[0]); i++) {
        const int asked = lag_space_size(to, counted[i].space);
        char pointer[32];
        if (asked == total(f, counted[i].space)) continue;
        (void)snprintf(pointer, sizeof(pointer), "/target/%s", counted[i].name);
        return lag_error_at(err, LAG_EINVAL, pointer, "these %d models fuse to n_embd %d, n_head %d and n_inner %d, "
                            "and not to %s %d: ask for that", f->n, embd, heads, inner, counted[i].name, asked);
    }
    return 0;
}

/* --- maps -------------------------------------------------------------------------------------------------------- */

/* Of a space, one model behind the other. is_last: what the head reads carries the shares, else what reads it. */
static int join(const struct fusing *f, enum lag_space space, bool is_last) {
    struct lag_space_map *map = &f->width->maps[space];
    map->n = total(f, space);
    map->n_from = lag_space_size(f->models[0], space);
    map->units = lag_calloc((size_t)map->n, sizeof(*map->units));
    if (!map->units) return LAG_ENOMEM;
    for (int p = 0, i = 0; p < f->n; p++) {
        map->n_of[p] = lag_space_size(f->models[p], space);
        for (int u = 0; u < map->n_of[p]; u++)
            map->units[i++] = (struct lag_unit){.source = u, .copy = p, .write = is_last ? f->share[p] : 1,
                                                .read = is_last ? 1 : f->share[p]};
    }
    return 0;
}

int lag_fuse_build(const struct lag_strategy *strategy, const double *params, const struct lag_spec *from,
                   const struct lag_spec *to, struct lag_width *ret, struct lag_error *err) {
    const struct lag_operator *op = strategy->with ? strategy->with : strategy->op;
    struct lag_width width = {.widens = true, .gain = 1, .diagonal = true, .n_parents = strategy->n_parents + 1};
    struct fusing f = {.strategy = strategy, .models = {from}, .n = width.n_parents, .width = &width};
    if (strategy->n_parents == 0)
        return lag_error_at(err, LAG_EINVAL, "/parents", "fuse needs other models: name 1 to %d checkpoints in parents",
                            LAG_FUSE_MAX);
    const double lambda = lag_operator_value(op, params, "lambda");
    int rc = 0;
    f.share[0] = lambda;
    for (int p = 1; p < f.n && rc == 0; p++) {
        f.models[p] = &strategy->parents[p - 1].spec;
        f.share[p] = (1 - lambda) / strategy->n_parents;
        rc = check_model(&f, p, err);
    }
    if (rc == 0) rc = check_target(&f, to, err);
    if (rc) return rc;
    for (int p = 0; p < f.n; p++) width.norm_eps += f.models[p]->norm_eps * f.models[p]->n_embd / to->n_embd;
    static const enum lag_space inner[] = {LAG_SPACE_RESIDUAL, LAG_SPACE_NORMED, LAG_SPACE_HEADS, LAG_SPACE_FFN};
    for (size_t i = 0; i < sizeof(inner) / sizeof(inner[0]) && rc == 0; i++) rc = join(&f, inner[i], false);
    if (rc == 0) rc = join(&f, LAG_SPACE_FINAL, true);
    if (rc) {
        lag_width_deinit(&width);
        return lag_error_set(err, LAG_ENOMEM, "out of memory for a fusion");
    }
    *ret = width;
    return 0;
}
