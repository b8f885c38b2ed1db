/* What every command needs: the call, the client, and how to print. Thread: main. */
#pragma once
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "client_internal.h"
#include "command_internal.h"
#include "print_internal.h"
#include "term_internal.h"

struct ctl {
    const struct ctl_call *call;
    struct ctl_client *client;
    struct ctl_term term;
    enum ctl_form form;
    bool quiet;
};

/* Tells on standard error: "lagctl: …". Control characters are left out. */
void ctl_tell(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Tells why and returns the exit status. */
int ctl_fail(int exit_status, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Writes to standard output and empties the buffer. */
int ctl_put(struct lag_strbuf *out);
/* Ctrl-C and SIGTERM raise this flag; requests and sleeps end then. */
void ctl_interrupt_init(void);
bool ctl_interrupted(void);
/* false when it was interrupted. */
bool ctl_sleep_ms(int64_t ms);

/* request.c: the generic command, and its parts. */
int ctl_run_generic(struct ctl *ctl);
int ctl_path_of(struct ctl *ctl, struct lag_strbuf *ret); /* the command's path with its arguments and query */
int ctl_body_of(struct ctl *ctl, json_t **ret);           /* -f FILE and the options that send; NULL when none */
/* "stack,midas" → ["stack","midas"]; "default", "published" and "blocks" name pools. */
json_t *ctl_list_value(const char *text);
/* A list, all pages of it, up to limit items (-1: all). */
int ctl_get_all(struct ctl *ctl, const char *path, int64_t limit, json_t **ret);

/* help.c */
void ctl_help_text(struct lag_strbuf *out, const struct ctl_command *command); /* NULL: the overview */
/* The commands whose words begin with group; false when there are none. */
bool ctl_help_group(struct lag_strbuf *out, const char *group);
void ctl_help_mdoc(struct lag_strbuf *out);
/* completion.c */
void ctl_completion_bash(struct lag_strbuf *out);
void ctl_completion_zsh(struct lag_strbuf *out);

/* follow.c: events from after on, oldest first; each gets one event and may end it by a value that is not 0. */
struct ctl_follow {
    const char *run; /* or NULL */
    int64_t after;
    int64_t tail; /* only the last so many of those that are there; -1: all */
    bool follow;
    int (*each)(void *arg, json_t *event);
    void *arg;
};
int ctl_follow(struct ctl *ctl, const struct ctl_follow *what);
/* Cuts a stream into events: lines of JSON, or server-sent events. */
struct ctl_lines {
    bool sse;
    struct lag_strbuf line, data;
    char event[32];
};
/* Calls each with every event that is complete; returns its value when that is not 0, or -1 for an event that cannot
 * be read. Server-sent events without a JSON object are passed over. */
int ctl_lines_feed(struct ctl_lines *lines, const char *bytes, size_t length, int (*each)(void *arg, json_t *event),
                   void *arg);
void ctl_lines_deinit(struct ctl_lines *lines);

/* read.c: what a command names as a file; "-" is standard input, and pipes are as good. Failures are told there. */
#define CTL_BODY_MAX ((size_t)64 << 20)
FILE *ctl_open(const char *path); /* NULL on failure */
void ctl_close(FILE *file);
/* All of it, NUL-terminated beyond its length; free(). */
int ctl_read(const char *path, size_t max, char **ret, size_t *ret_length);

/* grow_print.c */
int ctl_print_growth(struct ctl *ctl, json_t *growth);
int ctl_print_ranking(struct ctl *ctl, json_t *ranking);
int ctl_print_growth_plan(struct ctl *ctl, json_t *plan);
int ctl_print_extension(struct ctl *ctl, json_t *plan); /* cmd_run.c */

/* cmd_compare.c */
int ctl_print_comparison(struct ctl *ctl, json_t *answer);
int ctl_print_lineage(struct ctl *ctl, json_t *answer);

/* operators_print.c */
int ctl_print_operators(struct ctl *ctl, json_t *answer);

/* prior_print.c */
int ctl_print_prior(struct ctl *ctl, json_t *prior);
void ctl_say_prior(struct lag_strbuf *out, json_t *object); /* what a plan's or growth's is made of, if it has one */

/* study_print.c */
int ctl_print_study(struct ctl *ctl, json_t *study); /* with its "reading", where it has one */
int ctl_print_study_plan(struct ctl *ctl, json_t *plan);
/* A bar, the share that is done and the time left; seconds_left NaN: that is not told. */
void ctl_append_study_done(struct lag_strbuf *out, json_t *study, double seconds_left, bool utf8);

/* cmd_plan.c */
int ctl_print_plan(struct ctl *ctl, json_t *plan);
int ctl_print_plan_estimate(struct ctl *ctl, json_t *estimate);

/* Views of answers to dry runs. */
extern const struct ctl_view ctl_estimate_view, ctl_growth_plan_view, ctl_extension_view, ctl_study_plan_view,
    ctl_plan_estimate_view;

/* The functions of commands that ask for more than one thing. */
int ctl_cmd_status(struct ctl *ctl);
int ctl_cmd_ps(struct ctl *ctl);
int ctl_cmd_top(struct ctl *ctl);
int ctl_cmd_run_create(struct ctl *ctl);
int ctl_cmd_run_extend(struct ctl *ctl);
int ctl_cmd_grow(struct ctl *ctl);
int ctl_cmd_approve(struct ctl *ctl);
int ctl_cmd_reject(struct ctl *ctl);
int ctl_cmd_audit(struct ctl *ctl);
int ctl_cmd_plan_set(struct ctl *ctl);
int ctl_cmd_study_create(struct ctl *ctl);
int ctl_cmd_study_show(struct ctl *ctl);
int ctl_cmd_study_report(struct ctl *ctl);
int ctl_cmd_metrics(struct ctl *ctl);
int ctl_cmd_logs(struct ctl *ctl);
int ctl_cmd_events(struct ctl *ctl);
int ctl_cmd_ckpt_list(struct ctl *ctl);
int ctl_cmd_ckpt_pull(struct ctl *ctl);
int ctl_cmd_ckpt_export(struct ctl *ctl);
int ctl_cmd_ckpt_keep(struct ctl *ctl);
int ctl_cmd_export(struct ctl *ctl);
int ctl_cmd_compare(struct ctl *ctl);
int ctl_cmd_report(struct ctl *ctl);
int ctl_cmd_generate(struct ctl *ctl);
int ctl_cmd_dataset_add(struct ctl *ctl);
int ctl_cmd_model_add(struct ctl *ctl);
int ctl_cmd_tokenizer_add(struct ctl *ctl);
int ctl_cmd_tokenizer_train(struct ctl *ctl);
int ctl_cmd_tokenizer_encode(struct ctl *ctl);
int ctl_cmd_tokenizer_decode(struct ctl *ctl);
int ctl_cmd_notify_test(struct ctl *ctl);
int ctl_cmd_wait(struct ctl *ctl);
int ctl_cmd_doctor(struct ctl *ctl);
int ctl_cmd_api(struct ctl *ctl);
int ctl_cmd_completion(struct ctl *ctl);
int ctl_cmd_version(struct ctl *ctl);
int ctl_cmd_help(struct ctl *ctl);
