/* Runs that are paused for want of what may come back (memory, descriptors, room on the disk): they are tried again by
 * themselves, soon at first, then less often. How often is known to this process only: a new one begins anew. */
#include "records/post_internal.h"
#include "runs/runs_internal.h"

#include <lagd/base/check.h>
#include <lagd/base/error.h>
#include <lagd/base/log.h>
#include <lagd/base/mem.h>
#include <lagd/storage/runs.h>
#include <stdlib.h>
#include <string.h>

#define SECOND_NS INT64_C(1000000000)
#define FIRST_NS (2 * SECOND_NS)
#define LONGEST_NS (60 * SECOND_NS)
#define FORGET_NS (300 * SECOND_NS) /* a run that was not short for so long is as good as new */

struct lagd_retry {
    char id[LAG_ROW_ID];
    bool waits;      /* was found so when last looked */
    bool tried;      /* since it began to wait */
    int64_t wait_ns; /* before the next try */
    int64_t due_ns;
};

static struct lagd_retry *find(struct lagd_retries *retries, const char *id) {
    for (size_t i = 0; i < retries->n; i++)
        if (strcmp(retries->rows[i].id, id) == 0) return &retries->rows[i];
    return NULL;
}

static int note_waiting(const char *id, void *arg) {
    struct lagd_retries *retries = arg;
    struct lagd_retry *found = find(retries, id);
    if (!found) {
        if (lag_grow_array((void **)&retries->rows, &retries->capacity, retries->n + 1, sizeof(*retries->rows)) != 0)
            return 0; /* the next look may find room */
        found = &retries->rows[retries->n++];
        *found = (struct lagd_retry){0};
        (void)lag_copy(found->id, sizeof(found->id), id);
    }
    found->waits = true;
    return 0;
}

/* Its memory at least is there; what else it lacked is only known by trying. */
static bool has_room(struct lagd_runs *runs, const struct lag_run_row *row) {
    int64_t need = 0;
    if (lagd_admission_need(runs, row, &need, NULL) != 0) return true; /* the start tells why */
    lagd_admission_count(runs);
    return lagd_admission_check(runs, row->name, need, false, NULL) == 0;
}

static void try_again(struct lagd_runs *runs, struct lagd_retry *retry) {
    struct lag_run_row row;
    struct lag_error err = {0};
    if (lag_run_get(runs->db, retry->id, &row, NULL) != 0 || !row.waits || !has_room(runs, &row)) return;
    if (lagd_put_run_event(runs->deps, row.id, LAGD_RUN_ON_RETRIED, "tried again by itself", &err) != 0) {
        lag_log(LAG_LOG_WARNING, "run %s waits on: %s", row.id, err.text);
        return;
    }
    lag_log(LAG_LOG_INFO, "run %s (%s) is tried again; it had to wait: %s", row.id, row.name, row.reason);
    retry->tried = true;
    runs->next_schedule_ns = 0;
}

/* false: it is forgotten. */
static bool look_at(struct lagd_runs *runs, struct lagd_retry *retry, int64_t now_ns) {
    if (!retry->waits) {
        retry->tried = true;
        return now_ns < retry->due_ns + FORGET_NS;
    }
    if (retry->due_ns == 0 || retry->tried) { /* it has just begun to wait */
        retry->wait_ns = retry->due_ns == 0 ? FIRST_NS : LAG_MIN(2 * retry->wait_ns, LONGEST_NS);
        retry->due_ns = now_ns + retry->wait_ns;
        retry->tried = false;
    } else if (now_ns >= retry->due_ns) {
        retry->due_ns = now_ns + retry->wait_ns;
        try_again(runs, retry);
    }
    return true;
}

void lagd_retry_waiting(struct lagd_runs *runs, int64_t now_ns) {
    struct lagd_retries *retries = &runs->retries;
    for (size_t i = 0; i < retries->n; i++) retries->rows[i].waits = false;
    if (lag_run_list_waiting(runs->db, note_waiting, retries, NULL) != 0) return; /* looked at again in a second */
    for (size_t i = 0; i < retries->n;) {
        if (look_at(runs, &retries->rows[i], now_ns)) i++;
        else retries->rows[i] = retries->rows[--retries->n];
    }
}

void lagd_retry_deinit(struct lagd_runs *runs) {
    free(runs->retries.rows);
    runs->retries = (struct lagd_retries){0};
}
