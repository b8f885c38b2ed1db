/* doctor: checks from the outside in, each with what was found and how to mend it. */
#include "ctl_internal.h"
#include "draw_internal.h"

#include <lagd/base/check.h>
#include <lagd/base/clock.h>
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define SKEW_LIMIT_S 5.0

struct doctor {
    struct ctl *ctl;
    json_t *results;
    int n_failed;
    json_t *version, *system, *config, *ready;
    char date[64];
};

enum verdict { GOOD, WARNING, BAD };

static void __attribute__((format(printf, 5, 6)))
note(struct doctor *doctor, const char *check, enum verdict verdict, const char *fix, const char *format, ...) {
    static const char *const names[] = {"ok", "warning", "fail"};
    char found[512];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(found, sizeof(found), format, arguments);
    va_end(arguments);
    json_t *row = json_pack("{s:s, s:s, s:s, s:s}", "check", check, "state", names[verdict], "found", found, "fix",
                            verdict == GOOD ? "" : fix);
    if (row) (void)json_array_append_new(doctor->results, row);
    doctor->n_failed += verdict == BAD;
}

/* Asks and keeps quiet; the answer's JSON or NULL. */
static json_t *look(struct doctor *doctor, const char *path, bool is_root, struct ctl_answer *answer) {
    struct ctl_request request = {.method = "GET", .path = path, .is_root = is_root, .timeout_ms = 10000};
    ctl_send(doctor->ctl->client, &request, answer);
    return answer->failure == 0 ? json_loadb(answer->body.data, answer->body.length, 0, NULL) : NULL;
}

static void explain_socket(struct doctor *doctor, const char *path, const char *reason) {
    struct stat info;
    if (stat(path, &info) != 0)
        note(doctor, "connection", BAD,
             "start the daemon: systemctl start lagd, or lagd --socket PATH; or name the "
             "right socket by --socket",
             "%s: %s", path, strerror(errno));
    else if (!S_ISSOCK(info.st_mode))
        note(doctor, "connection", BAD, "name the right socket by --socket", "%s is no socket", path);
    else if (access(path, R_OK | W_OK) != 0)
        note(doctor, "connection", BAD, "join the socket's group: adduser YOU lagd, then log in again",
             "%s: you may not use it", path);
    else
        note(doctor, "connection", BAD, "nothing listens behind the socket: start the daemon: systemctl start lagd",
             "%s", reason);
}

/* false: nothing more can be asked. */
static bool check_connection(struct doctor *doctor) {
    const struct ctl_place *place = ctl_client_place(doctor->ctl->client);
    struct ctl_answer answer;
    doctor->ready = look(doctor, "/readyz", true, &answer);
    bool reached = answer.failure == 0;
    (void)snprintf(doctor->date, sizeof(doctor->date), "%s", answer.date);
    if (reached)
        note(doctor, "connection", GOOD, "", "%s answers", *place->socket ? place->socket : place->url);
    else if (*place->socket)
        explain_socket(doctor, place->socket, answer.reason);
    else
        note(doctor, "connection", BAD,
             "start the daemon: systemctl start lagd, or lagd --listen ADDRESS:PORT; or name "
             "the right address by --host",
             "%s", answer.reason);
    ctl_answer_deinit(&answer);
    return reached;
}

static bool check_access(struct doctor *doctor) {
    struct ctl_answer answer;
    doctor->version = look(doctor, "/version", false, &answer);
    bool allowed = answer.status == 200 && ctl_json_at(doctor->version, "version");
    if (answer.status == 401)
        note(doctor, "access", BAD, "give the daemon's token: --token-file FILE, or LAGD_TOKEN_FILE",
             "the daemon wants a token");
    else if (!allowed)
        note(doctor, "access", BAD, "is this address a lagd? Look at its log", "/version answers with status %ld",
             answer.status);
    else
        note(doctor, "access", GOOD, "", "allowed");
    ctl_answer_deinit(&answer);
    return allowed;
}

static void check_version(struct doctor *doctor) {
    const char *theirs = ctl_json_text(doctor->version, "version");
    bool same = strcmp(theirs, LAGD_VERSION) == 0;
    note(doctor, "version", same ? GOOD : WARNING, "install lagctl and lagd of one version, and restart the daemon",
         "lagctl %s, lagd %s", LAGD_VERSION, theirs);
}

static void check_ready(struct doctor *doctor) {
    const char *name;
    json_t *check;
    json_object_foreach(json_object_get(doctor->ready, "checks"), name, check) {
        bool good = json_is_true(json_object_get(check, "ok"));
        if (!good)
            note(doctor, "readiness", BAD, "look at the daemon's log: journalctl -u lagd", "%s: %s", name,
                 ctl_json_text(check, "detail"));
    }
    if (strcmp(ctl_json_text(doctor->ready, "status"), "ready") == 0) note(doctor, "readiness", GOOD, "", "ready");
}

static void check_disk(struct doctor *doctor) {
    double available = ctl_json_number(doctor->system, "disk.free_bytes");
    double least = ctl_json_number(doctor->config, "storage.min_free_bytes");
    char text[16], limit[16];
    ctl_bytes_text(available, text);
    ctl_bytes_text(least, limit);
    enum verdict verdict = !(available >= least) ? BAD : available < 4 * least ? WARNING : GOOD;
    note(doctor, "disk", verdict, "free space, or keep fewer checkpoints (storage/keep_checkpoints)",
         "%s free in %s; below %s nothing is written", text, ctl_json_text(doctor->config, "storage.state_dir"), limit);
}

