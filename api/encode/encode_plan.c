/* Growth plans as JSON: what was asked for, in the form in which it can be asked for again, and what became of it. */
#include "encode/plan_internal.h"

#include <lagd/base/cleanup.h>
#include <lagd/base/error.h>
#include <lagd/base/mem.h>
#include <lagd/base/strbuf.h>
#include <lagd/daemon/plan_request.h>
#include <lagd/storage/growths.h>
#include <stdio.h>
#include <string.h>

/* --- states ------------------------------------------------------------------------------------------------------ */

/* What a stage is called: by its own state, and that of its run or of its growth. Of one that has begun, the growth's
 * end says the rest. */
static const struct {
    const char *name, *help;
    enum lagd_stage_state state;
    bool run_ended;
    int growth; /* its end; LAGD_NOWHERE: whatever it is */
} words[] = {
    {"planned", "waits for its trigger, and for the stages before it", LAGD_STAGE_PLANNED, false, LAGD_NOWHERE},
    {"unreached", "its run ended before; it waits on where the run is extended or resumed", LAGD_STAGE_PLANNED, true,
     LAGD_NOWHERE},
    {"applied", "the run went on as its winner", LAGD_STAGE_BEGUN, false, LAGD_GROWTH_APPLIED},
    {"rejected", "a person declined; the run went on as it was", LAGD_STAGE_BEGUN, false, LAGD_GROWTH_REJECTED},
    {"cancelled", "its growth was withdrawn; the run went on as it was", LAGD_STAGE_BEGUN, false,
     LAGD_GROWTH_CANCELLED},
    {"failed", "no candidate could win; the run went on as it was", LAGD_STAGE_BEGUN, false, LAGD_GROWTH_FAILED},
    {"under_way", "its growth waits, is probed, awaits approval or is applied", LAGD_STAGE_BEGUN, false, LAGD_NOWHERE},
    {"skipped", "its trigger fired, and the run could not grow so; it went on as it was", LAGD_STAGE_SKIPPED, false,
     LAGD_NOWHERE},
};

static const char *word_choice(int i, const char **ret_help) {
    if (i >= (int)LAG_COUNT(words)) return NULL;
    *ret_help = words[i].help;
    return words[i].name;
}

struct stage_view {
    const struct lagd_plan_view *plan;
    const struct lag_stage_row *row;
    const char *state;
    struct lagd_stage_request request;
    struct lag_growth_row growth;
};

static const char *find_word(const struct stage_view *view) {
    const bool ended = lagd_state_has_ended(LAGD_MACHINE_RUN, view->plan->run.state);
    const int growth = lagd_state_index(LAGD_MACHINE_GROWTH, view->growth.state);
    for (size_t i = 0; i < LAG_COUNT(words); i++) {
        if (!lagd_stage_is(view->row->state, words[i].state)) continue;
        if (words[i].state == LAGD_STAGE_PLANNED ? words[i].run_ended == ended
                                                 : words[i].growth == LAGD_NOWHERE || words[i].growth == growth)
            return words[i].name;
    }
    return view->row->state;
}

/* --- pools ------------------------------------------------------------------------------------------------------- */

static void write_rules(struct lagd_json *json, const struct lagd_strategy_request *rules) {
    if (rules->optimizer[0]) lagd_json_text(json, "optimizer", rules->optimizer);
    if (rules->lr[0]) lagd_json_text(json, "lr", rules->lr);
    if (rules->rewarm_steps >= 0) lagd_json_int(json, "rewarm_steps", rules->rewarm_steps);
    if (rules->freeze_old == LAGD_FREEZE_KEEP) lagd_json_text(json, "freeze_old", "keep");
    if (rules->freeze_old >= 0) lagd_json_int(json, "freeze_old", rules->freeze_old);
    if (rules->seed >= 0) lagd_json_int(json, "seed", rules->seed);
}

