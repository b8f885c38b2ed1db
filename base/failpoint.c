/* Failpoints of test builds: named places that die, fail or wait when LAGD_FAILPOINTS says so. */
#include <lagd/base/failpoint.h>

#include <lagd/base/log.h>
#include <lagd/base/mem.h>
#include <lagd/base/parse.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum action { ACTION_KILL, ACTION_FAIL, ACTION_SLEEP };
enum { MAX_POINTS = 32, SPEC_SIZE = 2048 };

struct point {
    const char *name;
    enum action action;
    int64_t sleep_ms, wanted_passing;
    atomic_llong n_passings;
};

/* Global by nature: any function of any thread may pass a point. The table is filled once, before its first use. */
static pthread_once_t once = PTHREAD_ONCE_INIT;
static char spec[SPEC_SIZE];
static struct point points[MAX_POINTS];
static size_t n_points;

/* "name=action@n"; cuts text into its parts. 0, or -1 when it is malformed. */
static int parse_point(char *text, struct point *point) {
    char *action = strchr(text, '=');
    if (!action || action == text) return -1;
    *action++ = '\0';
    point->name = text;
    point->wanted_passing = 1;
    char *passing = strchr(action, '@');
    if (passing) {
        *passing++ = '\0';
        if (lag_parse_i64(passing, &point->wanted_passing) != 0 || point->wanted_passing < 1) return -1;
    }
    if (strncmp(action, "sleep:", 6) == 0) {
        point->action = ACTION_SLEEP;
        return lag_parse_i64(action + 6, &point->sleep_ms);
    }
    point->action = strcmp(action, "kill") == 0 ? ACTION_KILL : ACTION_FAIL;
    return point->action == ACTION_KILL || strcmp(action, "fail") == 0 ? 0 : -1;
}

static void load(void) {
    const char *value = getenv("LAGD_FAILPOINTS");
    if (!value) return;
    if (lag_copy(spec, sizeof(spec), value) != 0) lag_log(LAG_LOG_ERROR, "LAGD_FAILPOINTS is too long and was cut");
    char *rest = spec;
    for (char *text; (text = strsep(&rest, ",")) != NULL;) {
        if (!*text) continue;
        if (n_points == MAX_POINTS || parse_point(text, &points[n_points]) != 0) {
            lag_log(LAG_LOG_ERROR, "LAGD_FAILPOINTS: ignored %s (wanted name=kill|fail|sleep:MS[@n])", text);
            continue;
        }
        n_points++;
    }
}

static int act(const struct point *point) {
    struct timespec pause = {.tv_sec = (time_t)(point->sleep_ms / 1000), .tv_nsec = point->sleep_ms % 1000 * 1000000};
    switch (point->action) {
    case ACTION_KILL: (void)kill(getpid(), SIGKILL); return 1;
    case ACTION_SLEEP: (void)nanosleep(&pause, NULL); return 0;
    case ACTION_FAIL: break;
    }
    return 1;
}

int lag_failpoint(const char *name) {
    (void)pthread_once(&once, load);
    int fail = 0;
    for (size_t i = 0; i < n_points; i++) {
        if (strcmp(points[i].name, name) != 0) continue;
        if (atomic_fetch_add(&points[i].n_passings, 1) + 1 == points[i].wanted_passing) fail |= act(&points[i]);
    }
    return fail;
}
