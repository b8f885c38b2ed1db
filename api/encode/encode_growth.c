/* Growths, candidates, strategies and decisions as JSON. */
#include "encode/encode_internal.h"

#include <lagd/base/cleanup.h>
#include <lagd/base/error.h>
#include <lagd/base/mem.h>
#include <lagd/daemon/states.h>
#include <lagd/storage/growths.h>
#include <math.h>
#include <string.h>

void lagd_write_shape(struct lagd_json *json, const char *key, const struct lag_shape *shape) {
    const char *name;
    lagd_json_open_object(json, key);
    for (int i = 0; (name = lagd_axis_name(i)) != NULL; i++) lagd_json_int(json, name, lagd_axis_get(shape, i));
    lagd_json_close_object(json);
}

void lagd_write_shapes(struct lagd_json *json, const struct lag_shape *from, const struct lag_shape *to) {
    lagd_json_int(json, "n_layer_from", from->n_layer);
    lagd_json_int(json, "n_layer_to", to->n_layer);
    lagd_write_shape(json, "from", from);
    lagd_write_shape(json, "to", to);
}

void lagd_write_strategy(struct lagd_json *json, const char *key, const char *canonical) {
    struct lagd_strategy_request strategy;
    if (lagd_strategy_decode(canonical, &strategy, NULL) < 0) {
        lagd_json_null(json, key);
        return;
    }
    lagd_json_open_object(json, key);
    lagd_json_text(json, "operator", strategy.op);
    lagd_json_open_object(json, "params");
    for (int i = 0; i < strategy.n_params; i++) lagd_json_real(json, strategy.params[i].name, strategy.params[i].value);
    lagd_json_close_object(json);
    lagd_json_text(json, "optimizer", strategy.optimizer);
    lagd_json_text(json, "lr", strategy.lr);
    if (strategy.rewarm_steps >= 0)
        lagd_json_int(json, "rewarm_steps", strategy.rewarm_steps);
    else
        lagd_json_null(json, "rewarm_steps");
    lagd_json_int(json, "seed", strategy.seed);
    lagd_json_text(json, "text", canonical);
    lagd_json_close_object(json);
}

int lagd_candidate_rank(const struct lag_candidate_row *row, const struct lag_candidate_row *all, size_t n_all,
                        bool at_lag) {
    double mine = at_lag ? row->loss_at_lag : row->loss_at_0;
    int rank = 1;
    if (!row->eligible || !isfinite(mine)) return 0;
    for (size_t i = 0; i < n_all; i++) {
        double other = at_lag ? all[i].loss_at_lag : all[i].loss_at_0;
        if (all[i].eligible && isfinite(other) && other < mine) rank++;
    }
    return rank;
}

static void write_rank(struct lagd_json *json, const char *key, int rank) {
    if (rank > 0)
        lagd_json_int(json, key, rank);
    else
        lagd_json_null(json, key);
}

/* "a, b" → ["a","b"] */
static void write_names(struct lagd_json *json, const char *names) {
    lagd_json_open_array(json, "names");
    for (const char *p = names; *p;) {
        const char *end = strstr(p, ", ");
        size_t n = end ? (size_t)(end - p) : strlen(p);
        lagd_json_text_n(json, NULL, p, n);
        p += n + (end ? 2 : 0);
    }
    lagd_json_close_array(json);
}

void lagd_write_candidate(struct lagd_json *json, const char *key, const struct lag_candidate_row *row,
                          const struct lag_candidate_row *all, size_t n_all) {
    lagd_json_open_object(json, key);
    lagd_json_text(json, "id", row->id);
    lagd_json_text(json, "growth", row->growth_id);
    lagd_json_int(json, "position", row->position);
    lagd_json_text(json, "operator", row->op);
    lagd_write_strategy(json, "strategy", row->strategy);
    write_names(json, row->names);
    lagd_json_text(json, "recipe", row->recipe);
    lagd_json_bool(json, "eligible", row->eligible);
    lagd_json_text(json, "state", row->state);
    lagd_json_text_or_null(json, "reason", row->reason);
    lagd_json_int(json, "t", row->t);
    lagd_json_int(json, "n_params", row->n_params);
    lagd_json_int(json, "rewarm_steps", row->rewarm_steps);
    lagd_json_real(json, "loss_at_0", row->loss_at_0);
    lagd_json_real(json, "loss_at_lag", row->loss_at_lag);
    write_rank(json, "rank_at_0", lagd_candidate_rank(row, all, n_all, false));
    write_rank(json, "rank", lagd_candidate_rank(row, all, n_all, true));
    lagd_json_real(json, "flops", row->flops);
    lagd_json_text_or_null(json, "checkpoint", row->checkpoint);
    lagd_json_open_object(json, "links");
    lagd_write_link(json, "self", "/api/v1/candidates/%s", row->id);
    lagd_write_link(json, "series", "/api/v1/candidates/%s/series", row->id);
    lagd_json_close_object(json);
    lagd_json_close_object(json);
}

