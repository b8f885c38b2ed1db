/* metrics: the names of a run's series, their points, and plots of them. */
#include "ctl_internal.h"
#include "draw_internal.h"

#include <lagd/base/cleanup.h>
#include <lagd/base/mem.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define PLOT_WIDTH 78
#define PLOT_HEIGHT 14

static int path_of(struct ctl *ctl, struct lag_strbuf *path) {
    const struct ctl_call *call = ctl->call;
    int n_keys = 0;
    lag_strbuf_append(path, "/runs/");
    ctl_escape(path, call->arguments[0]);
    lag_strbuf_printf(path, "/series?max_points=%" PRId64, ctl_value_int(call, "points", 200));
    for (int i = 0; i < call->n_values; i++) {
        if (strcmp(call->values[i].option->name, "key") != 0) continue;
        lag_strbuf_append(path, "&key=");
        ctl_escape(path, call->values[i].value);
        n_keys++;
    }
    if (n_keys == 0) lag_strbuf_append(path, "&key=train%2Floss&key=val%2Floss");
    if (ctl_value(call, "from")) lag_strbuf_printf(path, "&from=%s", ctl_value(call, "from"));
    if (ctl_value(call, "to")) lag_strbuf_printf(path, "&to=%s", ctl_value(call, "to"));
    return path->failed ? ctl_fail(CTL_FAILED, "out of memory") : CTL_OK;
}

static void append_notes(struct lag_strbuf *out, json_t *series) {
    json_t *note;
    size_t i;
    json_array_foreach(json_object_get(series, "annotations"), i, note) {
        ctl_say(out, "step {step}: {type} {change}\n", note);
    }
}

static int plot(struct ctl *ctl, json_t *series) {
    struct lag_strbuf out = LAG_STRBUF_INIT;
    json_t *steps = json_object_get(series, "step"), *column, *cell;
    size_t n = json_array_size(steps), i;
    const char *key;
    LAG_CLEANUP(lag_free_p) double *x = lag_calloc(n + 1, sizeof(*x));
    LAG_CLEANUP(lag_free_p) double *y = lag_calloc(n + 1, sizeof(*y));
    if (!x || !y) return ctl_fail(CTL_FAILED, "out of memory");
    json_array_foreach(steps, i, cell) x[i] = json_number_value(cell);
    json_object_foreach(json_object_get(series, "series"), key, column) {
        json_t *values = json_object_get(column, "last");
        size_t n_shown = 0;
        for (i = 0; i < n; i++) { /* null: this series has no point at that step */
            cell = json_array_get(values, i);
            if (json_is_number(cell)) {
                x[n_shown] = json_number_value(json_array_get(steps, i));
                y[n_shown++] = json_number_value(cell);
            }
        }
        ctl_plot(&out, key, x, y, n_shown, ctl->term.width ? ctl->term.width : PLOT_WIDTH, PLOT_HEIGHT, ctl->term.utf8);
    }
    append_notes(&out, series);
    return ctl_put(&out);
}

/* step and a column a series, as a table or tsv. */
static int columns(struct ctl *ctl, json_t *series) {
    struct ctl_column titles[16] = {{"step", "step", CTL_INT}};
    json_t *steps = json_object_get(series, "step"), *step, *column, *rows = json_array();
    size_t n_titles = 1, i;
    const char *key;
    json_object_foreach(json_object_get(series, "series"), key, column) {
        if (n_titles + 1 < sizeof(titles) / sizeof(titles[0]))
            titles[n_titles++] = (struct ctl_column){key, key, CTL_NUMBER};
    }
    json_array_foreach(steps, i, step) {
        json_t *row = json_pack("{s:O}", "step", step);
        json_object_foreach(json_object_get(series, "series"), key, column) {
            json_t *value = json_array_get(json_object_get(column, "last"), i);
            if (value) (void)json_object_set(row, key, value);
        }
        if (json_array_append_new(rows, row) < 0) break;
    }
    json_t *list = json_pack("{s:o}", "items", rows);
    struct ctl_view view = {titles, NULL, "no points there", NULL};
    int status = list ? ctl_print(ctl, &view, list) : ctl_fail(CTL_FAILED, "out of memory");
    json_decref(list);
    return status;
}

static int list_keys(struct ctl *ctl) {
    struct lag_strbuf path = LAG_STRBUF_INIT;
    json_t *keys = NULL;
    int status = ctl_path_of(ctl, &path);
    if (status == CTL_OK) status = ctl_get_all(ctl, path.data, -1, &keys);
    if (status == CTL_OK) status = ctl_print(ctl, ctl->call->command->view, keys);
    json_decref(keys);
    lag_strbuf_deinit(&path);
    return status;
}

int ctl_cmd_metrics(struct ctl *ctl) {
    bool plots = ctl_value(ctl->call, "plot") != NULL;
    struct lag_strbuf path = LAG_STRBUF_INIT;
    json_t *series = NULL;
    if (!plots && !ctl_value(ctl->call, "key")) return list_keys(ctl);
    int status = path_of(ctl, &path);
    if (status == CTL_OK) status = ctl_ask(ctl, "GET", path.data, NULL, &series);
    if (status == CTL_OK && ctl->form == CTL_FORM_JSON)
        status = ctl_print(ctl, NULL, series);
    else if (status == CTL_OK)
        status = plots && ctl->form == CTL_FORM_TABLE ? plot(ctl, series) : columns(ctl, series);
    json_decref(series);
    lag_strbuf_deinit(&path);
    return status;
}
