/* Log lines with the fields of the journal. */
#include "process/tell_internal.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

void lagd_tell(enum lag_log_level level, const struct lagd_about *about, const char *format, ...) {
    char text[2048], step[24] = "";
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    if (about->step >= 0) (void)snprintf(step, sizeof(step), "%" PRId64, about->step);
    const struct lag_log_field fields[] = {{"LAGD_RUN", about->run_id},
                                           {"LAGD_GROWTH", about->growth_id},
                                           {"LAGD_STEP", step},
                                           {"MESSAGE_ID", about->message_id},
                                           {0}};
    lag_log_fields(level, fields, "%s", text);
}
