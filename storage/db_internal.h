/* Inside storage: a connection and its statements. Thread: a connection belongs to one thread at a time.
 *
 * Statements are prepared once a connection and found again by the address of their text. Binds fill the next
 * parameter; a parameter left unbound, or bound too much, is an error of the first step. Results are read by column
 * name, so that the order of a SELECT cannot shift values. Such defects are LAG_EINTERNAL. */
#pragma once
#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
struct lag_error;

struct lag_stmt {
    struct lag_db *db;
    sqlite3_stmt *handle;
    const char *sql;
    int n_params, n_bound, n_columns, next_column;
    bool busy, started, ended;
    bool columns_found; /* lag_row_next has looked for all of them */
    const char *defect; /* what the calling code did wrong, NULL when nothing */
};
struct lag_db {
    sqlite3 *handle;
    char *path; /* of the file */
    struct lag_stmt **stmts;
    size_t n_stmts, cap_stmts;
    bool writer;
    int64_t last_event_seq; /* written in the present transaction, 0 when none */
    bool leaves_rows;       /* rows were noted for the sweep */
};

enum lag_db_mode { LAG_DB_READER, LAG_DB_WRITER };
/* Opens dir/lagd.db with every guard set; the writer creates the file and does not look at what is in it. */
int lag_db_open(const char *dir, enum lag_db_mode mode, struct lag_db **ret, struct lag_error *err);
void lag_db_close(struct lag_db *db);
/* Text without parameters and results: transaction control and pragmas. */
int lag_db_exec(struct lag_db *db, const char *sql, struct lag_error *err);
/* First column of the first row as an integer; for pragmas and schema checks. */
int lag_db_integer(struct lag_db *db, const char *sql, int64_t *ret, struct lag_error *err);
/* Translates a result code of SQLite; what: the sentence's beginning. Returns the lag_code. */
int lag_db_error(struct lag_db *db, int result, const char *what, struct lag_error *err);
/* errno of a read of the file or the log that the system refused on this connection, 0 when there was none. SQLite
 * tells such a read as damage, and the check of the file tells it in its sentences. */
int lag_db_refused_read(sqlite3 *handle);
int64_t lag_db_changes(struct lag_db *db);

int lag_stmt_open(struct lag_db *db, const char *sql, struct lag_stmt **ret, struct lag_error *err);
void lag_stmt_close(struct lag_stmt *stmt); /* takes NULL */
void lag_bind_i64(struct lag_stmt *stmt, int64_t value);
void lag_bind_real(struct lag_stmt *stmt, double value);      /* not finite = NULL */
void lag_bind_text(struct lag_stmt *stmt, const char *value); /* "" = NULL; must live until the statement is closed */
/* LAG_EINTERNAL with what the calling code did wrong; only where stmt->defect is set. */
int lag_stmt_defect(const struct lag_stmt *stmt, struct lag_error *err);
/* 1 = a row, 0 = the end, negative = error. */
int lag_stmt_step(struct lag_stmt *stmt, struct lag_error *err);
/* Steps to the end and closes, whatever happens. */
int lag_stmt_run(struct lag_stmt *stmt, struct lag_error *err);
/* Makes a statement ready to be bound and stepped again (loops over many rows). */
void lag_stmt_rewind(struct lag_stmt *stmt);
int64_t lag_col_i64(struct lag_stmt *stmt, const char *name);
int lag_col_find(struct lag_stmt *stmt, const char *name); /* its index, for loops over very many rows; -1 = defect */
double lag_col_real(struct lag_stmt *stmt, const char *name); /* NULL = NaN */
void lag_col_text(struct lag_stmt *stmt, const char *name, char *ret, size_t size);

/* Gives the column id of every row to each, until that is not 0, which is returned. */
int lag_stmt_each_id(struct lag_db *db, const char *sql, int (*each)(const char *id, void *), void *arg,
                     struct lag_error *err);

/* The column id of the first row for this key, the only parameter, into LAG_ROW_ID bytes: 1 = found, 0 = none. */
int lag_stmt_first_id(struct lag_db *db, const char *sql, const char *key, char *ret, struct lag_error *err);

/* Runs an UPDATE or DELETE of one row by id; LAG_ENOTFOUND "<what> <id> does not exist" when nothing changed. */
int lag_stmt_run_one(struct lag_stmt *stmt, const char *what, const char *id, struct lag_error *err);