void lagd_write_decision(struct lagd_json *json, const char *key, const struct lag_decision_row *row) {
    lagd_json_open_object(json, key);
    lagd_json_text(json, "growth", row->growth_id);
    lagd_json_text_or_null(json, "candidate", row->candidate);
    lagd_json_text_or_null(json, "pick_at_0", row->pick_at_0);
    lagd_json_text_or_null(json, "pick_at_lag", row->pick_at_lag);
    lagd_json_text_or_null(json, "runner_up", row->runner_up);
    lagd_json_real(json, "margin", row->margin);
    lagd_json_open_array(json, "margin_interval");
    lagd_json_real(json, NULL, row->margin_low);
    lagd_json_real(json, NULL, row->margin_high);
    lagd_json_close_array(json);
    lagd_json_real(json, "tau", row->tau);
    lagd_json_real(json, "tau_0", row->tau_0);
    lagd_json_real(json, "flops", row->flops);
    lagd_json_bool(json, "tied", row->tied);
    lagd_json_bool(json, "lag_short", row->lag_short);
    lagd_json_text(json, "verdict", row->verdict);
    lagd_json_text(json, "decided_by", row->decided_by);
    lagd_json_text_or_null(json, "reason", row->reason);
    lagd_json_time(json, "decided_at", row->decided_ms);
    lagd_json_close_object(json);
}

static int add_candidate(const struct lag_candidate_row *row, void *arg) { return lagd_rows_add(arg, row); }

static void write_progress(struct lagd_json *json, const struct lag_growth_row *row, const struct lagd_rows *list) {
    const struct lag_candidate_row *all = list->rows;
    int64_t done = 0, total = 0;
    for (size_t i = 0; i < list->n; i++) {
        const struct lagd_state *state = lagd_state_find(LAGD_MACHINE_CANDIDATE, all[i].state);
        bool ended = state && state->terminal;
        done += all[i].t;
        total += ended ? all[i].t : row->probe_steps; /* one that has ended takes no more steps */
    }
    lagd_json_open_object(json, "progress");
    lagd_json_int(json, "done_steps", done);
    lagd_json_int(json, "total_steps", total);
    lagd_json_close_object(json);
}

static int write_request(struct lagd_json *json, const struct lag_growth_row *row, struct lag_error *err) {
    LAG_CLEANUP(lag_free_p) struct lagd_growth_request *request = lag_calloc(1, sizeof(*request));
    if (!request) return lag_error_set(err, LAG_EINTERNAL, "out of memory");
    int status = lag_fields_parse(&lagd_growth_fields, request, row->request, err);
    if (status == 0) lagd_write_fields(json, &lagd_growth_fields, request, "target,when,probe,allow_none");
    return status;
}

int lagd_write_growth(struct lagd_json *json, const char *key, const struct lag_growth_row *row, struct lag_db *db,
                      struct lag_error *err) {
    const struct lagd_state *state = lagd_state_find(LAGD_MACHINE_GROWTH, row->state);
    struct lagd_rows list = LAGD_ROWS_INIT(struct lag_candidate_row);
    struct lag_decision_row decision;
    struct lag_error ignored;
    lagd_json_open_object(json, key);
    lagd_json_text(json, "id", row->id);
    lagd_json_text(json, "run", row->run_id);
    lagd_json_text(json, "state", row->state);
    lagd_json_text_or_null(json, "reason", row->reason);
    lagd_json_text(json, "mode", row->mode);
    int status = write_request(json, row, err);
    lagd_write_shapes(json, &row->from, &row->to);
    if (row->start_step >= 0)
        lagd_json_int(json, "start_step", row->start_step);
    else
        lagd_json_null(json, "start_step");
    lagd_json_text_or_null(json, "parent_checkpoint", row->parent_checkpoint);
    lagd_json_real(json, "parent_loss", row->parent_loss);
    lagd_json_int(json, "n_batches", row->n_batches);
    lagd_json_int(json, "eval_sequences", row->eval_sequences);
    if (status == 0) status = lag_candidate_list(db, row->id, add_candidate, &list, err);
    write_progress(json, row, &list);
    lagd_json_open_array(json, "candidates");
    for (size_t i = 0; i < list.n; i++)
        lagd_write_candidate(json, NULL, (struct lag_candidate_row *)list.rows + i, list.rows, list.n);
    lagd_json_close_array(json);
    lagd_rows_deinit(&list);
    if (lag_decision_get(db, row->id, &decision, &ignored) == 0)
        lagd_write_decision(json, "decision", &decision);
    else
        lagd_json_null(json, "decision");
    lagd_json_list(json, "allowed_actions", state ? state->actions : "");
    lagd_json_open_object(json, "links");
    lagd_write_link(json, "self", "/api/v1/growths/%s", row->id);
    lagd_write_link(json, "run", "/api/v1/runs/%s", row->run_id);
    lagd_write_link(json, "candidates", "/api/v1/growths/%s/candidates", row->id);
    lagd_write_link(json, "ranking", "/api/v1/growths/%s/ranking", row->id);
    lagd_write_link(json, "report", "/api/v1/growths/%s/report", row->id);
    lagd_write_link(json, "events", "/api/v1/events?run=%s", row->run_id);
    lagd_json_close_object(json);
    lagd_json_int(json, "revision", row->revision);
    lagd_json_time(json, "created_at", row->created_ms);
    lagd_json_time(json, "updated_at", row->updated_ms);
    lagd_json_close_object(json);
    return status;
}
