/* Goes through the events for each sink, and brings it what its rules ask for. */
#include "notify/notifier_internal.h"

#include <lagd/base/check.h>
#include <lagd/base/clock.h>
#include <lagd/base/error.h>
#include <lagd/base/failpoint.h>
#include <lagd/base/log.h>
#include <lagd/base/mem.h>
#include <lagd/base/strbuf.h>
#include <lagd/base/thread.h>
#include <lagd/daemon/config.h>
#include <lagd/daemon/supervisor.h>
#include <lagd/storage/events.h>
#include <lagd/storage/sinks.h>
#include <lagd/storage/store.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define MS_NS INT64_C(1000000)
#define LONG_MS 60000       /* a sink that fails for so long is told of, once */
#define KEEP_SEQS 512       /* so many events that no rule asks for are passed over before the cursor is stored */
#define KEEP_NS (INT64_C(600) * 1000 * MS_NS) /* or so much time */
#define RETRY_NS (1000 * MS_NS)               /* after a failed read of the database */
#define PAGE 64
#define STACK_BYTES ((size_t)512 << 10)

struct line {
    struct lagd_notifier *notifier;
    enum lagd_sink sink;
    pthread_t thread;
    bool started;
    struct lagd_sink_state state; /* under the lock */
    uint64_t n_seen, n_reloads;   /* of the notifier's, when it last looked; its thread's, as are all below */
    struct lag_db *db;            /* NULL: not open */
    struct lagd_config config;
    unsigned rules;
    int64_t after, stored;        /* its cursor, and what the database has of it; -1: not known */
    int64_t stored_ns;
    int n_failures;               /* in a row */
    bool told;                    /* that it fails */
};
struct lagd_notifier {
    struct lagd_supervisor *supervisor;
    struct lag_store *store;
    pthread_mutex_t lock; /* the three below, and the states */
    pthread_cond_t changed;
    uint64_t n_events, n_reloads;
    bool stopping;
    int stop_fd; /* readable once it stops */
    struct line lines[LAGD_N_SINKS];
};
struct page {
    int n;
    struct lag_event_row rows[PAGE];
};

/* --- states ------------------------------------------------------------------------------------------------------ */

static bool is_stopping(struct lagd_notifier *notifier) {
    (void)pthread_mutex_lock(&notifier->lock);
    bool stopping = notifier->stopping;
    (void)pthread_mutex_unlock(&notifier->lock);
    return stopping;
}

/* Until there is something new, or the time has come (INT64_MAX: never). During a pause after a failure only a reload
 * counts as new. */
static void wait_for_news(struct line *line, int64_t until_ns, bool pausing) {
    struct lagd_notifier *notifier = line->notifier;
    (void)pthread_mutex_lock(&notifier->lock);
    while (!notifier->stopping && line->n_reloads == notifier->n_reloads &&
           (pausing || line->n_seen == notifier->n_events) && lag_clock_mono_ns() < until_ns) {
        if (until_ns == INT64_MAX) (void)pthread_cond_wait(&notifier->changed, &notifier->lock);
        else (void)lag_cond_wait_until(&notifier->changed, &notifier->lock, until_ns);
    }
    (void)pthread_mutex_unlock(&notifier->lock);
}

static void note_cursor(struct line *line) {
    (void)pthread_mutex_lock(&line->notifier->lock);
    line->state.after = line->after;
    (void)pthread_mutex_unlock(&line->notifier->lock);
}

static void note_success(struct line *line) {
    (void)pthread_mutex_lock(&line->notifier->lock);
    line->state.n_delivered++;
    line->state.delivered_ms = lag_clock_wall_ms();
    line->state.failing_since_ms = line->state.next_try_ms = 0;
    (void)pthread_mutex_unlock(&line->notifier->lock);
    line->n_failures = 0;
    if (!line->told) return;
    line->told = false;
    lag_log(LAG_LOG_INFO, "notify: %s takes notifications again", lagd_sink_name(line->sink));
}

/* How long it is to be left alone. */
static int64_t note_failure(struct line *line, const struct lag_error *why) {
    const char *name = lagd_sink_name(line->sink);
    int64_t now_ms = lag_clock_wall_ms(), wait_ms = lagd_backoff_ms(++line->n_failures, (uint64_t)getpid());
    (void)pthread_mutex_lock(&line->notifier->lock);
    struct lagd_sink_state *state = &line->state;
    state->n_failed++;
    if (state->failing_since_ms == 0) state->failing_since_ms = now_ms;
    state->next_try_ms = now_ms + wait_ms;
    state->last_error_ms = now_ms;
    (void)lag_copy(state->last_error, sizeof(state->last_error), why->text);
    bool is_long = now_ms - state->failing_since_ms >= LONG_MS;
    (void)pthread_mutex_unlock(&line->notifier->lock);
    if (line->n_failures == 1) lag_log(LAG_LOG_INFO, "notify: %s is tried again: %s", name, why->text);
    if (is_long && !line->told) {
        char text[600];
        (void)snprintf(text, sizeof(text), "the %s takes no notifications since more than a minute: %.350s; they wait, "
                       "and lagctl notify tells how many", name, why->text);
        line->told = true;
        lagd_outbox_warn(line->notifier->store, text);
    }
    return wait_ms;
}

