/* Inside storage: numbered migrations, only ever appended to. Thread: owner of db. */
#pragma once
struct lag_db;
struct lag_error;

struct lag_migration {
    int number; /* 1, 2, … without gaps */
    const char *name, *sql;
};
extern const struct lag_migration lag_migrations[];
extern const int lag_n_migrations;

/* "lagd" in ASCII, in the header of the file: says whose database it is. */
#define LAG_APPLICATION_ID 0x6c616764

/* Looks without changing anything: is the file ours (or empty), whole, and not newer than n migrations?
 * *ret_version: its schema, 0 when empty. LAG_ECORRUPT, LAG_EVERSION. */
int lag_schema_inspect(struct lag_db *db, const struct lag_migration *migrations, int n, int *ret_version,
                       struct lag_error *err);
/* Applies what is missing, each migration in a transaction of its own with its history row. A database that held data
 * is first copied to "<file>.schema-<version>" and the copy verified. Not inside a transaction. */
int lag_schema_migrate(struct lag_db *db, const struct lag_migration *migrations, int n, struct lag_error *err);
