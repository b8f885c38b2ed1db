/* plan show, plan set: the growth plan of a run. */
#include <lagd/base/parse.h>
#include <lagd/base/strbuf.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "ctl_internal.h"

static const struct ctl_column stage_columns[] = {
    {"STAGE", "position", CTL_INT}, {"LAYERS", "target.n_layer", CTL_INT}, {"STATE", "state", CTL_STATE},
    {"BEGINS", "begins", CTL_TEXT}, {"LAG", "probe.steps", CTL_INT},       {"AT STEP", "step", CTL_INT},
    {"GROWTH", "growth", CTL_TEXT}, {"WHY", "why", CTL_TEXT},              {NULL, NULL, 0}};
static const struct ctl_column estimate_columns[] = {
    {"STAGE", "position", CTL_INT},        {"BEGINS", "when", CTL_TEXT},
    {"FROM", "growth.from.n_layer", CTL_INT}, {"TO", "growth.to.n_layer", CTL_INT},
    {"CANDIDATES", "n_candidates", CTL_INT}, {"FLOPS", "growth.flops_total", CTL_COUNT},
    {"TIME", "growth.seconds_guess", CTL_SECONDS}, {"MEMORY", "growth.memory_peak_bytes", CTL_BYTES}, {NULL, NULL, 0}};

/* "step 400", "1.2e+09 FLOPs", "slope below 0.05" */
static void say_trigger(json_t *stage) {
    json_t *trigger = json_object_get(stage, "trigger");
    static const char *const kinds[] = {"step", "tokens", "flops"};
    char text[96] = "";
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        const double value = ctl_json_number(trigger, kinds[i]);
        if (!isfinite(value)) continue;
        (void)snprintf(text, sizeof(text), i == 0 ? "step %.0f" : i == 1 ? "%.0f tokens" : "%.4g FLOPs", value);
    }
    if (json_object_get(trigger, "slope"))
        (void)snprintf(text, sizeof(text), "slope below %g", ctl_json_number(trigger, "slope.below"));
    (void)json_object_set_new(stage, "begins", json_string(text));
}

int ctl_print_plan(struct ctl *ctl, json_t *plan) {
    json_t *stages = json_object_get(plan, "stages"), *stage;
    struct lag_strbuf out = LAG_STRBUF_INIT;
    size_t i;
    if (json_array_size(stages) == 0) {
        ctl_tell("no plan; set one by: lagctl plan set RUN -f plan.json");
        return CTL_OK;
    }
    json_array_foreach(stages, i, stage) say_trigger(stage);
    if (ctl_json_at(plan, "lengths"))
        ctl_say(&out, "lengths of {lengths.steps} steps, prop_alpha {lengths.prop_alpha}, from step {start_step}\n",
                plan);
    ctl_table(&out, stage_columns, stages, ctl->term.utf8, ctl->term.colour, ctl->term.width);
    return ctl_put(&out);
}

int ctl_print_plan_estimate(struct ctl *ctl, json_t *estimate) {
    json_t *stages = json_object_get(estimate, "stages"), *stage;
    struct lag_strbuf out = LAG_STRBUF_INIT;
    size_t i;
    json_array_foreach(stages, i, stage) {
        const bool exact = json_is_true(json_object_get(stage, "is_exact"));
        char text[64] = "has begun";
        if (ctl_json_at(stage, "growth"))
            (void)snprintf(text, sizeof(text), "%sstep %.0f", exact ? "" : "not before ",
                           ctl_json_number(stage, "begins"));
        (void)json_object_set_new(stage, "when", json_string(text));
        const size_t n = json_array_size(ctl_json_at(stage, "growth.candidates"));
        (void)json_object_set_new(stage, "n_candidates", json_integer((json_int_t)n));
    }
    ctl_table(&out, estimate_columns, stages, ctl->term.utf8, ctl->term.colour, ctl->term.width);
    return ctl_put(&out);
}

/* --- set --------------------------------------------------------------------------------------------------------- */

