/* SIGHUP: the configuration is read and checked as a whole, then the keys that may change take effect. */
#include "config/settings_parts_internal.h"

#include <lagd/base/error.h>
#include <lagd/base/log.h>
#include <lagd/base/mem.h>
#include <lagd/base/strbuf.h>
#include <lagd/daemon/notify.h>
#include <stdlib.h>
#include <string.h>

static void note(struct lag_strbuf *list, const char *path) {
    lag_strbuf_printf(list, "%s%s", list->length ? ", " : "", path);
}

struct loaded {
    struct lagd_config config;
    struct lagd_config_source sources[LAGD_CONFIG_KEYS_MAX];
};

/* Copies what may change into the configuration in force, and names what changed and what would need a restart. */
static void take_changes(struct lagd_settings *s, const struct loaded *loaded, struct lag_strbuf *taken,
                         struct lag_strbuf *waiting) {
    struct lagd_config *config = &s->config;
    const struct lagd_config *fresh = &loaded->config;
    for (size_t i = 0; i < lagd_config_fields.n_rows; i++) {
        const struct lag_field *field = &lagd_config_fields.rows[i];
        struct lag_strbuf before = LAG_STRBUF_INIT, after = LAG_STRBUF_INIT;
        lag_field_format(field, config, &before);
        lag_field_format(field, fresh, &after);
        bool same = before.length == after.length && (before.length == 0 || strcmp(before.data, after.data) == 0);
        lag_strbuf_deinit(&before);
        lag_strbuf_deinit(&after);
        bool takes = same || field->flags & LAG_FIELD_RELOADABLE;
        s->origins.waiting[i] = !takes;
        if (takes) s->origins.sources[i] = loaded->sources[i];
        if (same) continue;
        if (field->flags & LAG_FIELD_RELOADABLE) {
            memcpy((char *)config + field->offset, (const char *)fresh + field->offset, field->size);
            note(taken, field->path);
        } else {
            note(waiting, field->path);
        }
    }
}

static int load(struct lagd_settings *s, struct loaded *fresh, struct lag_error *err) {
    if (!s->reload_fn) return lag_error_set(err, LAG_EUNSUPPORTED, "this process cannot read its configuration again");
    int rc = s->reload_fn(s->reload_arg, &fresh->config, fresh->sources, err);
    return rc == 0 ? lagd_config_check(&fresh->config, err) : rc;
}

int lagd_settings_reload(struct lagd_settings *s, struct lag_error *err) {
    struct lag_error own = {0};
    if (!err) err = &own;
    lagd_notify_reloading();
    struct loaded *fresh = lag_calloc(1, sizeof(*fresh));
    int rc = fresh ? load(s, fresh, err) : lag_error_set(err, LAG_ENOMEM, "out of memory while reloading");
    if (rc < 0) {
        lag_log(LAG_LOG_ERROR, "the configuration in force is kept: %s", err->text);
        lagd_notify("READY=1\nSTATUS=configuration not reloaded: %.300s", err->text);
        free(fresh);
        return rc;
    }
    struct lag_strbuf taken = LAG_STRBUF_INIT, waiting = LAG_STRBUF_INIT;
    (void)pthread_mutex_lock(&s->lock);
    take_changes(s, fresh, &taken, &waiting);
    enum lag_log_level level = LAG_LOG_INFO;
    (void)lag_log_level_parse(s->config.log_level, &level);
    (void)pthread_mutex_unlock(&s->lock);
    lag_log_set_level(level);
    lag_log(LAG_LOG_INFO, "configuration reloaded; changed: %s", taken.length ? taken.data : "nothing");
    if (waiting.length) lag_log(LAG_LOG_WARNING, "these changed keys need a restart: %s", waiting.data);
    lagd_notify("READY=1\nSTATUS=configuration reloaded%s%.300s", waiting.length ? "; needs a restart: " : "",
                waiting.length ? waiting.data : "");
    lag_strbuf_deinit(&taken);
    lag_strbuf_deinit(&waiting);
    free(fresh);
    return 0;
}
