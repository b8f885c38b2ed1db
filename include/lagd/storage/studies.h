/* Rows and queries of studies: which runs each is made of, and how far it is. Conventions as in rows.h and runs.h. */
#pragma once
#include <lagd/storage/rows.h>
struct lag_db;
struct lag_error;

#define LAG_STUDY_POOL 8192
struct lag_study_row {
    char id[LAG_ROW_ID], name[LAG_ROW_NAME]; /* st_… */
    char state[LAG_ROW_STATE], reason[LAG_ROW_TEXT];
    char parent_run[LAG_ROW_ID], parent_name[LAG_ROW_NAME], parent_checkpoint[LAG_ROW_ID];
    int64_t start_step;  /* of the parent's checkpoint */
    int64_t horizon;     /* steps that every candidate trains from there on */
    double delta;        /* the difference that matters, in nats */
    double parent_flops; /* spent by the parent up to start_step */
    double decay_fraction; /* of the parent's schedule: a run from scratch decays over the same share */
    char request[LAG_ROW_CONFIG];
    char config[LAG_ROW_CONFIG]; /* of the runs that go on from the parent */
    char pool[LAG_STUDY_POOL]; /* canonical texts of the strategies, a line each */
    char growth_id[LAG_ROW_ID]; /* whose decision it audits; "" = it is no audit */
    int64_t priority;    /* below 0: it gives way to all that is not below */
    int64_t revision, created_ms, updated_ms;
};
/* What is done next for a run of a study; every stage is stored with its effect. */
#define LAG_STUDY_STAGE 12
struct lag_study_run_row {
    char study_id[LAG_ROW_ID];
    int64_t position;    /* 0 …: the order in which they are begun */
    char role[16];       /* candidates, scratch */
    int64_t seed, max_steps;
    char stage[LAG_STUDY_STAGE]; /* planned, made, grown, started, ended */
    char run_id[LAG_ROW_ID], growth_id[LAG_ROW_ID]; /* "" until they are made */
};

int lag_study_insert(struct lag_db *db, const struct lag_study_row *row, struct lag_error *err); /* LAG_EEXIST: name */
int lag_study_get(struct lag_db *db, const char *id_or_name, struct lag_study_row *ret, struct lag_error *err);
/* Newest first; alive: only those that have not ended. */
int lag_study_list(struct lag_db *db, bool alive, int limit, int (*each)(const struct lag_study_row *, void *),
                   void *arg, struct lag_error *err);
/* Each bumps revision and updated_ms; so does the growth that it audits, which tells of it. Once an audit is deleted,
 * its growth has none. */
int lag_study_set_state(struct lag_db *db, const char *id, const char *state, const char *reason,
                        struct lag_error *err);
/* Nothing where it is no longer in state: the reason of that move stays. */
int lag_study_set_reason(struct lag_db *db, const char *id, const char *state, const char *reason,
                         struct lag_error *err);
int lag_study_delete(struct lag_db *db, const char *id, struct lag_error *err);
/* The audit of a growth: 1 = found, 0 = none. */
int lag_study_of_growth(struct lag_db *db, const char *growth_id, struct lag_study_row *ret, struct lag_error *err);
/* Whether anything wants to compute that a study of low priority gives way to: a run of none, or of another priority,
 * which is queued, trains or grows, unless its growth waits for a person, or which will be tried again; another study
 * that is under way, of low priority only an older one. 1 or 0. */
int lag_study_gives_way(struct lag_db *db, const char *study_id, struct lag_error *err);

int lag_study_run_insert(struct lag_db *db, const struct lag_study_run_row *row, struct lag_error *err);
/* By position. */
int lag_study_run_list(struct lag_db *db, const char *study_id, int (*each)(const struct lag_study_run_row *, void *),
                       void *arg, struct lag_error *err);
/* Stage, run and growth of row. */
int lag_study_run_set(struct lag_db *db, const struct lag_study_run_row *row, struct lag_error *err);
/* The study that a run belongs to: 1 = found, 0 = none. */
int lag_study_of_run(struct lag_db *db, const char *run_id, struct lag_study_run_row *ret, struct lag_error *err);
