/* Studies as JSON: what was asked, and how far each of their runs is. */
#include "encode/encode_internal.h"

#include <lagd/base/check.h>
#include <lagd/base/cleanup.h>
#include <lagd/base/error.h>
#include <lagd/base/mem.h>
#include <lagd/daemon/shape.h>
#include <lagd/daemon/study_request.h>
#include <lagd/storage/growths.h>
#include <lagd/storage/runs.h>
#include <lagd/storage/studies.h>
#include <math.h>
#include <string.h>

/* --- the runs of a study ----------------------------------------------------------------------------------------- */

/* A run of a study with what its rows tell. */
struct item {
    struct lag_study_run_row row;
    char name[LAG_ROW_NAME], state[LAG_ROW_STATE], reason[LAG_ROW_TEXT], growth_state[LAG_ROW_STATE];
    int64_t step, first_step;
    double done; /* of its steps, all candidates together: 0 … 1 */
};

struct sums {
    int64_t steps, n;
};

static int add_steps(const struct lag_candidate_row *row, void *arg) {
    struct sums *sums = arg;
    sums->steps += row->t;
    sums->n++;
    return 0;
}

static void look(struct lag_db *db, const struct lag_study_row *study, struct item *item) {
    struct lag_run_row run;
    struct lag_growth_row growth;
    struct sums sums = {0};
    if (item->row.run_id[0] && lag_run_get(db, item->row.run_id, &run, NULL) == 0) {
        (void)lag_copy(item->name, sizeof(item->name), run.name);
        (void)lag_copy(item->state, sizeof(item->state), run.state);
        (void)lag_copy(item->reason, sizeof(item->reason), run.reason);
        item->step = run.step;
    }
    if (strcmp(item->row.role, "candidates") != 0) {
        item->done = (double)item->step / (double)LAG_MAX(1, item->row.max_steps);
        return;
    }
    if (!item->row.growth_id[0] || lag_growth_get(db, item->row.growth_id, &growth, NULL) != 0) return;
    (void)lag_copy(item->growth_state, sizeof(item->growth_state), growth.state);
    (void)lag_candidate_list(db, growth.id, add_steps, &sums, NULL);
    const double all = (double)sums.n * (double)LAG_MAX(1, study->horizon);
    item->done = lagd_growth_is(growth.state, LAGD_GROWTH_APPLIED) ? 1 : sums.n ? (double)sums.steps / all : 0;
}

#define ITEM(name, type, member, help) LAGD_MEMBER(struct item, name, type, member, help)
static const struct lagd_member item_members[] = {
    ITEM("role", "s", row.role, "candidates: all of them, from the parent on, for this seed; scratch: the baseline."),
    ITEM("seed", "i", row.seed, NULL),
    ITEM("max_steps", "i", row.max_steps, "The step at which it ends."),
    ITEM("stage", "s", row.stage, "planned, made, grown (its growth is there), started, ended."),
    ITEM("run", "s?", row.run_id, "Id of the run; null before it is made."),
    ITEM("run_name", "s?", name, NULL),
    ITEM("run_state", "s?", state, NULL),
    ITEM("reason", "s?", reason, "Why the run is in this state."),
    ITEM("growth", "s?", row.growth_id, "Id of the growth whose candidates are trained to the horizon."),
    ITEM("growth_state", "s?", growth_state, NULL),
    ITEM("done", "n", done, "Share of its steps that are made, all candidates together."),
};
static const struct lagd_schema item_schema = LAGD_SCHEMA("StudyRun", item_members);

struct walk {
    struct lag_db *db;
    const struct lag_study_row *study;
    struct lagd_json *json;
    bool seeds;
    double done;
    int n;
};

static int write_item(const struct lag_study_run_row *row, void *arg) {
    struct walk *walk = arg;
    struct item item = {.row = *row};
    look(walk->db, walk->study, &item);
    (void)lagd_write_object(walk->json, NULL, &item_schema, &item, NULL);
    return 0;
}

