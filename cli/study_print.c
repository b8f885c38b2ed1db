/* Studies and their plans for people. */
#include <lagd/base/strbuf.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "ctl_internal.h"
#include "draw_internal.h"

#define BAR_WIDTH 32

static const struct ctl_column runs[] = {
    {"SEED", "seed", CTL_INT},      {"TRAINED", "trained", CTL_TEXT}, {"RUN", "run_name", CTL_TEXT},
    {"STATE", "run_state", CTL_STATE}, {"GROWTH", "growth", CTL_TEXT},  {"DONE", "percent", CTL_TEXT},
    {NULL, NULL, 0}};
static const struct ctl_column plans[] = {{"CANDIDATE", "names", CTL_TEXT},
                                          {"PARAMS", "n_params", CTL_COUNT},
                                          {"FLOPS", "flops", CTL_COUNT},
                                          {"RANKED", "eligible", CTL_TEXT},
                                          {NULL, NULL, 0}};

void ctl_append_study_done(struct lag_strbuf *out, json_t *study, double seconds_left, bool utf8) {
    const double done = ctl_json_number(study, "done");
    char left[48];
    ctl_bar(out, done, BAR_WIDTH, utf8);
    lag_strbuf_printf(out, " %.0f %%", floor(100 * done));
    if (!isfinite(seconds_left)) return;
    ctl_seconds_text(seconds_left, left);
    lag_strbuf_printf(out, ", about %s left", left);
}

static void append_runs(struct lag_strbuf *out, struct ctl *ctl, json_t *study) {
    json_t *items = json_object_get(study, "runs"), *item;
    char text[16];
    size_t i;
    json_array_foreach(items, i, item) {
        const bool scratch = strcmp(ctl_json_text(item, "role"), "scratch") == 0;
        (void)snprintf(text, sizeof(text), "%.0f %%", floor(100 * ctl_json_number(item, "done")));
        (void)json_object_set_new(item, "percent", json_string(text));
        (void)json_object_set_new(item, "trained", json_string(scratch ? "from scratch" : "all candidates"));
    }
    ctl_table(out, runs, items, ctl->term.utf8, ctl->term.colour, ctl->term.width);
}

int ctl_print_study(struct ctl *ctl, json_t *study) {
    struct lag_strbuf out = LAG_STRBUF_INIT;
    ctl_say(&out, "study     {name}\nid        {id}\nstate     {state}", study);
    if (*ctl_json_text(study, "reason")) ctl_say(&out, ": {reason}", study);
    if (ctl_json_at(study, "audit_of")) ctl_say(&out, "\naudits    growth {audit_of}, priority {priority}", study);
    ctl_say(&out, "\nparent    {parent.name} at step {parent.step}\ngrows to  {grows_to}, then {horizon} "
            "steps\n", study);
    lag_strbuf_printf(&out, "of        %zu candidates, %zu seeds; delta %g\ndone      ",
                      json_array_size(json_object_get(study, "pool")), json_array_size(json_object_get(study, "seeds")),
                      ctl_json_number(study, "delta"));
    ctl_append_study_done(&out, study, (double)NAN, ctl->term.utf8);
    lag_strbuf_append(&out, "\n\n");
    append_runs(&out, ctl, study);
    if (*ctl_json_text(study, "reading")) {
        lag_strbuf_append(&out, "\n");
        ctl_clean(&out, ctl_json_text(study, "reading"), true);
        lag_strbuf_append(&out, "\n");
    }
    return ctl_put(&out);
}

int ctl_print_study_plan(struct ctl *ctl, json_t *plan) {
    struct lag_strbuf out = LAG_STRBUF_INIT;
    char time[48], memory[16], disk[16], flops[16];
    ctl_seconds_text(ctl_json_number(plan, "seconds_guess"), time);
    ctl_bytes_text(ctl_json_number(plan, "memory_bytes"), memory);
    ctl_bytes_text(ctl_json_number(plan, "disk_bytes"), disk);
    ctl_count_text(ctl_json_number(plan, "flops_total"), flops);
    ctl_table(&out, plans, json_object_get(plan, "candidates"), ctl->term.utf8, ctl->term.colour, ctl->term.width);
    ctl_say(&out, "\nfrom step {start_step} to {max_steps}, {n_runs} runs for {n_seeds} seeds\n", plan);
    lag_strbuf_printf(&out, "takes about %s, %s of memory at most, %s of disk, %s FLOPs\n",
                      isfinite(ctl_json_number(plan, "seconds_guess")) ? time : "an unknown time", memory, disk, flops);
    return ctl_put(&out);
}
