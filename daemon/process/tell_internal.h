/* Log messages about a run or a growth: the journal keeps who and where as fields (LAGD_RUN=, LAGD_GROWTH=, LAGD_STEP=,
 * MESSAGE_ID=). Thread: any. */
#pragma once
#include <lagd/base/log.h>
#include <stdint.h>

/* What a message is about; NULL, and for the step a negative number, is left out. */
struct lagd_about {
    const char *run_id, *growth_id;
    int64_t step;
    const char *message_id; /* of messages.h */
};
void lagd_tell(enum lag_log_level level, const struct lagd_about *about, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
