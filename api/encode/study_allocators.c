/* What allocators and verdicts would have done in a study, as JSON. */
#include "encode/study_internal.h"

struct choice {
    int64_t seed, t;
    const char *pick; /* "" = nobody */
    double regret;
    const char *basis;
};
#define CHOICE(name, type, member, help) LAGD_MEMBER(struct choice, name, type, member, help)
static const struct lagd_member choice_members[] = {
    CHOICE("seed", "i", seed, NULL),
    LAGD_POINTED(struct choice, "pick", "s?", pick, "The candidate; null: nobody could win."),
    CHOICE("t", "i", t, "Where it was decided, in steps since the growth."),
    CHOICE("regret", "n?", regret, "Its final loss above the seed's best."),
    LAGD_POINTED(struct choice, "basis", "s", basis, "Of the verdict, as a decision's."),
};
#undef CHOICE
static const struct lagd_schema choice_schema = LAGD_SCHEMA("StudyAllocatorPick", choice_members);

static int write_choices(struct lagd_json *json, const char *key, const void *object, void *context) {
    const struct lagd_study_result *result = context;
    const struct lagd_study_allocator *allocator = object;
    lagd_json_open_array(json, key);
    for (int i = 0; i < result->n_seeds; i++) {
        const struct lagd_study_choice *found = &allocator->choices[i];
        const struct choice choice = {result->seeds[i].seed, found->t,
                                      found->pick >= 0 ? result->candidates[found->pick].label : "", found->regret,
                                      found->basis};
        (void)lagd_write_object(json, NULL, &choice_schema, &choice, NULL);
    }
    lagd_json_close_array(json);
    return 0;
}

#define ALLOCATOR(name, type, member, help) LAGD_MEMBER(struct lagd_study_allocator, name, type, member, help)
static const struct lagd_member allocator_members[] = {
    LAGD_POINTED(struct lagd_study_allocator, "allocator", "s", name, "As probe/allocator names it."),
    ALLOCATOR("lag", "i", lag, "The lag that it was asked for: half of the horizon; a quarter for auto."),
    ALLOCATOR("max_steps", "i", max_steps, "As far as it could extend that."),
    ALLOCATOR("regret", "n?", regret, "Final loss of each seed's pick above its best, averaged; in nats."),
    ALLOCATOR("regret_of_spread", "n?", of_spread, "Of the range of the finals: 0 the best pick, 1 the worst."),
    ALLOCATOR("probe_steps", "n?", probe_steps, "Of all candidates until they were stopped or it was decided, of one "
              "seed."),
    ALLOCATOR("share_of_all", "n?", share_of_all, "Of the steps that training all to the horizon takes."),
    LAGD_WRITTEN_OF("picks", "[@]", &choice_schema, write_choices, "By seed."),
};
#undef ALLOCATOR
const struct lagd_schema lagd_study_allocator_schema = LAGD_SCHEMA("StudyAllocator", allocator_members);

int lagd_write_study_allocators(struct lagd_json *json, const char *key, const void *object, void *context) {
    const struct lagd_study_result *result = object;
    lagd_json_open_array(json, key);
    for (int i = 0; i < result->n_allocators; i++)
        (void)lagd_write_object(json, NULL, &lagd_study_allocator_schema, &result->allocators[i], (void *)object);
    lagd_json_close_array(json);
    return 0;
}

#define SAID(name, type, member, help) LAGD_MEMBER(struct lagd_study_said, name, type, member, help)
static const struct lagd_member said_members[] = {
    LAGD_POINTED(struct lagd_study_said, "basis", "s", basis, "As a decision's."),
    SAID("n", "i", n, "Verdicts with a pick."),
    SAID("n_within_delta", "i", n_within_delta, "Those whose pick ends within delta of the seed's best."),
    SAID("largest_regret", "n", largest_regret, "Of all their picks."),
};
#undef SAID
const struct lagd_schema lagd_study_said_schema = LAGD_SCHEMA("StudyVerdicts", said_members);

int lagd_write_study_said(struct lagd_json *json, const char *key, const void *object, void *context) {
    const struct lagd_study_result *result = object;
    lagd_json_open_array(json, key);
    for (int i = 0; i < result->n_said; i++)
        (void)lagd_write_object(json, NULL, &lagd_study_said_schema, &result->said[i], NULL);
    lagd_json_close_array(json);
    return 0;
}
