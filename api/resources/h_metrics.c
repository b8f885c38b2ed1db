/* /metrics in the Prometheus text format 0.0.4. */
#include "notify/notifier_internal.h"
#include "request/counters_internal.h"
#include "resources/handlers_internal.h"
#include "stream/hub_internal.h"

#include <lagd/base/check.h>
#include <lagd/base/fs.h>
#include <lagd/base/host.h>
#include <lagd/base/log.h>
#include <lagd/daemon/states.h>
#include <lagd/storage/runs.h>
#include <lagd/storage/series.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>

#define RUNS_MAX 20 /* with a series of their own: labels stay few */

static void metric(struct lag_strbuf *out, const char *name, const char *type, const char *help, double value) {
    lag_strbuf_printf(out, "# HELP %s %s\n# TYPE %s %s\n%s %.17g\n", name, help, name, type, name, value);
}

static void write_process(struct lag_strbuf *out, const struct lagd_status *now) {
    metric(out, "process_resident_memory_bytes", "gauge", "Resident memory.", (double)lag_host_rss_bytes());
    metric(out, "process_cpu_seconds_total", "counter", "User and system time.", lag_host_cpu_seconds());
    metric(out, "process_start_time_seconds", "gauge", "Start, in seconds since 1970.", (double)now->started_ms / 1000);
    metric(out, "lagd_log_lines_lost_total", "counter", "Log lines lost, as the log's reader stood still or was gone.",
           (double)lag_log_n_lost());
}

static void write_work(struct lag_strbuf *out, const struct lagd_status *now) {
    metric(out, "lagd_compute_threads", "gauge", "Compute threads.", now->n_threads);
    metric(out, "lagd_compute_slots_used", "gauge", "Compute threads in use.", now->n_slots_used);
    metric(out, "lagd_train_steps_total", "counter", "Training steps of all runs.", (double)now->steps_total);
    metric(out, "lagd_train_tokens_total", "counter", "Training tokens of all runs.", (double)now->tokens_total);
    metric(out, "lagd_train_step_seconds_total", "counter", "Time in training steps.", now->step_seconds_total);
    metric(out, "lagd_probe_steps_total", "counter", "Training steps of all candidates.",
           (double)now->probe_steps_total);
    metric(out, "lagd_probe_seconds_total", "counter", "Time in probes.", now->probe_seconds_total);
    metric(out, "lagd_probes_active", "gauge", "Candidates that train now.", now->n_probes_active);
    metric(out, "lagd_probe_queue_length", "gauge", "Jobs that wait for a worker.", now->n_jobs_waiting);
    metric(out, "lagd_growth_decisions_total", "counter", "Growths decided.", (double)now->decisions_total);
    metric(out, "lagd_rollbacks_total", "counter", "Returns to a checkpoint after a value that was not finite.",
           (double)now->rollbacks_total);
    metric(out, "lagd_determinism_mismatches_total", "counter", "Recomputed values that differ from the stored ones.",
           (double)now->mismatches_total);
    metric(out, "lagd_checkpoints_total", "counter", "Checkpoints written.", (double)now->checkpoints_total);
    metric(out, "lagd_checkpoint_bytes_total", "counter", "Bytes of checkpoints written.",
           (double)now->checkpoint_bytes_total);
    metric(out, "lagd_checkpoint_seconds_total", "counter", "Time in writing checkpoints.",
           now->checkpoint_seconds_total);
    metric(out, "lagd_commands_total", "counter", "Commands worked off.", (double)now->commands_total);
    metric(out, "lagd_memory_limit_bytes", "gauge", "Memory that runs may take together.",
           (double)now->memory_limit_bytes);
    metric(out, "lagd_memory_reserved_bytes", "gauge", "Memory reserved by runs.", (double)now->memory_reserved_bytes);
}

static void write_storage(struct lag_strbuf *out, const char *dir, const struct lagd_status *now) {
    uint64_t free_bytes = 0;
    metric(out, "lagd_db_queue_length", "gauge", "Points that wait to be committed.", (double)now->store_queue);
    metric(out, "lagd_db_sweeping", "gauge", "1 while rows of deleted runs, old events and old keys are being removed.",
           now->store_sweeps);
    metric(out, "lagd_db_swept_rows_total", "counter", "Such rows removed.", (double)now->store_swept_total);
    metric(out, "lagd_db_size_bytes", "gauge", "Size of the database.", (double)lag_store_db_bytes(dir));
    metric(out, "lagd_wal_size_bytes", "gauge", "Size of the write-ahead log.", (double)lag_store_wal_bytes(dir));
    if (lag_fs_free_bytes(dir, &free_bytes, NULL) == 0) {
        metric(out, "lagd_disk_free_bytes", "gauge", "Free space beside the state directory.", (double)free_bytes);
    }
}

struct run_counts {
    size_t n_states, counts[16], n_named;
    const struct lagd_state *states;
    struct {
        char id[LAG_ROW_ID], name[LAG_ROW_NAME];
        int64_t step;
    } named[RUNS_MAX];
};

