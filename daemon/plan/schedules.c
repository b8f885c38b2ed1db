/* The schedules of a run that was extended. Text form, a line each: "from kind warmup_steps max_steps min_lr
 * decay_fraction restarts". */
#include "plan/schedules_internal.h"

#include "plan/run_config_internal.h"

#include <lagd/base/check.h>
#include <lagd/base/error.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static int parse_line(const char *line, struct lagd_schedule_piece *ret) {
    char kind[16];
    int restarts = 0;
    struct lag_schedule *schedule = &ret->schedule;
    int n = sscanf(line, "%" SCNd64 " %15s %" SCNd64 " %" SCNd64 " %lf %lf %d", &ret->from, kind,
                   &schedule->warmup_steps, &schedule->max_steps, &schedule->min_lr, &schedule->decay_fraction,
                   &restarts);
    ret->restarts = restarts != 0;
    return n == 7 && lag_schedule_parse(kind, &schedule->kind) == 0 ? 0 : LAG_ECORRUPT;
}

int lagd_schedules_of(const struct lag_run_row *row, const struct lagd_run_config *config, struct lagd_schedules *ret,
                      struct lag_error *err) {
    struct lag_step_config step;
    lagd_run_step_config(config, 1, &step);
    *ret = (struct lagd_schedules){.n = 1, .of = {{.schedule = step.schedule}}};
    if (!row->schedules[0]) return 0;
    ret->n = 0;
    for (const char *line = row->schedules; *line; line += strcspn(line, "\n"), line += *line == '\n') {
        if (ret->n == LAGD_SCHEDULES_MAX || parse_line(line, &ret->of[ret->n]) != 0 ||
            (ret->n == 0 ? ret->of[0].from != 0 : ret->of[ret->n].from <= ret->of[ret->n - 1].from))
            return lag_error_set(err, LAG_ECORRUPT, "the schedules of run %s cannot be read", row->id);
        ret->n++;
    }
    return 0;
}

const struct lagd_schedule_piece *lagd_schedules_at(const struct lagd_schedules *schedules, int64_t step) {
    int i = schedules->n - 1;
    while (i > 0 && schedules->of[i].from > step) i--;
    return &schedules->of[i];
}

int64_t lagd_schedule_origin(const struct lagd_schedule_piece *piece, int64_t origin) {
    return piece->restarts ? LAG_MAX(piece->from, origin) : origin;
}

int lagd_schedules_add(struct lagd_schedules *schedules, const struct lagd_schedule_piece *piece,
                       struct lag_error *err) {
    while (schedules->n > 0 && schedules->of[schedules->n - 1].from >= piece->from) schedules->n--;
    if (schedules->n == LAGD_SCHEDULES_MAX)
        return lag_error_set(err, LAG_ESTATE, "the run has been extended %d times, and no more are stored: fork it",
                             LAGD_SCHEDULES_MAX - 1);
    schedules->of[schedules->n++] = *piece;
    return 0;
}

void lagd_schedules_format(const struct lagd_schedules *schedules, char *ret) {
    size_t n = 0;
    ret[0] = '\0';
    for (int i = 0; i < schedules->n && n < LAG_ROW_SCHEDULES; i++) {
        const struct lagd_schedule_piece *piece = &schedules->of[i];
        const struct lag_schedule *schedule = &piece->schedule;
        n += (size_t)snprintf(ret + n, LAG_ROW_SCHEDULES - n,
                              "%" PRId64 " %s %" PRId64 " %" PRId64 " %.17g %.17g %d\n", piece->from,
                              lag_schedule_name(schedule->kind), schedule->warmup_steps, schedule->max_steps,
                              schedule->min_lr, schedule->decay_fraction, piece->restarts);
    }
}
