/* Inside storage: may the database be opened? Do the file, its log and the mark belong together, and is everything
 * there that was acknowledged? Conventions as in log_internal.h. */
#pragma once
#include "mark_internal.h"

enum lag_finding {
    LAG_START_GOOD,
    /* told, and lagd starts */
    LAG_START_TORN,      /* behind the last commit lies one that a power cut interrupted: it was never acknowledged */
    LAG_START_ANEW,      /* there is no lagd.db, but its log or mark: a new one is begun, the log is set aside */
    LAG_START_OTHER,     /* lagd.db is not the file that lagd wrote last, and needs no log: a backup was put back */
    /* refused */
    LAG_START_DAMAGED,   /* commits that were acknowledged lie in the log at or behind damage */
    LAG_START_GONE,      /* the log that held acknowledged commits is gone, or another one lies there */
    LAG_START_STRANGE,   /* the log was written for another lagd.db than the one that lies there */
};
/* What lies there. */
struct lag_facts {
    int64_t db_bytes;       /* -1: there is no lagd.db */
    struct lag_log_token token; /* in lagd.db, "" when none was found */
    struct lag_log log;
    bool has_mark, same_boot; /* same: the system has not started anew since the mark was written */
    struct lag_mark mark;
};
struct lag_start {
    enum lag_finding finding;
    char text[400];        /* for people: "" when good; for refused ones without what to do */
    bool sets_log_aside;   /* the log must not be read, whole as it may be */
    int64_t good_bytes;    /* of the log, up to the last commit that verifies */
};
/* Numbers in, verdict out. */
void lag_start_judge(const struct lag_facts *facts, struct lag_start *ret);
bool lag_start_is_refused(enum lag_finding finding);
int lag_start_inspect(const char *dir, struct lag_start *ret, struct lag_error *err);
/* Renames lagd.db-wal to a name that nobody uses, which it tells. */
int lag_start_set_log_aside(const char *dir, char *ret_name, size_t size, struct lag_error *err);
/* Inspects, sets aside the log of a missing file, and refuses with LAG_ECORRUPT. text: as in struct lag_start. */
int lag_start_admit(const char *dir, char *ret_text, size_t size, struct lag_error *err);
