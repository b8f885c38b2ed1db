/* A notification in the log, with fields where that is the journal; and the table of all ways. */
#include "notify/deliver_internal.h"

#include <lagd/base/check.h>
#include <lagd/base/error.h>
#include <lagd/base/log.h>
#include <lagd/daemon/messages.h>
#include <inttypes.h>
#include <stdio.h>

int lagd_deliver_to_journal(const struct lagd_delivery *delivery, struct lag_error *err) {
    const struct lagd_notice *notice = delivery->notice;
    char step[24] = "";
    if (notice->event.step >= 0) (void)snprintf(step, sizeof(step), "%" PRId64, notice->event.step);
    const struct lag_log_field fields[] = {{"MESSAGE_ID", LAGD_MESSAGE_NOTIFICATION},
                                           {"LAGD_NOTIFICATION", notice->id},
                                           {"LAGD_RULE", notice->rule},
                                           {"LAGD_RUN", notice->event.run_id},
                                           {"LAGD_GROWTH", notice->event.growth_id},
                                           {"LAGD_STEP", step},
                                           {0}};
    enum lag_log_level level = notice->warns ? LAG_LOG_WARNING : LAG_LOG_INFO;
    if (lag_log_for_certain(level, fields, notice->text)) return 0;
    return lag_error_set(err, LAG_EIO, "the log's reader stands still, or cannot be written to");
}

static int (*const ways[LAGD_N_SINKS])(const struct lagd_delivery *delivery, struct lag_error *err) = {
    [LAGD_SINK_WEBHOOK] = lagd_deliver_to_webhook,
    [LAGD_SINK_COMMAND] = lagd_deliver_to_command,
    [LAGD_SINK_JOURNAL] = lagd_deliver_to_journal,
};

int lagd_deliver(enum lagd_sink sink, const struct lagd_delivery *delivery, struct lag_error *err) {
    LAG_ASSERT(sink < LAGD_N_SINKS);
    return ways[sink](delivery, err);
}
