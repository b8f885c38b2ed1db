/* The report of a study as JSON. */
#include "encode/study_internal.h"

#include <lagd/base/check.h>
#include <math.h>
#include <string.h>

/* --- seeds and candidates ---------------------------------------------------------------------------------------- */


#define SEED(name, type, member, help) LAGD_MEMBER(struct lagd_study_seed, name, type, member, help)
static const struct lagd_member seed_members[] = {
    SEED("seed", "i", seed, NULL),
    SEED("run", "s", run, "Id of its run."),
    SEED("run_name", "s?", run_name, NULL),
    SEED("growth", "s", growth, "Id of the growth that had the candidates."),
};
static const struct lagd_schema seed_schema = LAGD_SCHEMA("StudySeed", seed_members);

static int write_seeds(struct lagd_json *json, const char *key, const void *object, void *context) {
    const struct lagd_study_result *result = object;
    lagd_json_open_array(json, key);
    for (int g = 0; g < result->n_seeds; g++)
        (void)lagd_write_object(json, NULL, &seed_schema, &result->seeds[g], NULL);
    lagd_json_close_array(json);
    return 0;
}

static int write_means(struct lagd_json *json, const char *key, const void *object, void *context) {
    const struct lagd_study_candidate *candidate = object;
    const struct lagd_study_result *result = context;
    lagd_json_open_array(json, key);
    for (int k = 0; k < result->n_times; k++) lagd_json_real(json, NULL, candidate->means[k]);
    lagd_json_close_array(json);
    return 0;
}

#define CANDIDATE(name, type, member, help) LAGD_MEMBER(struct lagd_study_candidate, name, type, member, help)
static const struct lagd_member candidate_members[] = {
    CANDIDATE("label", "s", label, "Its name among the others."),
    CANDIDATE("operator", "s", op, NULL),
    CANDIDATE("strategy", "s", strategy, "Its text, of the first seed."),
    CANDIDATE("eligible", "b", eligible, "It is ranked and may be picked."),
    CANDIDATE("reference", "b", reference, "The parent, which trains on as it is."),
    CANDIDATE("n_params", "i", n_params, NULL),
    CANDIDATE("step_flops", "n?", step_flops, "Of one training step."),
    CANDIDATE("learn_flops", "n?", learn_flops, "Of the steps that learned its growth, before its first; 0: none."),
    LAGD_WRITTEN("mean", "[n?]", write_means, "Validation loss at each of times, the mean over the seeds."),
};
static const struct lagd_schema candidate_schema = LAGD_SCHEMA("StudyCandidate", candidate_members);

static int write_candidates(struct lagd_json *json, const char *key, const void *object, void *context) {
    const struct lagd_study_result *result = object;
    lagd_json_open_array(json, key);
    for (int i = 0; i < result->n_candidates; i++)
        (void)lagd_write_object(json, NULL, &candidate_schema, &result->candidates[i], (void *)object);
    lagd_json_close_array(json);
    return 0;
}

static int write_times(struct lagd_json *json, const char *key, const void *object, void *context) {
    const struct lagd_study_result *result = object;
    lagd_json_open_array(json, key);
    for (int k = 0; k < result->n_times; k++) lagd_json_int(json, NULL, result->times[k]);
    lagd_json_close_array(json);
    return 0;
}

/* --- finals ------------------------------------------------------------------------------------------------------ */

struct final {
    const char *candidate, *label, *op;
    int64_t seed;
    double loss;
};
#define FINAL(name, type, member, help) LAGD_MEMBER(struct final, name, type, member, help)
static const struct lagd_member final_members[] = {
    LAGD_POINTED(struct final, "candidate", "s", candidate, "Its id."),
    LAGD_POINTED(struct final, "operator", "s", op, NULL),
    LAGD_POINTED(struct final, "label", "s", label, NULL),
    FINAL("seed", "i", seed, NULL),
    FINAL("loss", "n?", loss, "Validation loss at the horizon; null: it has diverged."),
};
static const struct lagd_schema final_schema = LAGD_SCHEMA("StudyFinal", final_members);

static int write_finals(struct lagd_json *json, const char *key, const void *object, void *context) {
    const struct lagd_study_result *result = object;
    lagd_json_open_array(json, key);
    for (int g = 0; result->has_report && g < result->n_seeds; g++) {
        for (int i = 0; i < result->n_candidates; i++) {
            const struct final final = {result->seeds[g].candidates[i], result->candidates[i].label,
                                        result->candidates[i].op, result->seeds[g].seed,
                                        result->report.finals[g * result->n_candidates + i]};
            (void)lagd_write_object(json, NULL, &final_schema, &final, NULL);
        }
    }
    lagd_json_close_array(json);
    return 0;
}

