/* Queries that find runs among many. */
#include "db_internal.h"
#include "q_internal.h"
#include <lagd/base/error.h>
#include <lagd/base/mem.h>
#include <lagd/storage/find.h>
#include <lagd/storage/runs.h>
#include <stdlib.h>

/* Numbered: ?1 order, ?2 states, ?3 tag, ?4 what is waited for, ?5 … ?12 words, ?13 … ?16 where the last page
 * ended: has it a value? the value, the id, is there such a page?, ?17 limit. */
#define HAS(n) "AND (?" #n " IS NULL OR instr(words, ?" #n ") > 0) "
#define FILTERS                                                                                                        \
    "(?2 IS NULL OR instr(',' || ?2 || ',', ',' || state || ',') > 0) "                                                \
    "AND (?3 IS NULL OR instr(',' || tags || ',', ',' || ?3 || ',') > 0) "                                             \
    "AND CASE WHEN ?4 IS NULL THEN 1 WHEN ?4 = 'turn' THEN state = 'queued' WHEN ?4 = 'shortage' THEN waits "          \
    "ELSE growth_id IS NOT NULL AND (SELECT state FROM growths WHERE id = growth_id) = 'awaiting_approval' END "       \
    HAS(5) HAS(6) HAS(7) HAS(8) HAS(9) HAS(10) HAS(11) HAS(12)
#define OF_VALIDATION(column)                                                                                          \
    "(SELECT " column " FROM series INDEXED BY series_validation WHERE owner = runs.id AND key = 'val/loss') "
#define KEY                                                                                                            \
    "CASE ?1 WHEN 1 THEN name WHEN 2 THEN step WHEN 3 THEN tokens WHEN 4 THEN flops WHEN 5 THEN n_params "             \
    "WHEN 6 THEN " OF_VALIDATION("min_value") "WHEN 7 THEN " OF_VALIDATION("last_value") "END"

/* By id: in the order of the index, until there are enough. */
#define BY_ID(condition, direction)                                                                                    \
    "SELECT id, id AS key, ?1 FROM runs INDEXED BY runs_found WHERE " condition " AND " FILTERS                        \
    "AND (?13, ?14) IS (?13, ?14) ORDER BY id " direction " LIMIT ?17"
static const char sql_newest[] = BY_ID("(?16 = 0 OR id < ?15)", "DESC");
static const char sql_oldest[] = BY_ID("(?16 = 0 OR id > ?15)", "ASC");

/* By a value: those that are found, and then the first of them. */
#define BY_VALUE(condition, direction)                                                                                 \
    "WITH found AS MATERIALIZED (SELECT id, " KEY " AS key FROM runs INDEXED BY runs_found WHERE " FILTERS ") "        \
    "SELECT id, key FROM found WHERE ?16 = 0 OR (key IS NULL) > (?13 = 0) OR ((key IS NULL) = (?13 = 0) AND ("         \
    condition " OR ((key = ?14 OR ?13 = 0) AND id < ?15))) ORDER BY key IS NULL, key " direction ", id DESC LIMIT ?17"
static const char sql_rising[] = BY_VALUE("key > ?14", "ASC");
static const char sql_falling[] = BY_VALUE("key < ?14", "DESC");

static const char *text_of(const struct lag_run_query *query) {
    if (query->order == LAG_RUNS_BY_CREATED) return query->descending ? sql_newest : sql_oldest;
    return query->descending ? sql_falling : sql_rising;
}

/* In small letters, as the column words has them. ret: each in *ret_copy, which is the caller's. */
static int split(const char *text, char **ret_copy, const char *ret[LAG_WORDS_MAX], struct lag_error *err) {
    int n = 0;
    char *copy = lag_strdup(text ? text : "");
    if (!copy) return lag_error_set(err, LAG_ENOMEM, "out of memory while looking for runs");
    *ret_copy = copy;
    for (char *at = copy; *at; at++)
        if (*at >= 'A' && *at <= 'Z') *at += 'a' - 'A';
    for (char *word; (word = strsep(&copy, " \t\n")) != NULL;) {
        if (!*word) continue;
        if (n == LAG_WORDS_MAX)
            return lag_error_set(err, LAG_EINVAL, "at most %d words can be looked for at once", LAG_WORDS_MAX);
        ret[n++] = word;
    }
    return 0;
}

