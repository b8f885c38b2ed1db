/* Operators for people: one line each, and what stands in the way of a target. */
#include <string.h>

#include "ctl_internal.h"

static const struct ctl_column columns[] = {
    {"OPERATOR", "name", CTL_TEXT}, {"GROWS", "grows", CTL_TEXT}, {"SAME FUNCTION", "function_text", CTL_TEXT},
    {"PARAMETERS", "params_text", CTL_TEXT}, {"", "help", CTL_TEXT}, {NULL, NULL, 0}};
static const struct ctl_column reaching[] = {
    {"OPERATOR", "name", CTL_TEXT}, {"GROWS", "grows", CTL_TEXT}, {"SAME FUNCTION", "function_text", CTL_TEXT},
    {"REACHES IT", "reach_text", CTL_TEXT}, {"PARAMS", "reach.n_params", CTL_COUNT},
    {"HUGGING FACE", "hf_text", CTL_TEXT}, {NULL, NULL, 0}};

/* "block=1, noise=0": each parameter with its preset. */
static void put_params(json_t *item) {
    struct lag_strbuf text = LAG_STRBUF_INIT;
    json_t *param;
    size_t i;
    json_array_foreach(json_object_get(item, "params"), i, param) {
        lag_strbuf_printf(&text, "%s%s=%g", i ? ", " : "", ctl_json_text(param, "name"),
                          ctl_json_number(param, "preset"));
    }
    (void)json_object_set_new(item, "params_text", json_string(text.length && !text.failed ? text.data : ""));
    lag_strbuf_deinit(&text);
}

static void put_texts(json_t *item) {
    const char *preserves = ctl_json_text(item, "preserves"), *beside = ctl_json_text(item, "reach.beside");
    struct lag_strbuf text = LAG_STRBUF_INIT;
    put_params(item);
    if (!*preserves) preserves = "no";
    lag_strbuf_printf(&text, "%.*s", (int)strcspn(preserves, ":,;"), preserves);
    (void)json_object_set_new(item, "function_text", json_string(text.failed ? "" : text.data));
    lag_strbuf_deinit(&text);
    if (!ctl_json_at(item, "reach")) return;
    const bool reaches = json_is_true(ctl_json_at(item, "reach.reaches"));
    lag_strbuf_printf(&text, *beside ? "beside %s" : "%s", *beside ? beside : reaches ? "yes" : "no");
    (void)json_object_set_new(item, "reach_text", json_string(text.failed ? "" : text.data));
    (void)json_object_set_new(item, "hf_text", json_string(!reaches ? "" : json_is_true(ctl_json_at(
                                                               item, "reach.hugging_face")) ? "yes" : "no"));
    lag_strbuf_deinit(&text);
}

/* What stands in the way, and the shapes that do not. */
static void say_nearest(struct lag_strbuf *out, json_t *item) {
    json_t *shape;
    size_t i;
    ctl_say(out, "{name}: {reach.reason}", item);
    json_array_foreach(ctl_json_at(item, "reach.nearest"), i, shape) {
        ctl_say(out, i ? "; or {n_layer} layers, n_embd {n_embd}, n_head {n_head}, n_inner {n_inner}"
                       : "; nearest: {n_layer} layers, n_embd {n_embd}, n_head {n_head}, n_inner {n_inner}", shape);
    }
    lag_strbuf_append(out, "\n");
}

int ctl_print_operators(struct ctl *ctl, json_t *answer) {
    struct lag_strbuf out = LAG_STRBUF_INIT;
    json_t *items = json_object_get(answer, "items"), *item;
    size_t i;
    json_array_foreach(items, i, item) put_texts(item);
    const bool asked = ctl_json_at(json_array_get(items, 0), "reach") != NULL;
    ctl_table(&out, asked ? reaching : columns, items, ctl->term.utf8, ctl->term.colour, ctl->term.width);
    if (asked) lag_strbuf_append(&out, "\n");
    json_array_foreach(items, i, item)
        if (asked && !json_is_true(ctl_json_at(item, "reach.reaches"))) say_nearest(&out, item);
    lag_strbuf_append(&out, "\npools: ");
    json_array_foreach(json_object_get(answer, "pools"), i, item) ctl_say(&out, i ? ", {name}" : "{name}", item);
    lag_strbuf_append(&out, "\nrecipes: ");
    json_array_foreach(json_object_get(answer, "recipes"), i, item) ctl_say(&out, i ? ", {name}" : "{name}", item);
    lag_strbuf_append(&out, "\n");
    return ctl_put(&out);
}