/* --- what each lag tells ----------------------------------------------------------------------------------------- */

static int write_phase(struct lagd_json *json, const char *key, const void *object, void *context) {
    lagd_json_text(json, key, lagd_phase_names[((const struct lagd_study_point *)object)->phase]);
    return 0;
}

static int write_without(struct lagd_json *json, const char *key, const void *object, void *context) {
    const struct lagd_study_agreement *agreement = &((const struct lagd_study_point *)object)->agreement;
    return lagd_write_interval(json, key, agreement->without_low, agreement->without_high);
}

#define POINT(name, type, member, help) LAGD_MEMBER(struct lagd_study_point, name, type, member, help)
#define POINT_MEMBERS                                                                                                  \
    POINT("t", "i", t, "Steps since the growth."), POINT("share", "n", share, "Of the horizon."),                      \
        LAGD_WRITTEN("phase", "s", write_phase, "Of the learning rate: warm, constant or decay.")
static const struct lagd_member correlation_members[] = {
    POINT_MEMBERS,
    POINT("pearson", "n?", agreement.pearson, "Correlation of the loss then with the final loss, over the candidates."),
    POINT("spearman", "n?", agreement.spearman, "The same of the ranks."),
    POINT("tau_b", "n?", agreement.tau_b, "Kendall's."),
    POINT("pair_accuracy", "n?", agreement.pair_accuracy, "Share of pairs in the order in which they end."),
    POINT("low", "n?", agreement.low, "Of its 95 % interval."),
    POINT("high", "n?", agreement.high, NULL),
    POINT("beyond_delta", "n?", agreement.beyond_delta, "Over the pairs that end further apart than delta."),
    LAGD_WRITTEN("without_one", "[n?]", write_without, "Least and most pair accuracy without any one candidate."),
};
static const struct lagd_schema correlation_schema = LAGD_SCHEMA("StudyCorrelation", correlation_members);

static int write_correlation(struct lagd_json *json, const char *key, const void *object, void *context) {
    const struct lagd_study_result *result = object;
    lagd_json_open_array(json, key);
    for (int k = 0; result->has_report && k < result->report.n_points; k++)
        (void)lagd_write_object(json, NULL, &correlation_schema, &result->report.points[k], NULL);
    lagd_json_close_array(json);
    return 0;
}

static int write_pick(struct lagd_json *json, const char *key, const void *object, void *context) {
    const struct lagd_study_result *result = context;
    const int pick = ((const struct lagd_study_point *)object)->regret.pick;
    lagd_json_text_or_null(json, key, pick >= 0 ? result->candidates[pick].label : "");
    return 0;
}

static int write_random(struct lagd_json *json, const char *key, const void *object, void *context) {
    lagd_json_real(json, key, ((const struct lagd_study_result *)context)->report.random);
    return 0;
}

static int write_prior(struct lagd_json *json, const char *key, const void *object, void *context) {
    lagd_json_real(json, key, ((const struct lagd_study_result *)context)->report.prior);
    return 0;
}

static int write_prior_pick(struct lagd_json *json, const char *key, const void *object, void *context) {
    const struct lagd_study_result *result = object;
    const bool known = result->has_report && result->prior_pick >= 0;
    lagd_json_text_or_null(json, key, known ? result->candidates[result->prior_pick].label : "");
    return 0;
}

static const struct lagd_member regret_members[] = {
    POINT_MEMBERS,
    LAGD_WRITTEN("pick", "s?", write_pick, "The candidate with the lowest loss then, in most seeds."),
    POINT("n_picked", "i", regret.n_picked, "Seeds that pick it."),
    POINT("regret", "n?", regret.regret, "Final loss of each seed's pick above its best, averaged; in nats."),
    POINT("low", "n?", regret.low, "Of its 95 % interval."),
    POINT("high", "n?", regret.high, NULL),
    POINT("regret_of_spread", "n?", regret.of_spread, "Of the range of the finals: 0 the best pick, 1 the worst."),
    LAGD_WRITTEN("random", "n?", write_random, "What a random pick would lose."),
    LAGD_WRITTEN("prior", "n?", write_prior, "What the prior's pick loses, whatever the lag."),
    POINT("probe_steps", "n?", regret.probe_steps, "Of all candidates up to then, of one seed."),
    POINT("probe_flops", "n?", regret.probe_flops, "The same in FLOPs."),
    POINT("lost_flops", "n?", regret.lost_flops, "Of these, all but the pick's own."),
};
static const struct lagd_schema regret_schema = LAGD_SCHEMA("StudyRegret", regret_members);

