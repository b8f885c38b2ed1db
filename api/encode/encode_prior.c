/* The prior as JSON: what a growth is told of its pool, and the table behind it. */
#include "encode/encode_internal.h"
#include "encode/prior_internal.h"

#include <lagd/base/check.h>
#include <lagd/base/mem.h>
#include <lagd/daemon/prior.h>

/* --- of one growth ----------------------------------------------------------------------------------------------- */

struct told {
    int64_t cases;
    char of[8], like[8];
};
#define TOLD(name, type, member, help) LAGD_MEMBER(struct told, name, type, member, help)
static const struct lagd_member told_members[] = {
    TOLD("cases", "i", cases, "Growths here that it is made of."),
    TOLD("of", "s", of, "finals: their ranks at the horizon of completed studies; lags: those at which they were "
         "decided."),
    TOLD("like", "s", like, "Which growths count: both (of like growth factor and share of training done), factor "
         "(of like growth factor) or any."),
};
#undef TOLD
const struct lagd_schema lagd_prior_schema = LAGD_SCHEMA("Prior", told_members);

static int write_told(struct lagd_json *json, const char *key, int64_t cases, const char *of, const char *like) {
    struct told told = {.cases = cases};
    (void)lag_copy(told.of, sizeof(told.of), of);
    (void)lag_copy(told.like, sizeof(told.like), like);
    if (cases > 0) return lagd_write_object(json, key, &lagd_prior_schema, &told, NULL);
    lagd_json_null(json, key);
    return 0;
}

int lagd_write_growth_prior(struct lagd_json *json, const char *key, const void *object, void *context) {
    const struct lag_growth_row *row = object;
    return write_told(json, key, row->prior_cases, row->prior_of, row->prior_like);
}

int lagd_write_plan_prior(struct lagd_json *json, const char *key, const void *object, void *context) {
    const struct lagd_growth_plan *plan = object;
    return write_told(json, key, plan->prior_cases, plan->prior_of, plan->prior_like);
}

/* --- the table --------------------------------------------------------------------------------------------------- */

#define TALLY(name, type, member, help) LAGD_MEMBER(struct lagd_prior_tally, name, type, member, help)
static const struct lagd_member tally_members[] = {
    TALLY("cases", "i", n_cases, "Candidates of this operator."),
    TALLY("wins", "i", n_wins, "Of them that won: of lags by a verified verdict, of finals where no other could be "
          "told apart from it at the end. A tie is no win."),
    TALLY("mean_rank", "n?", mean_rank, "1 is best; equal ones share the lowest, and who was dropped is last."),
    TALLY("mean_ranked", "n?", mean_ranked, "Of how many, on average."),
    TALLY("place", "n?", place, "(rank - 1)/(ranked - 1), averaged: 0 always the first, 1 always the last."),
    TALLY("regret", "n?", regret, "Final loss above the best of its growth, averaged, in nats; null for lags."),
    TALLY("regret_of_spread", "n?", of_spread, "The same of the range of the finals."),
};
#undef TALLY
static const struct lagd_schema tally_schema = LAGD_SCHEMA("PriorTally", tally_members);

static int write_bin(struct lagd_json *json, const char *key, const double *ends, int i) {
    return lagd_write_interval(json, key, i > 0 ? ends[i - 1] : 0, ends[i]);
}

static int write_factor(struct lagd_json *json, const char *key, const void *object, void *context) {
    return write_bin(json, key, lagd_prior_factors, ((const struct lagd_prior_entry *)object)->factor);
}

static int write_share(struct lagd_json *json, const char *key, const void *object, void *context) {
    return write_bin(json, key, lagd_prior_shares, ((const struct lagd_prior_entry *)object)->share);
}

#define ENTRY(name, type, member, help) LAGD_MEMBER(struct lagd_prior_entry, name, type, member, help)
static const struct lagd_member entry_members[] = {
    ENTRY("operator", "s", op, NULL),
    LAGD_WRITTEN("factor", "[n?]", write_factor, "Growth factor of the blocks' parameters, which is that of the depth "
                 "where depth alone grows: above the first, up to the second; null: without end."),
    LAGD_WRITTEN("share", "[n?]", write_share, "Share of the run's steps that were done: above the first (or 0), up to "
                 "the second; null: to the end."),
    LAGD_OBJECT(struct lagd_prior_entry, "lags", &tally_schema, lags, "As growths were decided."),
    LAGD_OBJECT(struct lagd_prior_entry, "finals", &tally_schema, finals, "As candidates of completed studies ended."),
};
#undef ENTRY
static const struct lagd_schema entry_schema = LAGD_SCHEMA("PriorEntry", entry_members);

static int write_entries(struct lagd_json *json, const char *key, const void *object, void *context) {
    const struct lagd_prior_list *list = object;
    lagd_json_open_array(json, key);
    for (size_t i = 0; i < list->n; i++)
        (void)lagd_write_object(json, NULL, &entry_schema, &list->entries[i], NULL);
    lagd_json_close_array(json);
    return 0;
}

#define LIST(name, type, member, help) LAGD_MEMBER(struct lagd_prior_list, name, type, member, help)
static const struct lagd_member list_members[] = {
    LAGD_WRITTEN_OF("items", "[@]", &entry_schema, write_entries, "By operator, growth factor and share of training "
                    "done."),
    LIST("n_decided", "i", n_decided, "Growths that the lags are of: of the newest "
         LAG_TEXT_OF(LAGD_PRIOR_GROWTHS_MAX) " decided ones, those of at least two candidates."),
    LIST("n_studied", "i", n_studied, "Growths of completed studies among them, which the finals are of."),
    LAGD_ONE_PAGE,
};
#undef LIST
const struct lagd_schema lagd_prior_list_schema = LAGD_SCHEMA("PriorList", list_members);