static void check_memory(struct doctor *doctor) {
    double available = ctl_json_number(doctor->system, "memory.admission_bytes");
    double reserve = ctl_json_number(doctor->config, "train.memory_reserve_bytes");
    char text[16], kept[16];
    ctl_bytes_text(available, text);
    ctl_bytes_text(reserve, kept);
    note(doctor, "memory", available > 0 ? GOOD : WARNING,
         "end other programs or runs, or raise train/memory_limit_bytes", "%s for further runs, %s kept free", text,
         kept);
}

/* sqlite.org/wal.html, "The WAL-Reset Bug": 3.7.0 to 3.51.2 with more than one writing connection; lagd has one. */
static void check_sqlite(struct doctor *doctor) {
    const char *text = ctl_json_text(doctor->version, "libraries.sqlite");
    int major = 0, minor = 0, patch = 0;
    bool known = sscanf(text, "%d.%d.%d", &major, &minor, &patch) >= 2;
    int number = major * 1000000 + minor * 1000 + patch;
    bool old = known && number < 3040000, affected = known && number < 3051003;
    note(doctor, "sqlite", !known || old ? WARNING : GOOD, "install SQLite 3.40 or newer", "%s%s",
         known ? text : "unknown", affected ? "; let no other program write to lagd.db while lagd runs" : "");
}

static void check_blas(struct doctor *doctor) {
    const char *fingerprint = ctl_json_text(doctor->version, "fingerprint");
    bool openmp = strstr(fingerprint, "openmp") || strstr(fingerprint, "OPENMP") || strstr(fingerprint, "OpenMP");
    note(doctor, "arithmetic",
         openmp         ? BAD
         : *fingerprint ? GOOD
                        : WARNING,
         "install libopenblas-pthread-dev and build lagd again", "%s", *fingerprint ? fingerprint : "unknown");
}

static void check_clock(struct doctor *doctor) {
    struct tm time = {0};
    const char *end = strptime(doctor->date, "%a, %d %b %Y %H:%M:%S GMT", &time);
    double skew = end ? (double)timegm(&time) - 1e-3 * (double)lag_clock_wall_ms() : 0;
    bool wrong_year = lag_clock_wall_ms() < INT64_C(1767225600000); /* 2026: before lagd was written */
    if (!end)
        note(doctor, "clock", WARNING, "is there a proxy between?", "the daemon tells no time");
    else if (fabs(skew) > SKEW_LIMIT_S)
        note(doctor, "clock", WARNING, "let both machines keep time: timedatectl set-ntp true",
             "the daemon's clock is %.0f s %s", fabs(skew), skew > 0 ? "ahead" : "behind");
    else
        note(doctor, "clock", wrong_year ? WARNING : GOOD, "set the clock: timedatectl set-ntp true",
             wrong_year ? "the year is too early" : "agrees with the daemon's");
}

static int show(struct doctor *doctor) {
    struct ctl *ctl = doctor->ctl;
    struct lag_strbuf out = LAG_STRBUF_INIT;
    json_t *list = json_pack("{s:O}", "items", doctor->results), *row;
    size_t i;
    int status = CTL_OK;
    if (ctl->form != CTL_FORM_TABLE) {
        status = ctl_print(ctl, ctl->call->command->view, list);
        json_decref(list);
        return status;
    }
    json_array_foreach(doctor->results, i, row) {
        const char *state = ctl_json_text(row, "state"), *colour = ctl_term_colour(ctl->term.colour, state);
        lag_strbuf_printf(&out, "%s%-8s%s", colour, state, *colour ? "\033[0m" : "");
        lag_strbuf_printf(&out, "%-11s ", ctl_json_text(row, "check"));
        ctl_say(&out, "{found}\n", row);
        if (*ctl_json_text(row, "fix")) ctl_say(&out, "                    fix: {fix}\n", row);
    }
    json_decref(list);
    return ctl_put(&out);
}

int ctl_cmd_doctor(struct ctl *ctl) {
    static void (*const checks[])(struct doctor *) = {check_version, check_ready, check_disk, check_memory,
                                                      check_sqlite,  check_blas,  check_clock};
    struct doctor doctor = {.ctl = ctl, .results = json_array()};
    struct ctl_answer answer;
    bool reached = check_connection(&doctor), allowed = reached && check_access(&doctor);
    if (allowed) {
        doctor.system = look(&doctor, "/system", false, &answer);
        ctl_answer_deinit(&answer);
        doctor.config = look(&doctor, "/config", false, &answer);
        ctl_answer_deinit(&answer);
        for (size_t i = 0; i < LAG_COUNT(checks); i++) checks[i](&doctor);
    }
    int status = show(&doctor);
    json_decref(doctor.results);
    json_decref(doctor.version);
    json_decref(doctor.system);
    json_decref(doctor.config);
    json_decref(doctor.ready);
    return status != CTL_OK  ? status
           : !reached        ? CTL_UNREACHABLE
           : !allowed        ? CTL_AUTH
           : doctor.n_failed ? CTL_FAILED
                             : CTL_OK;
}
