/* What a person asks for when a run is to be gone on with as another one, from one of its checkpoints. Thread: any. */
#pragma once
#include <lagd/daemon/growth_request.h>
#include <lagd/daemon/run_config.h>

struct lagd_fork_request {
    struct lagd_run_config config; /* first; only the given fields count, and start */
    uint32_t given;                /* bit i: row i of lagd_fork_fields */
    bool whole;                    /* all of config counts but model and dataset; asked by the daemon itself */
    bool reschedules;              /* with whole: its schedule is that of config, not all that the run went through */
    char run[LAG_ROW_NAME];        /* id or name */
    char checkpoint[LAG_ROW_ID];   /* "" = the run's newest one */
    struct lagd_growth_request *growth; /* that it begins with; NULL: none. The request's own */
};
void lagd_fork_request_destroy(struct lagd_fork_request *request); /* takes NULL */
/* Rows of the JSON body; those of the configuration are read into config. */
extern const struct lag_fields lagd_fork_fields;