/* --- the configuration ------------------------------------------------------------------------------------------- */

/* A sink that is off has no cursor: it begins with what happens once it is on again. Nothing is written where none
 * was. */
static void forget_cursor(struct line *line) {
    struct lag_error err = {0};
    struct lag_db *db = NULL;
    int64_t after;
    int rc = lag_reader_open(lagd_supervisor_state_dir(line->notifier->supervisor), &db, &err);
    if (rc == 0) rc = lag_sink_get(db, lagd_sink_name(line->sink), &after, &err);
    lag_reader_close(db);
    if (rc == 1) rc = lagd_outbox_forget(line->notifier->store, line->sink, &err);
    if (rc < 0)
        lag_log(LAG_LOG_WARNING, "notify: how far %s got could not be forgotten: %s", lagd_sink_name(line->sink),
                err.text);
    line->after = line->stored = -1;
    note_cursor(line);
}

/* Anew after each reload: a sink that failed is tried at once. */
static void take_config(struct line *line) {
    struct lagd_notifier *notifier = line->notifier;
    (void)pthread_mutex_lock(&notifier->lock);
    bool changed = line->n_reloads != notifier->n_reloads;
    line->n_reloads = notifier->n_reloads;
    line->n_seen = notifier->n_events;
    (void)pthread_mutex_unlock(&notifier->lock);
    if (!changed) return;
    lagd_supervisor_config(notifier->supervisor, &line->config);
    (void)lagd_rules_parse(lagd_sink_rules(&line->config, line->sink), &line->rules, NULL); /* checked when loaded */
    bool on = lagd_sink_is_on(&line->config, line->sink);
    (void)pthread_mutex_lock(&notifier->lock);
    line->state.on = on;
    line->state.next_try_ms = 0;
    if (!on) line->state.failing_since_ms = 0;
    (void)pthread_mutex_unlock(&notifier->lock);
    line->n_failures = 0;
    if (!on) forget_cursor(line);
}

/* --- events ------------------------------------------------------------------------------------------------------ */

/* After one that was taken at once, else from time to time. What is not stored is told, or passed over, again. */
static void store_cursor(struct line *line, bool taken) {
    struct lag_error err = {0};
    int64_t now_ns = lag_clock_mono_ns();
    if (line->after == line->stored) return;
    if (!taken && line->after - line->stored < KEEP_SEQS && now_ns - line->stored_ns < KEEP_NS) return;
    line->stored_ns = now_ns;
    if (lagd_outbox_set(line->notifier->store, line->sink, line->after, &err) == 0) line->stored = line->after;
    else
        lag_log(LAG_LOG_WARNING, "notify: how far %s is could not be stored: %s", lagd_sink_name(line->sink),
                err.text);
}

static int deliver(struct line *line, const struct lagd_notice *notice, struct lag_error *err) {
    struct lagd_delivery delivery = {.config = &line->config, .notice = notice,
                                     .stop_fd = line->notifier->stop_fd};
    char *body = lagd_notice_json(notice, &delivery.n_body);
    if (!body) return lag_error_set(err, LAG_ENOMEM, "out of memory");
    delivery.body = body;
    int rc = lagd_deliver(line->sink, &delivery, err);
    free(body);
    return rc;
}

/* One event: told, or passed over. */
static int handle(struct line *line, const struct lag_event_row *event, struct lagd_notice *notice,
                  struct lag_error *err) {
    int rc = lagd_notice_make(line->db, line->config.dashboard_url, line->rules, event, notice, err);
    if (rc < 0) return rc;
    const bool told = rc == 0;
    if (told) {
        if ((rc = deliver(line, notice, err)) != 0) return rc;
        LAG_FP("notify.taken");
        note_success(line);
    }
    line->after = event->seq;
    store_cursor(line, told);
    note_cursor(line);
    return 0;
}

static int add_row(const struct lag_event_row *row, void *arg) {
    struct page *page = arg;
    page->rows[page->n++] = *row;
    return 0;
}