static int write_regret(struct lagd_json *json, const char *key, const void *object, void *context) {
    const struct lagd_study_result *result = object;
    lagd_json_open_array(json, key);
    for (int k = 0; result->has_report && k < result->report.n_points; k++)
        (void)lagd_write_object(json, NULL, &regret_schema, &result->report.points[k], (void *)object);
    lagd_json_close_array(json);
    return 0;
}

/* --- the transition, and the lag that suffices ------------------------------------------------------------------- */

static int write_into(struct lagd_json *json, const char *key, const void *object, void *context) {
    const struct lagd_study_break *at = object;
    lagd_json_text_or_null(json, key, at->into == LAGD_PHASE_WARM ? "" : lagd_phase_names[at->into]);
    return 0;
}

#define BREAK(name, type, member, help) LAGD_MEMBER(struct lagd_study_break, name, type, member, help)
static const struct lagd_member break_members[] = {
    BREAK("t", "i", t, "The first evaluation at which the order is known better."),
    BREAK("before", "i", before, "The last one before."),
    BREAK("low", "i?", low, "The break lies after this, and not after high, at 95 %."),
    BREAK("high", "i?", high, NULL),
    BREAK("level_before", "n?", level_before, "Pair accuracy before."),
    BREAK("level_after", "n?", level_after, "And after."),
    BREAK("height", "n?", height, "Their difference."),
    BREAK("height_low", "n?", height_low, "Of its 95 % interval."),
    BREAK("height_high", "n?", height_high, NULL),
    LAGD_WRITTEN("into", "s?", write_into, "The phase of the learning rate that begins there; null: none does."),
};
static const struct lagd_schema break_schema = LAGD_SCHEMA("StudyBreak", break_members);

static int write_break(struct lagd_json *json, const char *key, const struct lagd_study_result *result,
                       const struct lagd_study_break *at) {
    if (result->has_report && at->t >= 0) return lagd_write_object(json, key, &break_schema, at, NULL);
    lagd_json_null(json, key);
    return 0;
}

static int write_transition(struct lagd_json *json, const char *key, const void *object, void *context) {
    const struct lagd_study_result *result = object;
    return write_break(json, key, result, &result->report.transition);
}

static int write_largest(struct lagd_json *json, const char *key, const void *object, void *context) {
    const struct lagd_study_result *result = object;
    return write_break(json, key, result, &result->report.largest);
}

static const struct lagd_member lag_members[] = {
    LAGD_MEMBER(struct lagd_study_findings, "steps", "i", sufficient_steps, NULL),
    LAGD_MEMBER(struct lagd_study_findings, "share", "n?", sufficient_share, "Of the horizon."),
};
static const struct lagd_schema lag_schema = LAGD_SCHEMA("StudyLag", lag_members);

static int write_sufficient(struct lagd_json *json, const char *key, const void *object, void *context) {
    const struct lagd_study_result *result = object;
    if (result->has_report && result->report.sufficient_steps >= 0)
        return lagd_write_object(json, key, &lag_schema, &result->report, NULL);
    lagd_json_null(json, key);
    return 0;
}

/* --- baselines --------------------------------------------------------------------------------------------------- */

static int write_points(struct lagd_json *json, const char *key, const void *object, void *context) {
    const struct lagd_study_scratch *scratch = object;
    lagd_json_open_array(json, key);
    for (int i = 0; i < scratch->n_points; i++) {
        lagd_json_open_array(json, NULL);
        lagd_json_real(json, NULL, (double)scratch->steps[i] * scratch->step_flops);
        lagd_json_real(json, NULL, scratch->losses[i]);
        lagd_json_close_array(json);
    }
    lagd_json_close_array(json);
    return 0;
}

#define SCRATCH(name, type, member, help) LAGD_MEMBER(struct lagd_study_scratch, name, type, member, help)
static const struct lagd_member scratch_members[] = {
    SCRATCH("seed", "i", seed, NULL),
    SCRATCH("run", "s", run, "Id of its run."),
    SCRATCH("run_name", "s", run_name, NULL),
    SCRATCH("state", "s", state, "Of the run."),
    SCRATCH("step_flops", "n?", step_flops, "Of one training step."),
    LAGD_WRITTEN("points", "[[n?]]", write_points, "[FLOPs, validation loss] of each of its evaluations."),
};
static const struct lagd_schema scratch_schema = LAGD_SCHEMA("StudyScratch", scratch_members);