static void bind_place(struct lag_stmt *stmt, const struct lag_run_query *query) {
    const struct lag_run_place *after = query->after;
    bool by_name = query->order == LAG_RUNS_BY_NAME;
    lag_bind_i64(stmt, after && (by_name || isfinite(after->value)));
    if (by_name) lag_bind_text(stmt, after ? after->name : NULL);
    else lag_bind_real(stmt, after ? after->value : NAN);
    lag_bind_text(stmt, after ? after->id : NULL);
    lag_bind_i64(stmt, after != NULL);
}

static int bind(struct lag_db *db, const struct lag_run_query *query, const char *const words[LAG_WORDS_MAX],
                struct lag_stmt **ret, struct lag_error *err) {
    int rc = lag_stmt_open(db, text_of(query), ret, err);
    if (rc) return rc;
    lag_bind_i64(*ret, query->order);
    lag_bind_text(*ret, query->states);
    lag_bind_text(*ret, query->tag);
    lag_bind_text(*ret, query->waiting_for);
    for (int i = 0; i < LAG_WORDS_MAX; i++) lag_bind_text(*ret, words[i]);
    bind_place(*ret, query);
    lag_bind_i64(*ret, query->limit);
    return 0;
}

static int give(struct lag_db *db, const struct lag_run_query *query, struct lag_stmt *stmt,
                int (*each)(const struct lag_run_row *, const struct lag_run_place *, void *), void *arg,
                struct lag_error *err) {
    struct lag_run_place place = {.value = NAN};
    struct lag_run_row row;
    int rc;
    while ((rc = lag_stmt_step(stmt, err)) == 1) {
        lag_col_text(stmt, "id", place.id, sizeof place.id);
        if (query->order == LAG_RUNS_BY_NAME) lag_col_text(stmt, "key", place.name, sizeof place.name);
        else if (query->order != LAG_RUNS_BY_CREATED) place.value = lag_col_real(stmt, "key");
        if ((rc = lag_run_get(db, place.id, &row, err)) || (rc = each(&row, &place, arg))) break;
    }
    return rc;
}

int lag_run_find(struct lag_db *db, const struct lag_run_query *query,
                 int (*each)(const struct lag_run_row *, const struct lag_run_place *, void *), void *arg,
                 struct lag_error *err) {
    const char *words[LAG_WORDS_MAX] = {NULL};
    struct lag_stmt *stmt = NULL;
    char *copy = NULL;
    int rc = split(query->words, &copy, words, err);
    if (!rc) rc = bind(db, query, words, &stmt, err);
    if (!rc) rc = give(db, query, stmt, each, arg, err);
    lag_stmt_close(stmt);
    free(copy);
    return rc;
}

static const char sql_best[] =
    "SELECT min_value, min_step FROM series INDEXED BY series_validation WHERE owner = ? AND key = 'val/loss'";

int lag_run_best(struct lag_db *db, const char *id, double *ret_value, int64_t *ret_step, struct lag_error *err) {
    struct lag_stmt *stmt;
    int rc = lag_stmt_open(db, sql_best, &stmt, err);
    if (rc) return rc;
    lag_bind_text(stmt, id);
    *ret_value = NAN;
    *ret_step = -1;
    if ((rc = lag_stmt_step(stmt, err)) == 1) {
        *ret_value = lag_col_real(stmt, "min_value");
        *ret_step = lag_col_i64(stmt, "min_step");
    }
    lag_stmt_close(stmt);
    return rc < 0 ? rc : 0;
}

static const char sql_awaits[] = "SELECT 1 FROM growths WHERE id = ? AND state = 'awaiting_approval'";

int lag_run_waiting_for(struct lag_db *db, const struct lag_run_row *row, char ret[16], struct lag_error *err) {
    struct lag_stmt *stmt;
    int rc = 0;
    const char *word = row->waits ? LAG_WAITS_SHORTAGE : !strcmp(row->state, "queued") ? LAG_WAITS_TURN : "";
    if (row->growth_id[0]) {
        if ((rc = lag_stmt_open(db, sql_awaits, &stmt, err))) return rc;
        lag_bind_text(stmt, row->growth_id);
        if ((rc = lag_stmt_step(stmt, err)) == 1) word = LAG_WAITS_APPROVAL;
        lag_stmt_close(stmt);
    }
    (void)lag_copy(ret, 16, word);
    return rc < 0 ? rc : 0;
}