static int count_item(const struct lag_study_run_row *row, void *arg) {
    struct walk *walk = arg;
    struct item item = {.row = *row};
    look(walk->db, walk->study, &item);
    walk->done += item.done;
    walk->n++;
    return 0;
}

static int write_seed(const struct lag_study_run_row *row, void *arg) {
    const struct walk *walk = arg;
    if (strcmp(row->role, "candidates") == 0) lagd_json_int(walk->json, NULL, row->seed);
    return 0;
}

static int walk_runs(struct lagd_json *json, const char *key, const void *object, void *context,
                     int (*each)(const struct lag_study_run_row *, void *)) {
    const struct lagd_encoding *encoding = context;
    struct walk walk = {.db = encoding->db, .study = object, .json = json};
    lagd_json_open_array(json, key);
    int rc = lag_study_run_list(encoding->db, walk.study->id, each, &walk, encoding->err);
    lagd_json_close_array(json);
    return rc;
}

static int write_runs(struct lagd_json *json, const char *key, const void *object, void *context) {
    return walk_runs(json, key, object, context, write_item);
}

static int write_seeds(struct lagd_json *json, const char *key, const void *object, void *context) {
    return walk_runs(json, key, object, context, write_seed);
}

static int write_done(struct lagd_json *json, const char *key, const void *object, void *context) {
    const struct lagd_encoding *encoding = context;
    struct walk walk = {.db = encoding->db, .study = object};
    int rc = lag_study_run_list(encoding->db, walk.study->id, count_item, &walk, encoding->err);
    lagd_json_real(json, key, walk.n ? walk.done / walk.n : 0);
    return rc;
}

/* --- the study --------------------------------------------------------------------------------------------------- */

static const char *study_state(int i, const char **ret_help) {
    return lagd_state_choice(LAGD_MACHINE_STUDY, i, ret_help);
}

#define ROW(name, type, member, help) LAGD_MEMBER(struct lag_study_row, name, type, member, help)
static const struct lagd_member parent_members[] = {
    ROW("run", "s", parent_run, "Id of the run."),
    ROW("name", "s", parent_name, "What it was called."),
    ROW("checkpoint", "s", parent_checkpoint, "Id of the checkpoint that all go on from."),
    ROW("step", "i", start_step, "The step of that."),
    ROW("flops", "n", parent_flops, "Spent on training it."),
};
static const struct lagd_schema parent_schema = LAGD_SCHEMA("StudyParent", parent_members);

static int write_parent(struct lagd_json *json, const char *key, const void *object, void *context) {
    return lagd_write_object(json, key, &parent_schema, object, NULL);
}

static int write_request(struct lagd_json *json, const char *key, const void *object, void *context) {
    LAG_CLEANUP(lag_free_p) struct lagd_study_request *request = lag_calloc(1, sizeof(*request));
    const struct lagd_encoding *encoding = context;
    if (!request) return lag_error_set(encoding->err, LAG_EINTERNAL, "out of memory");
    lagd_study_request_defaults(request);
    if (lag_fields_parse_to_show(&lagd_study_fields, request, ((const struct lag_study_row *)object)->request,
                                 encoding->err) < 0)
        return LAG_ECORRUPT;
    lagd_write_fields(json, &lagd_study_fields, request, "target,eval,baselines,divergence_bound,parallel,note");
    return 0;
}

static int write_grows_to(struct lagd_json *json, const char *key, const void *object, void *context) {
    LAG_CLEANUP(lag_free_p) struct lagd_study_request *request = lag_calloc(1, sizeof(*request));
    const struct lagd_encoding *encoding = context;
    char text[LAGD_SHAPE_CHANGE];
    if (!request) return lag_error_set(encoding->err, LAG_EINTERNAL, "out of memory");
    if (lag_fields_parse_to_show(&lagd_study_fields, request, ((const struct lag_study_row *)object)->request,
                                 encoding->err) < 0)
        return LAG_ECORRUPT;
    lagd_shape_words(&request->target, text);
    lagd_json_text(json, key, text);
    return 0;
}

