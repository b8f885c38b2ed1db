/* top: one picture a second, with the loss of each run as a sparkline. */
#include "ctl_internal.h"
#include "draw_internal.h"

#include <lagd/base/check.h>
#include <lagd/base/clock.h>
#include <math.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#define SPARK_POINTS 120
#define SPARK_WIDTH 24
#define MAX_RUNS 40

struct top {
    struct ctl *ctl;
    bool keys; /* standard input is a terminal that sends keys at once */
    struct termios before;
    int64_t last_ns;
    double last_tokens;
};

static void begin(struct top *top) {
    struct termios now;
    if (top->ctl->term.tty) (void)fputs("\033[?1049h\033[?25l", stdout); /* the other screen, no cursor */
    top->keys = isatty(STDIN_FILENO) && top->ctl->term.tty && tcgetattr(STDIN_FILENO, &top->before) == 0;
    if (!top->keys) return;
    now = top->before;
    now.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
    (void)tcsetattr(STDIN_FILENO, TCSANOW, &now);
}

static void end(struct top *top) {
    if (top->keys) (void)tcsetattr(STDIN_FILENO, TCSANOW, &top->before);
    if (top->ctl->term.tty) (void)fputs("\033[?25h\033[?1049l", stdout);
    (void)fflush(stdout);
}

static void append_spark(struct top *top, struct lag_strbuf *out, json_t *run) {
    double values[SPARK_POINTS];
    size_t n = 0, i;
    json_t *series = NULL, *value;
    if (ctl_get(top->ctl, &series, "/runs/%s/series?key=train/loss&max_points=%d", ctl_json_text(run, "id"),
                SPARK_POINTS) != CTL_OK)
        return;
    json_t *columns = json_object_get(json_object_get(series, "series"), "train/loss");
    json_array_foreach(json_object_get(columns, "last"), i, value) {
        if (n < SPARK_POINTS) values[n++] = json_is_number(value) ? json_number_value(value) : (double)NAN;
    }
    ctl_spark(out, values, n, SPARK_WIDTH, top->ctl->term.utf8);
    json_decref(series);
}

static void append_run(struct top *top, struct lag_strbuf *out, json_t *run) {
    const char *state = ctl_json_text(run, "state"), *colour = ctl_term_colour(top->ctl->term.colour, state);
    bool decide = strcmp(ctl_json_text(run, "waiting_for"), "approval") == 0;
    double step = ctl_json_number(run, "step"), of = ctl_json_number(run, "max_steps"), rate, seconds;
    char speed[16] = "", left[48] = "", losses[40];
    struct lag_strbuf name = LAG_STRBUF_INIT;
    rate = ctl_json_number(run, "latest.perf/tokens_per_s");
    seconds = ctl_json_number(run, "seconds_left");
    bool moves = strcmp(state, "running") == 0;
    if (moves && isfinite(rate)) ctl_count_text(rate, speed);
    if (isfinite(seconds)) ctl_seconds_text(seconds, left);
    ctl_say(&name, "{name}", run);
    lag_strbuf_printf(out, "%-16.16s %s%-11s%s ", name.failed ? "" : name.data, colour, decide ? "to approve" : state,
                      *colour ? "\033[0m" : "");
    ctl_bar(out, step / of, 10, top->ctl->term.utf8);
    (void)snprintf(losses, sizeof(losses), "%.4f %.4f", ctl_json_number(run, "latest.train/loss"),
                   ctl_json_number(run, "latest.val/loss"));
    for (char *nan = losses; (nan = strstr(nan, "nan"));) memcpy(nan, " - ", 3);
    lag_strbuf_printf(out, " %7.0f/%-7.0f %-14s %6s %-10s ", step, of, losses, speed, left);
    if (!top->ctl->term.width || top->ctl->term.width >= 110) append_spark(top, out, run);
    lag_strbuf_append(out, "\n");
    lag_strbuf_deinit(&name);
}