/* Events have no gaps between them, but they go after their time, whether they were told or not. */
static void look_for_gap(struct line *line, int64_t first) {
    char text[300];
    if (first <= line->after + 1) return;
    (void)snprintf(text, sizeof(text), "the %s was not told of what happened before event %" PRId64 ": events are "
                   "removed after storage/event_retention_days", lagd_sink_name(line->sink), first);
    lagd_outbox_warn(line->notifier->store, text);
    line->after = first - 1;
}

static int open_line(struct line *line, struct lag_error *err) {
    int rc = 0;
    if (!line->db) rc = lag_reader_open(lagd_supervisor_state_dir(line->notifier->supervisor), &line->db, err);
    if (rc != 0 || line->after >= 0) return rc;
    rc = lagd_outbox_open(line->notifier->store, line->sink, &line->after, err);
    if (rc != 0) return rc;
    line->stored = line->after;
    line->stored_ns = lag_clock_mono_ns();
    note_cursor(line);
    return 0;
}

/* Through all there is. *ret_handling: what fails is the sink, or what it is told of; else the database. */
static int go_through(struct line *line, struct page *page, struct lagd_notice *notice, bool *ret_handling,
                      struct lag_error *err) {
    *ret_handling = false;
    int rc = open_line(line, err);
    while (rc == 0 && !is_stopping(line->notifier)) {
        page->n = 0;
        *ret_handling = false;
        rc = lag_event_list(line->db, line->after, NULL, PAGE, add_row, page, err);
        *ret_handling = rc == 0;
        if (page->n > 0) look_for_gap(line, page->rows[0].seq);
        for (int i = 0; i < page->n && rc == 0; i++) rc = handle(line, &page->rows[i], notice, err);
        if (page->n < PAGE) break;
    }
    return rc;
}

static void close_reader(struct line *line) {
    lag_reader_close(line->db);
    line->db = NULL;
}

/* --- the threads ------------------------------------------------------------------------------------------------- */

static void work(struct line *line, struct page *page, struct lagd_notice *notice) {
    while (!is_stopping(line->notifier)) {
        struct lag_error err = {0};
        bool handling = false;
        take_config(line);
        int rc = line->state.on ? go_through(line, page, notice, &handling, &err) : 0;
        if (rc == 0) {
            wait_for_news(line, INT64_MAX, false);
        } else if (rc != LAG_ECANCELED) {
            int64_t wait_ns = handling ? note_failure(line, &err) * MS_NS : RETRY_NS;
            if (!handling) lag_log(LAG_LOG_WARNING, "notify: cannot read the events: %s", err.text);
            close_reader(line);
            wait_for_news(line, lag_clock_mono_ns() + wait_ns, true);
        }
    }
    if (line->after >= 0) store_cursor(line, true);
    close_reader(line);
}

static void run_line(void *arg) {
    struct line *line = arg;
    struct page *page = lag_calloc(1, sizeof(*page));
    struct lagd_notice *notice = lag_calloc(1, sizeof(*notice));
    if (page && notice) work(line, page, notice);
    else lag_log(LAG_LOG_ERROR, "notify: out of memory: %s is told of nothing", lagd_sink_name(line->sink));
    free(page);
    free(notice);
}

int lagd_notifier_start(struct lagd_supervisor *supervisor, struct lagd_notifier **ret, struct lag_error *err) {
    static const char *const names[LAGD_N_SINKS] = {"notify-webhook", "notify-command", "notify-journal"};
    struct lagd_notifier *notifier = lag_calloc(1, sizeof(*notifier));
    if (!notifier) return lag_error_set(err, LAG_ENOMEM, "out of memory");
    (void)pthread_mutex_init(&notifier->lock, NULL);
    lag_cond_init(&notifier->changed);
    notifier->supervisor = supervisor;
    notifier->store = lagd_supervisor_store(supervisor);
    notifier->n_reloads = 1; /* the first look takes the configuration */
    notifier->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    int rc = notifier->stop_fd >= 0 ? 0 : lag_error_errno(err, LAG_ESHORT, "cannot make an eventfd");
    for (int i = 0; i < LAGD_N_SINKS && rc == 0; i++) {
        struct line *line = &notifier->lines[i];
        line->notifier = notifier;
        line->sink = (enum lagd_sink)i;
        line->after = line->stored = line->state.after = -1;
        rc = lag_thread_start(&line->thread, names[i], STACK_BYTES, run_line, line, err);
        line->started = rc == 0;
    }
    if (rc != 0) {
        lagd_notifier_stop(notifier);
        lagd_notifier_destroy(notifier);
        return rc;
    }
    *ret = notifier;
    return 0;
}

