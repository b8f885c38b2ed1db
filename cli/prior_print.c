/* The prior for people: what growths that were decided before say of operators. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "ctl_internal.h"
#include "draw_internal.h"

static const struct ctl_column columns[] = {
    {"OPERATOR", "operator", CTL_TEXT}, {"FACTOR", "factor_text", CTL_TEXT}, {"TRAINED", "share_text", CTL_TEXT},
    {"LAGS", "lags.cases", CTL_INT}, {"WON", "lags.wins", CTL_INT}, {"RANK", "lags_rank", CTL_TEXT},
    {"FINALS", "finals.cases", CTL_INT}, {"WON", "finals.wins", CTL_INT}, {"RANK", "finals_rank", CTL_TEXT},
    {"REGRET", "finals.regret", CTL_LOSS}, {NULL, NULL, 0}};

/* "1.5 to 2.5", "10 to 30 %", "above 4.5"; scale: of the number that is told. */
static void put_bin(json_t *item, const char *from, const char *to, double scale, const char *unit) {
    char text[48];
    json_t *bin = json_object_get(item, from);
    const double low = json_number_value(json_array_get(bin, 0)) * scale;
    json_t *end = json_array_get(bin, 1);
    if (!json_is_number(end)) (void)snprintf(text, sizeof(text), "above %.3g%s", low, unit);
    else if (low > 0) (void)snprintf(text, sizeof(text), "%.3g to %.3g%s", low, json_number_value(end) * scale, unit);
    else (void)snprintf(text, sizeof(text), "up to %.3g%s", json_number_value(end) * scale, unit);
    (void)json_object_set_new(item, to, json_string(text));
}

/* "2.1 of 6.0" */
static void put_rank(json_t *item, const char *tally, const char *to) {
    char path[32], text[32] = "";
    (void)snprintf(path, sizeof(path), "%s.mean_rank", tally);
    const double rank = ctl_json_number(item, path);
    (void)snprintf(path, sizeof(path), "%s.mean_ranked", tally);
    if (isfinite(rank)) (void)snprintf(text, sizeof(text), "%.1f of %.1f", rank, ctl_json_number(item, path));
    (void)json_object_set_new(item, to, json_string(text));
}

int ctl_print_prior(struct ctl *ctl, json_t *prior) {
    struct lag_strbuf out = LAG_STRBUF_INIT;
    json_t *items = json_object_get(prior, "items"), *item;
    size_t i;
    json_array_foreach(items, i, item) {
        put_bin(item, "factor", "factor_text", 1, "");
        put_bin(item, "share", "share_text", 100, " %");
        put_rank(item, "lags", "lags_rank");
        put_rank(item, "finals", "finals_rank");
    }
    if (json_array_size(items) == 0) {
        ctl_tell("no growth of two candidates or more has been decided here yet: there is no prior");
        return ctl_put(&out);
    }
    ctl_table(&out, columns, items, ctl->term.utf8, ctl->term.colour, ctl->term.width);
    ctl_say(&out, "\nlags: {n_decided} growths as they were decided; won: verified. finals: {n_studied} of "
            "completed studies;\nwon: no other could be told apart from it at the end. regret: final loss above the "
            "best, in nats.\n", prior);
    return ctl_put(&out);
}

/* What the prior of a plan or growth is made of, as a line; nothing where there is none. */
void ctl_say_prior(struct lag_strbuf *out, json_t *object) {
    if (!ctl_json_at(object, "prior")) return;
    const bool finals = strcmp(ctl_json_text(object, "prior.of"), "finals") == 0;
    const bool any = strcmp(ctl_json_text(object, "prior.like"), "any") == 0;
    ctl_say(out, finals ? "the prior is made of the final ranks of {prior.cases} growths here"
                        : "the prior is made of the ranks at the lag of {prior.cases} growths here", object);
    lag_strbuf_printf(out, "%s: 0 is always first, 1 always last.\nIt decides only between candidates whose losses "
                      "decide nothing. All of it: lagctl prior\n", any ? "" : " like this one");
}
