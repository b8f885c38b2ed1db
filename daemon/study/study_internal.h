/* Studies under way: one thing at a time is done for them, by the commands that people have too. Thread: main, unless
 * said otherwise. */
#pragma once
#include "commands/commands_internal.h"

enum { LAGD_STUDY_HOLDS = 16 };
/* A study that could not be led on is left alone for a while; the others are not. */
struct lagd_study_hold {
    char study[LAG_ROW_ID];
    int64_t until_ns; /* monotonic */
};
struct lagd_studies {
    struct lagd_commands *commands;
    int wake_fd;
    _Atomic bool under_way;   /* a command of a study's is not answered yet */
    int64_t next_ns;          /* monotonic: when they are looked at again */
    struct lagd_study_hold holds[LAGD_STUDY_HOLDS]; /* with under_way that of the command's answer, else main's */
    int n_holds;              /* taken in all; the newest ones are there */
};
/* Whether a study, or a growth that waits for its audit, is left alone for a while; and that it is. */
bool lagd_study_is_held(const struct lagd_studies *studies, const char *id, int64_t now_ns);
void lagd_study_hold_back(struct lagd_studies *studies, const char *id, int rc);
/* Makes the audits of growths that were applied and want one. audits.c */
void lagd_audits_look(struct lagd_studies *studies, int64_t now_ns);
/* On every tick. */
void lagd_studies_look(struct lagd_studies *studies, int64_t now_ns);
