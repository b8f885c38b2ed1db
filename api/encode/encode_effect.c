/* What an applied growth did to its run, as JSON. */
#include "encode/effect_internal.h"

#include <lagd/base/check.h>
#include <lagd/base/cleanup.h>
#include <lagd/base/error.h>
#include <lagd/base/mem.h>
#include <lagd/base/parse.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { MOST_LAYERS = 512 };

/* A layer of the grown model: a word of the recipe, "12", "12z", "12g", "12m", "12~", "r" or "rm", and a number of the
 * ratios. */
struct layer {
    int64_t index, source; /* -1: fresh */
    bool zeroed, gated, masked, is_between, is_new;
    double rms_ratio;
};

#define LAYER(name, type, member, help) LAGD_MEMBER(struct layer, name, type, member, help)
static const struct lagd_member layer_members[] = {
    LAYER("layer", "i", index, "From 0, at the bottom."),
    LAYER("source", "i?", source, "The parent's layer that it was made of; null: it is fresh."),
    LAYER("is_new", "b", is_new, "The parent has its source elsewhere, or not at all."),
    LAYER("between", "b", is_between, "It was made between its source and the layer above that."),
    LAYER("zeroed", "b", zeroed, "Its output projections began at zero."),
    LAYER("gated", "b", gated, "Its gates began at zero, and are trained."),
    LAYER("masked", "b", masked, "It began behind a mask, which opens step by step."),
    LAYER("rms_ratio", "n?", rms_ratio, "Root mean square of the residual stream behind it, over that behind the "
          "parent's layer which the topmost old layer up to here is."),
};
static const struct lagd_schema layer_schema = LAGD_SCHEMA("EffectLayer", layer_members);

static bool is_held(const struct layer *layer) { return layer->zeroed || layer->gated || layer->masked; }

/* The next word of a text with blanks between; false at its end. */
static bool next_word(const char **text, char ret[32]) {
    const size_t n = strcspn(*text, " ");
    (void)snprintf(ret, 32, "%.*s", (int)LAG_MIN(n, (size_t)31), *text);
    *text += n;
    *text += strspn(*text, " ");
    return n > 0;
}

static int write_layers(struct lagd_json *json, const char *key, const void *object, void *context) {
    const struct lagd_effect *effect = object;
    const char *recipe = effect->candidate.recipe, *ratios = effect->row.rms_ratios;
    bool seen[MOST_LAYERS] = {0};
    char word[32], ratio[32];
    lagd_json_open_array(json, key);
    for (int64_t i = 0; next_word(&recipe, word); i++) {
        struct layer layer = {.index = i, .source = -1, .rms_ratio = NAN};
        const size_t n = strcspn(word, "zgm~");
        layer.zeroed = word[n] == 'z';
        layer.gated = word[n] == 'g';
        layer.masked = word[n] == 'm';
        layer.is_between = word[n] == '~';
        word[n] = '\0';
        if (lag_parse_i64(word, &layer.source) < 0 || layer.source >= MOST_LAYERS) layer.source = -1; /* r */
        layer.is_new = layer.source < 0 || is_held(&layer) || layer.is_between || seen[layer.source];
        if (!layer.is_new) seen[layer.source] = true;
        if (next_word(&ratios, ratio) && lag_parse_double(ratio, &layer.rms_ratio) < 0) layer.rms_ratio = NAN;
        (void)lagd_write_object(json, NULL, &layer_schema, &layer, NULL);
    }
    lagd_json_close_array(json);
    return 0;
}

static int write_preserved(struct lagd_json *json, const char *key, const void *object, void *context) {
    const struct lagd_effect *effect = object;
    if (effect->is_measured) lagd_json_bool(json, key, effect->row.preserved);
    else lagd_json_null(json, key);
    return 0;
}

static int write_measured(struct lagd_json *json, const char *key, double value, const struct lagd_effect *effect) {
    lagd_json_real(json, key, effect->is_measured ? value : NAN);
    return 0;
}

static int write_logit_change(struct lagd_json *json, const char *key, const void *object, void *context) {
    return write_measured(json, key, ((const struct lagd_effect *)object)->row.logit_change, object);
}

static int write_new_share(struct lagd_json *json, const char *key, const void *object, void *context) {
    return write_measured(json, key, ((const struct lagd_effect *)object)->row.new_share, object);
}

static int write_connection_rate(struct lagd_json *json, const char *key, const void *object, void *context) {
    return write_measured(json, key, ((const struct lagd_effect *)object)->row.connection_rate, object);
}

#define ROW(name, type, member, help) LAGD_MEMBER(struct lagd_effect, name, type, member, help)
static const struct lagd_member effect_members[] = {
    ROW("candidate", "s", candidate.id, "Id of what was applied."),
    ROW("loss_change", "n?", loss_change, "Validation loss right after the growth above the parent's, in nats."),
    LAGD_WRITTEN("logit_change", "n?", write_logit_change, "The largest change of a logit right after the growth, over "
                 "the largest logit; null, as whatever was measured, where the growth is of an earlier lagd."),
    LAGD_WRITTEN("preserved", "b?", write_preserved,
                 "The function stayed, as far as numbers of the run's precision can say."),
    ROW("promised", "b", promised, "Its operators are to keep the function."),
    LAGD_WRITTEN("new_gradient_share", "n?", write_new_share, "Of the squares of the first gradient, what fell on "
                 "what the parent does not have."),
    LAGD_WRITTEN("connection_rate", "n?", write_connection_rate, "Share of neighbouring layers that were neighbours "
                 "before."),
    ROW("spike", "n?", spike, "How far the validation loss rose above the parent's before it was back, in nats; 0: it "
        "did not."),
    ROW("spike_steps", "i?", spike_steps, "After how many steps it was highest."),
    ROW("recovery_steps", "i?", recovery_steps, "After how many steps it was back at the parent's; 0: it never left; "
        "null: not yet."),
    LAGD_WRITTEN_OF("layers", "[@]", &layer_schema, write_layers, "Of the grown model."),
};
#undef ROW
const struct lagd_schema lagd_effect_schema = LAGD_SCHEMA("Effect", effect_members);

int lagd_write_effect(struct lagd_json *json, const char *key, const struct lag_growth_row *growth, struct lag_db *db,
                      struct lag_error *err) {
    LAG_CLEANUP(lag_free_p) struct lagd_effect *effect = lag_calloc(1, sizeof(*effect));
    if (!effect) return lag_error_set(err, LAG_EINTERNAL, "out of memory");
    int status = lagd_effect_read(db, growth, effect, err);
    if (status == 0 && effect->is_known) return lagd_write_object(json, key, &lagd_effect_schema, effect, NULL);
    lagd_json_null(json, key);
    return status;
}