static int count_run(const struct lag_run_row *row, void *arg) {
    struct run_counts *counts = arg;
    for (size_t i = 0; i < counts->n_states; i++) {
        if (strcmp(counts->states[i].name, row->state) != 0) continue;
        counts->counts[i]++;
        if (!counts->states[i].live || counts->n_named == RUNS_MAX) continue;
        size_t n = counts->n_named++;
        memcpy(counts->named[n].id, row->id, sizeof(row->id));
        memcpy(counts->named[n].name, row->name, sizeof(row->name));
        counts->named[n].step = row->step;
    }
    return 0;
}

static int write_runs(struct lagd_request *request, struct lag_strbuf *out) {
    struct lag_db *db;
    struct run_counts counts = {0};
    struct lag_series_row series;
    struct lag_error err;
    counts.states = lagd_states(LAGD_MACHINE_RUN, &counts.n_states);
    counts.n_states = LAG_MIN(counts.n_states, LAG_COUNT(counts.counts));
    int status = lagd_request_db(request, &db);
    if (status == 0) status = lag_run_list(db, NULL, "", INT32_MAX, count_run, &counts, &request->err);
    if (status < 0) return status;
    lag_strbuf_append(out, "# HELP lagd_runs Runs by state.\n# TYPE lagd_runs gauge\n");
    for (size_t i = 0; i < counts.n_states; i++)
        lag_strbuf_printf(out, "lagd_runs{state=\"%s\"} %zu\n", counts.states[i].name, counts.counts[i]);
    lag_strbuf_append(out, "# HELP lagd_run_step Step of an active run.\n# TYPE lagd_run_step gauge\n");
    for (size_t i = 0; i < counts.n_named; i++)
        lag_strbuf_printf(out, "lagd_run_step{run=\"%s\"} %" PRId64 "\n", counts.named[i].name, counts.named[i].step);
    lag_strbuf_append(out,
                      "# HELP lagd_train_loss Last training loss of an active run.\n# TYPE lagd_train_loss gauge\n");
    for (size_t i = 0; i < counts.n_named; i++) {
        if (lag_series_find(db, counts.named[i].id, "train/loss", &series, &err) < 0 || !isfinite(series.last_value))
            continue;
        lag_strbuf_printf(out, "lagd_train_loss{run=\"%s\"} %.9g\n", counts.named[i].name, series.last_value);
    }
    return 0;
}

static void write_streams(struct lag_strbuf *out, struct lagd_hub *hub) {
    struct lagd_hub_counts now;
    lagd_hub_counts(hub, &now);
    metric(out, "lagd_sse_clients", "gauge", "Clients that follow events.", now.n_streams);
    metric(out, "lagd_sse_opened_total", "counter", "Clients that began to follow events.", (double)now.n_opened);
    metric(out, "lagd_sse_refused_total", "counter", "Clients refused by server/max_streams.", (double)now.n_refused);
    metric(out, "lagd_sse_events_total", "counter", "Events told to followers.", (double)now.n_events);
    metric(out, "lagd_sse_batches_total", "counter", "Batches of points told to followers.", (double)now.n_batches);
    metric(out, "lagd_sse_lagged_total", "counter", "Followers cut off as they read too slowly.", (double)now.n_lagged);
    metric(out, "lagd_sse_dead_total", "counter", "Followers found to be gone.", (double)now.n_dead);
}

/* A label's value: quotes and backslashes are escaped. */
static void append_label(struct lag_strbuf *out, const char *text) {
    for (; *text; text++) {
        if (*text == '"' || *text == '\\') lag_strbuf_append(out, "\\");
        lag_strbuf_append_n(out, text, 1);
    }
}

int lagd_h_metrics(struct lagd_request *request) {
    struct lag_strbuf out = LAG_STRBUF_INIT;
    struct lagd_status now;
    lagd_supervisor_status(request->supervisor, &now);
    lag_strbuf_append(&out, "# HELP lagd_build_info Version and numeric fingerprint.\n# TYPE lagd_build_info "
                            "gauge\nlagd_build_info{version=\"" LAGD_VERSION "\",fingerprint=\"");
    append_label(&out, now.fingerprint);
    lag_strbuf_append(&out, "\"} 1\n");
    write_process(&out, &now);
    write_work(&out, &now);
    write_storage(&out, lagd_supervisor_state_dir(request->supervisor), &now);
    write_streams(&out, request->services->hub);
    lagd_notifier_write(request->services->notifier, &out);
    int status = write_runs(request, &out);
    lagd_places_write(request->services->places, &out);
    lagd_http_counters_write(request->services->counters, &out);
    if (status < 0) {
        lag_strbuf_deinit(&out);
        return status;
    }
    size_t length = out.length;
    return lagd_answer_text(request, "text/plain; version=0.0.4; charset=utf-8", lag_strbuf_take(&out), length);
}
