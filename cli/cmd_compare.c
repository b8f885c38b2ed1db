/* compare and lineage: runs side by side, and how a run came about. */
#include "ctl_internal.h"

#include <stdio.h>
#include <string.h>

/* --- compare ----------------------------------------------------------------------------------------------------- */

static const struct ctl_column run_columns[] = {
    {"NAME", "name", CTL_TEXT}, {"STATE", "state", CTL_STATE}, {"STEP", "step", CTL_INT}, {"OF", "max_steps", CTL_INT},
    {"LAYERS", "n_layer", CTL_INT}, {"PARAMS", "n_params", CTL_COUNT}, {"TOKENS", "tokens", CTL_COUNT},
    {"FLOPS", "flops", CTL_COUNT}, {"TRAIN", "train", CTL_LOSS}, {"VAL", "val", CTL_LOSS},
    {"BEST", "best_loss", CTL_LOSS}, {"AT", "best_step", CTL_INT}, {NULL, NULL, 0}};

/* With --at the values there, else the last ones. */
static void put_losses(json_t *run, bool at) {
    static const char *const keys[][2] = {{"train", "train/loss"}, {"val", "val/loss"}};
    for (size_t i = 0; i < 2; i++) {
        json_t *metric = json_object_get(json_object_get(run, "metrics"), keys[i][1]);
        json_t *value = json_object_get(metric, at ? "at" : "last");
        (void)json_object_set(run, keys[i][0], value ? value : json_null());
    }
}

/* One row a key of the configuration, one column a run. */
static void put_differences(struct ctl *ctl, struct lag_strbuf *out, json_t *answer) {
    struct ctl_column columns[CTL_MAX_ARGUMENTS * 8 + 2] = {{"DIFFERENT", "key", CTL_TEXT}};
    char paths[CTL_MAX_ARGUMENTS * 8][8];
    json_t *runs = json_object_get(answer, "runs"), *difference, *run, *value;
    size_t i, k, n = 0;
    json_array_foreach(runs, i, run) {
        if (i == CTL_MAX_ARGUMENTS * 8) break;
        (void)snprintf(paths[i], sizeof(paths[i]), "r%zu", i);
        columns[++n] = (struct ctl_column){ctl_json_text(run, "name"), paths[i], CTL_TEXT};
    }
    json_array_foreach(json_object_get(answer, "differences"), i, difference)
        json_array_foreach(json_object_get(difference, "values"), k, value)
            if (k < n) (void)json_object_set(difference, paths[k], value);
    if (json_array_size(json_object_get(answer, "differences")) == 0) {
        lag_strbuf_append(out, "\nTheir configurations are the same.\n");
        return;
    }
    lag_strbuf_append(out, "\n");
    ctl_table(out, columns, json_object_get(answer, "differences"), ctl->term.utf8, ctl->term.colour, ctl->term.width);
}

int ctl_print_comparison(struct ctl *ctl, json_t *answer) {
    struct lag_strbuf out = LAG_STRBUF_INIT;
    json_t *runs = json_object_get(answer, "runs"), *run;
    size_t i;
    json_array_foreach(runs, i, run) put_losses(run, ctl_value(ctl->call, "at") != NULL);
    ctl_table(&out, run_columns, runs, ctl->term.utf8, ctl->term.colour, ctl->term.width);
    if (json_array_size(runs) > 1) put_differences(ctl, &out, answer);
    return ctl_put(&out);
}

int ctl_cmd_compare(struct ctl *ctl) {
    struct lag_strbuf path = LAG_STRBUF_INIT;
    const struct ctl_call *call = ctl->call;
    const char *tags = ctl_value(call, "tag"), *at = ctl_value(call, "at"), *x = ctl_value(call, "x");
    json_t *answer = NULL;
    if (call->n_arguments == 0 && !tags) return ctl_fail(CTL_USAGE, "name runs to compare, or give --tag");
    lag_strbuf_append(&path, "/compare?max_points=1&runs=");
    for (int i = 0; i < call->n_arguments; i++) {
        if (i > 0) lag_strbuf_append(&path, ",");
        ctl_escape(&path, call->arguments[i]);
    }
    if (tags) lag_strbuf_append(&path, "&tags=");
    if (tags) ctl_escape(&path, tags);
    if (x) lag_strbuf_printf(&path, "&x=%s", x);
    if (at) lag_strbuf_printf(&path, "&at=%s", at);
    int status = path.failed ? ctl_fail(CTL_FAILED, "out of memory") : ctl_ask(ctl, "GET", path.data, NULL, &answer);
    lag_strbuf_deinit(&path);
    if (status == CTL_OK) status = ctl_print(ctl, call->command->view, answer);
    json_decref(answer);
    return status;
}

/* --- lineage ----------------------------------------------------------------------------------------------------- */

static const struct ctl_column stage_columns[] = {
    {"FROM", "from_step", CTL_INT}, {"TO", "to_step", CTL_INT}, {"LAYERS", "shape.n_layer", CTL_INT},
    {"WIDTH", "shape.n_embd", CTL_INT}, {"PARAMS", "n_params", CTL_COUNT}, {"BY", "strategy", CTL_TEXT},
    {"GROWTH", "growth", CTL_TEXT}, {"CHECKPOINTS", "n_checkpoints", CTL_INT}, {NULL, NULL, 0}};
static const struct ctl_column tried_columns[] = {
    {"GROWTH", "id", CTL_TEXT}, {"STATE", "state", CTL_STATE}, {"AT", "step", CTL_INT},
    {"LAYERS", "n_layer_to", CTL_INT}, {"CANDIDATES", "n_candidates", CTL_INT}, {"LAG", "lag_steps", CTL_INT},
    {"PARENT", "parent_loss", CTL_LOSS}, {"AT LAG", "loss_at_lag", CTL_LOSS}, {"TAKEN", "strategy", CTL_TEXT},
    {NULL, NULL, 0}};

int ctl_print_lineage(struct ctl *ctl, json_t *answer) {
    struct lag_strbuf out = LAG_STRBUF_INIT;
    json_t *stages = json_object_get(answer, "stages"), *growths = json_object_get(answer, "growths"), *stage;
    size_t i;
    if (ctl_json_at(answer, "origin"))
        ctl_say(&out, "Forked from {origin.run_name} at step {origin.step}.\n\n", answer);
    json_array_foreach(stages, i, stage) {
        size_t n = json_array_size(json_object_get(stage, "checkpoints"));
        (void)json_object_set_new(stage, "n_checkpoints", json_integer((json_int_t)n));
    }
    ctl_table(&out, stage_columns, stages, ctl->term.utf8, ctl->term.colour, ctl->term.width);
    if (json_array_size(growths) > 0) {
        lag_strbuf_append(&out, "\n");
        ctl_table(&out, tried_columns, growths, ctl->term.utf8, ctl->term.colour, ctl->term.width);
    }
    return ctl_put(&out);
}
