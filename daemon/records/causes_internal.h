/* What is done about an error, by its cause (lag_code_cause): one table for all that work on runs. Pure. Thread:
 * any. */
#pragma once
#include <lagd/base/error.h>
#include <lagd/daemon/states.h>
#include <stdbool.h>

struct lagd_judgement {
    enum lagd_run_event run_event; /* of a run that cannot go on */
    bool ends_growth; /* a growth that met it fails, and its run goes on as it was; else it waits with its run */
    bool goes_back;   /* a checkpoint that reads so is set aside, and the one before is taken */
    bool tries_again; /* what could not be written is written again later, from memory */
    const char *hint; /* what a person may do, behind the reason of a run that is paused; "" = the reason says it */
};
const struct lagd_judgement *lagd_judge(int code);
/* Something outside refuses (disk, memory, rights): what is written later may succeed. */
bool lagd_is_trouble(int code);