static void append_head(struct top *top, struct lag_strbuf *out, json_t *system) {
    double tokens = ctl_json_number(system, "work.tokens_total"), seconds;
    int64_t now_ns = lag_clock_mono_ns();
    char used[16], available[16], disk[16], rate[16] = "-";
    seconds = 1e-9 * (double)(now_ns - top->last_ns);
    if (top->last_ns && tokens >= top->last_tokens && seconds > 0)
        ctl_count_text((tokens - top->last_tokens) / seconds, rate);
    top->last_ns = now_ns;
    top->last_tokens = tokens;
    ctl_bytes_text(ctl_json_number(system, "memory.rss_bytes"), used);
    ctl_bytes_text(ctl_json_number(system, "memory.available_bytes"), available);
    ctl_bytes_text(ctl_json_number(system, "disk.free_bytes"), disk);
    lag_strbuf_printf(out, "lagd  %.0f threads on %.0f processors   memory %s (%s free)   disk %s free   %s tokens/s\n",
                      ctl_json_number(system, "work.n_threads"), ctl_json_number(system, "cpu.n_cpus"), used, available,
                      disk, rate);
    lag_strbuf_printf(out, "runs training %.0f   probes %.0f   waiting %.0f%s\n\n",
                      ctl_json_number(system, "work.n_runs_active"), ctl_json_number(system, "work.n_probes_active"),
                      ctl_json_number(system, "work.n_jobs_waiting"), top->keys ? "                 q quits" : "");
    lag_strbuf_printf(out, "%-16s %-11s %-10s %15s %-14s %6s %-10s %s\n", "RUN", "STATE", "", "STEP/OF       ",
                      "TRAIN  VAL", "TOK/S", "LEFT", "TRAIN LOSS");
}

static int picture(struct top *top) {
    struct lag_strbuf out = LAG_STRBUF_INIT;
    json_t *system = NULL, *runs = NULL, *run;
    size_t i, n_lines = top->ctl->term.height > 6 ? (size_t)top->ctl->term.height - 6 : MAX_RUNS;
    int status = ctl_get(top->ctl, &system, "/system");
    if (status == CTL_OK) status = ctl_get(top->ctl, &runs, "/runs?limit=%d", MAX_RUNS);
    if (status == CTL_OK) {
        if (top->ctl->term.tty) lag_strbuf_append(&out, "\033[H\033[J");
        append_head(top, &out, system);
        json_array_foreach(json_object_get(runs, "items"), i, run) {
            if (i < n_lines) append_run(top, &out, run);
        }
        status = ctl_put(&out);
    }
    json_decref(system);
    json_decref(runs);
    lag_strbuf_deinit(&out);
    return status;
}

/* true when q was pressed. */
static bool wait_key(struct top *top, int64_t ms) {
    struct pollfd fd = {.fd = STDIN_FILENO, .events = POLLIN};
    char key = 0;
    if (!top->keys) {
        (void)ctl_sleep_ms(ms);
        return false;
    }
    if (poll(&fd, 1, (int)ms) <= 0) return false;
    return read(STDIN_FILENO, &key, 1) != 1 || key == 'q' || key == 'Q' || key == 4;
}

int ctl_cmd_top(struct ctl *ctl) {
    struct top top = {.ctl = ctl};
    const char *delay = ctl_value(ctl->call, "delay");
    int64_t ms = delay ? LAG_MAX(ctl_duration_ms(delay), 100) : 1000;
    int64_t frames = ctl_value_int(ctl->call, "frames", ctl->term.tty ? INT64_MAX : 1);
    int status = CTL_OK;
    if (ctl->form != CTL_FORM_TABLE) return ctl_cmd_ps(ctl);
    begin(&top);
    while (status == CTL_OK && frames-- > 0 && !ctl_interrupted()) {
        status = picture(&top);
        if (status == CTL_OK && frames > 0 && wait_key(&top, LAG_MIN(ms, 3600000))) break;
    }
    end(&top);
    return status;
}
