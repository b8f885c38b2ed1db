/* How far each sink has got, in the database. */
#include <lagd/daemon/outbox.h>

#include <lagd/base/error.h>
#include <lagd/base/log.h>
#include <lagd/storage/events.h>
#include <lagd/storage/sinks.h>
#include <lagd/storage/store.h>

struct cursor {
    const char *name;
    int64_t after;
};

static int open_cursor(struct lag_db *db, void *arg, struct lag_error *err) {
    struct cursor *cursor = arg;
    int64_t first;
    int rc = lag_sink_get(db, cursor->name, &cursor->after, err);
    if (rc != 0) return rc < 0 ? rc : 0;
    rc = lag_event_bounds(db, &first, &cursor->after, err);
    return rc == 0 ? lag_sink_put(db, cursor->name, cursor->after, err) : rc;
}

int lagd_outbox_open(struct lag_store *store, enum lagd_sink sink, int64_t *ret_after, struct lag_error *err) {
    struct cursor cursor = {lagd_sink_name(sink), 0};
    int rc = lag_store_write(store, open_cursor, &cursor, err);
    if (rc == 0) *ret_after = cursor.after;
    return rc;
}

static int set_cursor(struct lag_db *db, void *arg, struct lag_error *err) {
    const struct cursor *cursor = arg;
    return lag_sink_put(db, cursor->name, cursor->after, err);
}

int lagd_outbox_set(struct lag_store *store, enum lagd_sink sink, int64_t after, struct lag_error *err) {
    struct cursor cursor = {lagd_sink_name(sink), after};
    return lag_store_write(store, set_cursor, &cursor, err);
}

static int forget_cursor(struct lag_db *db, void *arg, struct lag_error *err) {
    const struct cursor *cursor = arg;
    return lag_sink_delete(db, cursor->name, err);
}

int lagd_outbox_forget(struct lag_store *store, enum lagd_sink sink, struct lag_error *err) {
    struct cursor cursor = {lagd_sink_name(sink), 0};
    return lag_store_write(store, forget_cursor, &cursor, err);
}

static int put_warning(struct lag_db *db, void *arg, struct lag_error *err) {
    const struct lag_event event = {.type = LAG_EVENT_SYSTEM_WARNING, .step = LAG_NO_STEP, .message = arg};
    return lag_event_put(db, &event, err);
}

void lagd_outbox_warn(struct lag_store *store, const char *text) {
    struct lag_error err = {0};
    lag_log(LAG_LOG_WARNING, "%s", text);
    if (lag_store_write(store, put_warning, (void *)text, &err) != 0)
        lag_log(LAG_LOG_WARNING, "the warning could not be stored: %s", err.text);
}