void lagd_notifier_stop(struct lagd_notifier *notifier) {
    const uint64_t one = 1;
    if (!notifier) return;
    (void)pthread_mutex_lock(&notifier->lock);
    notifier->stopping = true;
    (void)pthread_cond_broadcast(&notifier->changed);
    (void)pthread_mutex_unlock(&notifier->lock);
    ssize_t ignored = notifier->stop_fd >= 0 ? write(notifier->stop_fd, &one, sizeof(one)) : 0;
    (void)ignored;
    for (int i = 0; i < LAGD_N_SINKS; i++) {
        if (notifier->lines[i].started) (void)pthread_join(notifier->lines[i].thread, NULL);
        notifier->lines[i].started = false;
    }
}

void lagd_notifier_destroy(struct lagd_notifier *notifier) {
    if (!notifier) return;
    if (notifier->stop_fd >= 0) (void)close(notifier->stop_fd);
    (void)pthread_cond_destroy(&notifier->changed);
    (void)pthread_mutex_destroy(&notifier->lock);
    free(notifier);
}

/* --- what others ask --------------------------------------------------------------------------------------------- */

void lagd_notifier_wake(struct lagd_notifier *notifier, bool reloaded) {
    (void)pthread_mutex_lock(&notifier->lock);
    if (reloaded) notifier->n_reloads++;
    else notifier->n_events++;
    (void)pthread_cond_broadcast(&notifier->changed);
    (void)pthread_mutex_unlock(&notifier->lock);
}

void lagd_notifier_state(struct lagd_notifier *notifier, enum lagd_sink sink, struct lagd_sink_state *ret) {
    (void)pthread_mutex_lock(&notifier->lock);
    *ret = notifier->lines[sink].state;
    (void)pthread_mutex_unlock(&notifier->lock);
}

int lagd_notifier_test(struct lagd_notifier *notifier, enum lagd_sink sink, struct lag_error *err) {
    struct lagd_config *config = lag_calloc(1, sizeof(*config));
    struct lagd_notice *notice = lag_calloc(1, sizeof(*notice));
    struct lagd_delivery delivery = {.config = config, .notice = notice, .stop_fd = notifier->stop_fd};
    char *body = NULL;
    int rc = LAG_ENOMEM;
    if (config && notice) {
        lagd_supervisor_config(notifier->supervisor, config);
        lagd_notice_test(lagd_supervisor_now_ms(notifier->supervisor), config->dashboard_url, notice);
        delivery.body = body = lagd_notice_json(notice, &delivery.n_body);
    }
    if (!body) (void)lag_error_set(err, LAG_ENOMEM, "out of memory");
    else if (!lagd_sink_is_on(config, sink)) rc = lag_error_set(err, LAG_ESTATE, "it is not configured");
    else rc = lagd_deliver(sink, &delivery, err);
    free(body);
    free(notice);
    free(config);
    return rc;
}

void lagd_notifier_write(struct lagd_notifier *notifier, struct lag_strbuf *out) {
    struct lagd_sink_state states[LAGD_N_SINKS];
    int64_t now_ms = lag_clock_wall_ms();
    for (int i = 0; i < LAGD_N_SINKS; i++) lagd_notifier_state(notifier, (enum lagd_sink)i, &states[i]);
    lag_strbuf_append(out, "# HELP lagd_notify_delivered_total Notifications that a sink has taken.\n"
                           "# TYPE lagd_notify_delivered_total counter\n");
    for (int i = 0; i < LAGD_N_SINKS; i++)
        lag_strbuf_printf(out, "lagd_notify_delivered_total{sink=\"%s\"} %" PRId64 "\n",
                          lagd_sink_name((enum lagd_sink)i), states[i].n_delivered);
    lag_strbuf_append(out, "# HELP lagd_notify_failures_total Tries in which it did not.\n"
                           "# TYPE lagd_notify_failures_total counter\n");
    for (int i = 0; i < LAGD_N_SINKS; i++)
        lag_strbuf_printf(out, "lagd_notify_failures_total{sink=\"%s\"} %" PRId64 "\n",
                          lagd_sink_name((enum lagd_sink)i), states[i].n_failed);
    lag_strbuf_append(out, "# HELP lagd_notify_failing_seconds How long a sink has taken none that wait; 0: it does.\n"
                           "# TYPE lagd_notify_failing_seconds gauge\n");
    for (int i = 0; i < LAGD_N_SINKS; i++) {
        int64_t since_ms = states[i].failing_since_ms;
        lag_strbuf_printf(out, "lagd_notify_failing_seconds{sink=\"%s\"} %.3f\n", lagd_sink_name((enum lagd_sink)i),
                          since_ms > 0 ? (double)LAG_MAX(now_ms - since_ms, 0) / 1000 : 0.0);
    }
}