/* "4@400,6@1200": 4 layers at step 400, 6 at step 1200; with lengths without the steps. */
static int add_stages(const char *text, json_t *stages) {
    while (*text) {
        long long layers = 0, step = -1;
        int used = 0;
        const bool has_step = sscanf(text, "%lld@%lld%n", &layers, &step, &used) == 2;
        if (!has_step) (void)sscanf(text, "%lld%n", &layers, &used);
        if (used == 0 || (text[used] && text[used] != ','))
            return ctl_fail(CTL_USAGE, "--stages takes LAYERS@STEP, ',' between, as in 4@400,6@1200; not \"%s\"", text);
        json_t *stage = json_pack("{s:{s:I}}", "target", "n_layer", (json_int_t)layers);
        if (has_step) (void)json_object_set_new(stage, "trigger", json_pack("{s:I}", "step", (json_int_t)step));
        if (json_array_append_new(stages, stage) < 0) return ctl_fail(CTL_FAILED, "out of memory");
        text += used + (text[used] == ',');
    }
    return CTL_OK;
}

/* What the flags say of every stage. */
static void merge_flags(struct ctl *ctl, json_t *body) {
    const struct ctl_call *call = ctl->call;
    const char *pool = ctl_value(call, "pool");
    json_t *stage;
    size_t i;
    json_array_foreach(json_object_get(body, "stages"), i, stage) {
        if (ctl_value(call, "lag"))
            (void)json_object_set_new(stage, "probe", json_pack("{s:I}", "steps",
                                                                (json_int_t)ctl_value_int(call, "lag", 0)));
        if (pool) (void)json_object_set_new(stage, "pool", ctl_list_value(pool));
        if (ctl_value(call, "manual")) (void)json_object_set_new(stage, "mode", json_string("manual"));
    }
}

static int make_body(struct ctl *ctl, json_t **ret) {
    const char *text = ctl_value(ctl->call, "stages"), *lengths = ctl_value(ctl->call, "prop-alpha");
    double alpha = 1;
    if (ctl_value(ctl->call, "file")) return ctl_body_of(ctl, ret);
    if (!text) return ctl_fail(CTL_USAGE, "'plan set' needs -f FILE, or --stages LAYERS@STEP,LAYERS@STEP");
    json_t *body = json_pack("{s:[]}", "stages");
    int status = body ? add_stages(text, json_object_get(body, "stages")) : ctl_fail(CTL_FAILED, "out of memory");
    if (status == CTL_OK) merge_flags(ctl, body);
    if (status == CTL_OK && lengths && !ctl_value(ctl->call, "steps"))
        status = ctl_fail(CTL_USAGE, "--prop-alpha needs --steps, how many all shapes train together");
    if (lengths) (void)lag_parse_double(lengths, &alpha); /* checked with the call */
    if (status == CTL_OK && ctl_value(ctl->call, "steps"))
        (void)json_object_set_new(body, "lengths",
                                  json_pack("{s:f, s:I}", "prop_alpha", alpha, "steps",
                                            (json_int_t)ctl_value_int(ctl->call, "steps", 0)));
    if (status == CTL_OK) *ret = body;
    else json_decref(body);
    return status;
}

int ctl_cmd_plan_set(struct ctl *ctl) {
    const bool dry = ctl_value(ctl->call, "dry-run") != NULL;
    struct lag_strbuf path = LAG_STRBUF_INIT;
    json_t *body = NULL, *answer = NULL;
    int status = make_body(ctl, &body);
    if (status == CTL_OK) status = ctl_path_of(ctl, &path);
    if (status == CTL_OK) status = ctl_ask(ctl, "PUT", path.data, body, &answer);
    if (status == CTL_OK) status = ctl_print(ctl, dry ? &ctl_plan_estimate_view : ctl->call->command->view, answer);
    json_decref(answer);
    json_decref(body);
    lag_strbuf_deinit(&path);
    return status;
}