static int write_pool(struct lagd_json *json, const char *key, const void *object, void *context) {
    const struct lag_study_row *row = object;
    lagd_json_open_array(json, key);
    for (const char *p = row->pool; *p; p += strcspn(p, "\n"), p += *p == '\n')
        lagd_json_text_n(json, NULL, p, strcspn(p, "\n"));
    lagd_json_close_array(json);
    return 0;
}

static int write_actions(struct lagd_json *json, const char *key, const void *object, void *context) {
    return lagd_write_actions(json, key, LAGD_MACHINE_STUDY, ((const struct lag_study_row *)object)->state);
}

static int write_links(struct lagd_json *json, const char *key, const void *object, void *context) {
    const struct lag_study_row *row = object;
    lagd_json_open_object(json, key);
    lagd_write_link(json, "self", "/api/v1/studies/%s", row->id);
    lagd_write_link(json, "report", "/api/v1/studies/%s/report", row->id);
    lagd_write_link(json, "parent", "/api/v1/runs/%s", row->parent_run);
    lagd_json_close_object(json);
    return 0;
}

static int write_priority(struct lagd_json *json, const char *key, const void *object, void *context) {
    lagd_json_text(json, key, ((const struct lag_study_row *)object)->priority < 0 ? "low" : "normal");
    return 0;
}

static int write_study_left(struct lagd_json *json, const char *key, const void *object, void *context) {
    const struct lagd_encoding *encoding = context;
    struct lagd_supervisor *supervisor = encoding->supervisor;
    lagd_json_real(json, key, supervisor ? lagd_supervisor_study_left(supervisor, encoding->db, object) : (double)NAN);
    return 0;
}

static const struct lagd_member study_members[] = {
    ROW("id", "s", id, NULL),
    ROW("name", "s", name, NULL),
    ROW("audit_of", "s?", growth_id, "Id of the growth whose decision it audits; null: it is no audit."),
    LAGD_WRITTEN("priority", "s", write_priority, "normal; or low, as of an audit: its runs train only while no other "
                 "run or study wants to compute."),
    LAGD_CHOICE(struct lag_study_row, "state", "s", state, study_state, NULL),
    ROW("reason", "s?", reason, "Why it is in this state, or what it waits for."),
    LAGD_WRITTEN_OF("parent", "@", &parent_schema, write_parent, NULL),
    ROW("horizon", "i", horizon, "Steps that every candidate trains after the growth."),
    ROW("delta", "n", delta, "The difference that matters, in nats."),
    {.fields = &lagd_study_fields, .only = "target,eval,baselines,divergence_bound,parallel,note",
     .write = write_request},
    LAGD_WRITTEN("grows_to", "s", write_grows_to, "The target in words."),
    LAGD_WRITTEN("seeds", "[i]", write_seeds, NULL),
    LAGD_WRITTEN("pool", "[s]", write_pool, "Its strategies as texts."),
    LAGD_WRITTEN("done", "n", write_done, "Share of all its steps that are made."),
    LAGD_WRITTEN("seconds_left", "n?", write_study_left, "Until all its runs have ended, one after the other, by the "
                 "speeds that were measured; null while it is not under way, or nothing has been measured yet."),
    LAGD_WRITTEN_OF("runs", "[@]", &item_schema, write_runs, "In the order in which they are begun."),
    LAGD_WRITTEN("allowed_actions", "[s]", write_actions, "What can be asked of it in this state."),
    LAGD_WRITTEN("links", "{s}", write_links, NULL),
    ROW("revision", "i", revision, "Grows with every change; the ETag holds it."),
    ROW("created_at", "t?", created_ms, NULL),
    ROW("updated_at", "t?", updated_ms, NULL),
};
#undef ROW
const struct lagd_schema lagd_study_schema = LAGD_SCHEMA("Study", study_members);