static int write_scratch(struct lagd_json *json, const char *key, const void *object, void *context) {
    const struct lagd_study_result *result = object;
    lagd_json_open_array(json, key);
    for (int i = 0; i < result->n_scratch; i++)
        (void)lagd_write_object(json, NULL, &scratch_schema, &result->scratch[i], NULL);
    lagd_json_close_array(json);
    return 0;
}

/* --- the report -------------------------------------------------------------------------------------------------- */

static int write_study(struct lagd_json *json, const char *key, const void *object, void *context) {
    return lagd_write_object(json, key, &lagd_study_schema, &((const struct lagd_study_result *)object)->study,
                             context);
}

static int write_reading(struct lagd_json *json, const char *key, const void *object, void *context) {
    struct lag_strbuf text = LAG_STRBUF_INIT;
    lagd_study_read_out(object, &text);
    lagd_json_text_n(json, key, text.data ? text.data : "", text.length);
    lag_strbuf_deinit(&text);
    return 0;
}

#define RESULT(name, type, member, help) LAGD_MEMBER(struct lagd_study_result, name, type, member, help)
static const struct lagd_member report_members[] = {
    LAGD_WRITTEN_OF("study", "@", &lagd_study_schema, write_study, NULL),
    RESULT("n_seeds", "i", n_seeds, "Seeds whose candidates have all come to the horizon; the report is of them."),
    RESULT("n_planned", "i", n_planned, "Seeds of the study."),
    RESULT("missing", "s?", why_not, "What is missing for a report; null: nothing is."),
    LAGD_WRITTEN("reading", "s", write_reading, "What it shows, in sentences: a line for each matter."),
    LAGD_WRITTEN_OF("seeds", "[@]", &seed_schema, write_seeds, NULL),
    LAGD_WRITTEN("times", "[i]", write_times, "Steps since the growth with an evaluation."),
    LAGD_WRITTEN_OF("candidates", "[@]", &candidate_schema, write_candidates, "In the order of the pool."),
    LAGD_WRITTEN_OF("finals", "[@]", &final_schema, write_finals, NULL),
    LAGD_WRITTEN_OF("correlation", "[@]", &correlation_schema, write_correlation,
                    "How well the loss at t tells the order at the horizon."),
    LAGD_WRITTEN_OF("regret", "[@]", &regret_schema, write_regret, "What picking at t would have lost."),
    LAGD_WRITTEN_OF("allocators", "[@]", &lagd_study_allocator_schema, lagd_write_study_allocators,
                    "What allocators would have picked, and for how many steps; what they know of the end comes from "
                    "the other studies here."),
    LAGD_WRITTEN_OF("verdicts", "[@]", &lagd_study_said_schema, lagd_write_study_said,
                    "What verdicts on all candidates would have been worth, by their basis: in every seed, at up to 24 "
                    "lags."),
    LAGD_WRITTEN_OF("transition", "@?", &break_schema, write_transition,
                    "Where the order becomes known, at a constant learning rate; null: it cannot be told that it "
                    "does."),
    LAGD_WRITTEN_OF("largest_break", "@?", &break_schema, write_largest, "The same over the whole horizon."),
    LAGD_WRITTEN_OF("sufficient_lag", "@?", &lag_schema, write_sufficient,
                    "The first lag from which the regret stays within delta, at 95 %; null: none does."),
    RESULT("spread", "n?", report.spread, "Range of the finals, averaged over the seeds."),
    RESULT("random_regret", "n?", report.random, "What a random pick loses on average."),
    LAGD_WRITTEN("prior_pick", "s?", write_prior_pick, "What the prior would have picked before anything was trained: "
                 "without one, the first of the pool."),
    RESULT("prior_cases", "i", prior_cases, "Growths that the prior was made of; 0: there was none."),
    RESULT("n_diverged", "i", report.n_diverged, "Candidates that diverged, over all seeds."),
    RESULT("ceiling", "n?", report.ceiling, "Reliability of the finals, 0 to 1."),
    RESULT("ceiling_accuracy", "n?", report.ceiling_accuracy, "Pair accuracy that finals so reliable allow."),
    LAGD_WRITTEN_OF("scratch", "[@]", &scratch_schema, write_scratch, "Baselines from scratch."),
    RESULT("equal_loss", "n?", equal_loss, "The loss at which growing and training from scratch are compared."),
    RESULT("grown_flops", "n?", grown_flops, "FLOPs that reach it by growing, parent and all probes included."),
    RESULT("scratch_flops", "n?", scratch_flops, "And from scratch."),
    RESULT("speedup", "n?", speedup, "The ratio of the two."),
};
const struct lagd_schema lagd_study_report_schema = LAGD_SCHEMA("StudyReport", report_members);