/* One that was given as a text, which says all, is told so. */
static int write_text(struct lagd_json *json, const struct lagd_strategy_request *strategy, struct lag_error *err) {
    struct lag_strbuf text = LAG_STRBUF_INIT;
    lag_strbuf_append(&text, strategy->op);
    for (int i = 0; i < strategy->n_params; i++)
        lag_strbuf_printf(&text, " %s=%.17g", strategy->params[i].name, strategy->params[i].value);
    if (strategy->with[0]) lag_strbuf_printf(&text, " with=%s", strategy->with);
    for (int i = 0; i < strategy->n_with_params; i++)
        lag_strbuf_printf(&text, " %s=%.17g", strategy->with_params[i].name, strategy->with_params[i].value);
    for (int i = 0; i < strategy->n_parents; i++)
        lag_strbuf_printf(&text, "%s%s", i ? "+" : " parents=", strategy->parents[i]);
    lag_strbuf_printf(&text, " optimizer=%s lr=%s", strategy->optimizer, strategy->lr);
    if (strncmp(strategy->lr, "rewarm", 6) == 0 && strategy->rewarm_steps >= 0)
        lag_strbuf_printf(&text, " rewarm_steps=%lld", (long long)strategy->rewarm_steps);
    if (strategy->freeze_old == LAGD_FREEZE_KEEP) lag_strbuf_append(&text, " freeze_old=keep");
    if (strategy->freeze_old > 0) lag_strbuf_printf(&text, " freeze_old=%lld", (long long)strategy->freeze_old);
    lag_strbuf_printf(&text, " seed=%lld", (long long)strategy->seed);
    const int rc = text.failed ? lag_error_set(err, LAG_EINTERNAL, "out of memory") : 0;
    if (rc == 0) lagd_json_text(json, NULL, text.data);
    lag_strbuf_deinit(&text);
    return rc;
}

static void write_params(struct lagd_json *json, const char *key, const struct lagd_strategy_param *params, int n) {
    if (n == 0) return;
    lagd_json_open_object(json, key);
    for (int i = 0; i < n; i++) lagd_json_real(json, params[i].name, params[i].value);
    lagd_json_close_object(json);
}

static int write_strategy(struct lagd_json *json, const struct lagd_strategy_request *strategy, struct lag_error *err) {
    if (strategy->whole) return write_text(json, strategy, err);
    lagd_json_open_object(json, NULL);
    lagd_json_text(json, "operator", strategy->op);
    write_params(json, "params", strategy->params, strategy->n_params);
    if (strategy->with[0]) lagd_json_text(json, "with", strategy->with);
    write_params(json, "with_params", strategy->with_params, strategy->n_with_params);
    if (strategy->n_parents > 0) lagd_json_open_array(json, "parents");
    for (int i = 0; i < strategy->n_parents; i++) lagd_json_text(json, NULL, strategy->parents[i]);
    if (strategy->n_parents > 0) lagd_json_close_array(json);
    write_rules(json, strategy);
    lagd_json_close_object(json);
    return 0;
}

static int write_pool(struct lagd_json *json, const char *key, const void *object, void *context) {
    const struct lagd_growth_request *growth = &((const struct stage_view *)object)->request.growth;
    int rc = 0;
    lagd_json_open_object(json, key);
    if (growth->pool[0]) lagd_json_text(json, "operators", growth->pool);
    else lagd_json_open_array(json, "operators");
    for (int i = 0; i < growth->n_strategies && rc == 0; i++)
        rc = write_strategy(json, &growth->strategies[i], ((const struct lagd_encoding *)context)->err);
    if (!growth->pool[0]) lagd_json_close_array(json);
    write_rules(json, &growth->rules);
    lagd_json_close_object(json);
    return rc;
}

/* --- stages ------------------------------------------------------------------------------------------------------ */

static int write_trigger(struct lagd_json *json, const char *key, const void *object, void *context) {
    const struct lagd_trigger *trigger = &((const struct stage_view *)object)->request.trigger;
    lagd_json_open_object(json, key);
    lagd_write_fields(json, &lagd_trigger_fields, trigger, trigger->kind);
    lagd_json_close_object(json);
    return 0;
}

#define REQUEST "target,probe,mode,allow_none,audit,reason"

static int write_request(struct lagd_json *json, const char *key, const void *object, void *context) {
    lagd_write_fields(json, &lagd_stage_fields, &((const struct stage_view *)object)->request.growth, REQUEST);
    return 0;
}

static int write_state(struct lagd_json *json, const char *key, const void *object, void *context) {
    lagd_json_text(json, key, find_word(object));
    return 0;
}

