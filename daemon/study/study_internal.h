/* Studies under way: one thing at a time is done for them, by the commands that people have too. Thread: main, unless
 * said otherwise. */
#pragma once
#include "commands/commands_internal.h"

struct lagd_studies {
    struct lagd_commands *commands;
    int wake_fd;
    _Atomic bool under_way;   /* a command of a study's is not answered yet */
    _Atomic bool failures;    /* of the last look: the next one comes later */
    int64_t next_ns;          /* monotonic: when they are looked at again */
};
/* On every tick. */
void lagd_studies_look(struct lagd_studies *studies, int64_t now_ns);