static int write_position(struct lagd_json *json, const char *key, const void *object, void *context) {
    lagd_json_int(json, key, ((const struct stage_view *)object)->row->position);
    return 0;
}
static int write_why(struct lagd_json *json, const char *key, const void *object, void *context) {
    lagd_json_text_or_null(json, key, ((const struct stage_view *)object)->row->reason);
    return 0;
}
static int write_step(struct lagd_json *json, const char *key, const void *object, void *context) {
    const struct lag_stage_row *row = ((const struct stage_view *)object)->row;
    if (row->fired_step >= 0) lagd_json_int(json, key, row->fired_step);
    else lagd_json_null(json, key);
    return 0;
}
static int write_growth(struct lagd_json *json, const char *key, const void *object, void *context) {
    lagd_json_text_or_null(json, key, ((const struct stage_view *)object)->row->growth_id);
    return 0;
}
static int write_begun_at(struct lagd_json *json, const char *key, const void *object, void *context) {
    lagd_json_time(json, key, ((const struct stage_view *)object)->row->fired_ms);
    return 0;
}

static const struct lagd_member stage_members[] = {
    LAGD_WRITTEN("position", "c", write_position, "Its number, from 1."),
    {.name = "state", .type = "s", .write = write_state, .choice = word_choice},
    LAGD_WRITTEN("why", "s?", write_why, "Why it was begun or skipped; null before."),
    LAGD_WRITTEN("step", "i?", write_step, "Where that was."),
    LAGD_WRITTEN("begun_at", "t?", write_begun_at, "When that was."),
    LAGD_WRITTEN("growth", "s?", write_growth, "Id of its growth, once it has begun."),
    LAGD_WRITTEN("trigger", "o", write_trigger, "When it begins, as it was asked for, or as the lengths say."),
    LAGD_WRITTEN("pool", "o", write_pool, "What its growth chooses from, as a PoolRequest."),
    {.fields = &lagd_stage_fields, .only = REQUEST, .write = write_request},
};
static const struct lagd_schema stage_schema = LAGD_SCHEMA("Stage", stage_members);

static int write_stage(struct lagd_json *json, struct stage_view *view, struct lagd_encoding *encoding) {
    memset(&view->growth, 0, sizeof(view->growth));
    if (view->row->growth_id[0]) (void)lag_growth_get(encoding->db, view->row->growth_id, &view->growth, NULL);
    int rc = lagd_stage_request_of(view->row, &view->request, encoding->err);
    return rc == 0 ? lagd_write_object(json, NULL, &stage_schema, view, encoding) : rc;
}

static int write_stages(struct lagd_json *json, const char *key, const void *object, void *context) {
    const struct lagd_plan_view *plan = object;
    struct lagd_encoding *encoding = context;
    const struct lag_stage_row *rows = plan->stages.rows;
    LAG_CLEANUP(lag_free_p) struct stage_view *view = lag_calloc(1, sizeof(*view));
    if (!view) return lag_error_set(encoding->err, LAG_EINTERNAL, "out of memory");
    int rc = 0;
    view->plan = plan;
    lagd_json_open_array(json, key);
    for (size_t i = 0; i < plan->stages.n && rc == 0; i++) {
        view->row = &rows[i];
        rc = write_stage(json, view, encoding);
    }
    lagd_json_close_array(json);
    return rc;
}

/* --- the plan ---------------------------------------------------------------------------------------------------- */

static const struct lagd_member length_members[] = {
    LAGD_MEMBER(struct lag_plan_row, "prop_alpha", "n", alpha, NULL),
    LAGD_MEMBER(struct lag_plan_row, "steps", "i", steps, "Of all shapes together."),
};
static const struct lagd_schema lengths_schema = LAGD_SCHEMA("PlanLengths", length_members);

static int write_lengths(struct lagd_json *json, const char *key, const void *object, void *context) {
    const struct lag_plan_row *plan = &((const struct lagd_plan_view *)object)->plan;
    if (plan->steps > 0) return lagd_write_object(json, key, &lengths_schema, plan, NULL);
    lagd_json_null(json, key);
    return 0;
}

#define PLAN(name, type, member, help) LAGD_MEMBER(struct lagd_plan_view, name, type, member, help)
static const struct lagd_member plan_members[] = {
    PLAN("run", "s", run.id, "Id of its run."),
    LAGD_WRITTEN_OF("stages", "[@]", &stage_schema, write_stages, "In order; none: the run has no plan."),
    LAGD_WRITTEN_OF("lengths", "@?", &lengths_schema, write_lengths, "What the triggers were made of; null: each was "
                    "given."),
    PLAN("start_step", "i", plan.start_step, "Where the run was when the plan was set."),
    PLAN("revision", "i", plan.revision, "Grows with every change."),
    PLAN("created_at", "t?", plan.created_ms, NULL),
    PLAN("updated_at", "t?", plan.updated_ms, NULL),
};
const struct lagd_schema lagd_plan_schema = LAGD_SCHEMA("Plan", plan_members);
