/* Growths, rankings and plans for people. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "ctl_internal.h"
#include "draw_internal.h"

static const struct ctl_column candidates[] = {
    {"RANK", "rank", CTL_INT},         {"CANDIDATE", "names", CTL_LIST}, {"STATE", "state", CTL_STATE},
    {"STEPS", "t", CTL_INT},           {"AT 0", "loss_at_0", CTL_LOSS},  {"AT LAG", "loss_at_lag", CTL_LOSS},
    {"PARAMS", "n_params", CTL_COUNT}, {"", "mark", CTL_TEXT},           {NULL, NULL, 0}};
static const struct ctl_column ranks[] = {{"RANK", "rank", CTL_INT},
                                          {"CANDIDATE", "label", CTL_TEXT},
                                          {"LOSS", "mean", CTL_LOSS},
                                          {"BEHIND", "margin_to_best", CTL_LOSS},
                                          {"95 %", "interval", CTL_TEXT},
                                          {"RANK AT 0", "rank_at_0", CTL_INT},
                                          {"", "mark", CTL_TEXT},
                                          {"ID", "candidate", CTL_TEXT},
                                          {NULL, NULL, 0}};
static const struct ctl_column plans[] = {{"CANDIDATE", "names", CTL_TEXT},
                                          {"LAYERS", "recipe", CTL_TEXT},
                                          {"PARAMS", "n_params", CTL_COUNT},
                                          {"FLOPS", "flops", CTL_COUNT},
                                          {"SAME FUNCTION", "function_preserving", CTL_TEXT},
                                          {"ELIGIBLE", "eligible", CTL_TEXT},
                                          {"PRIOR", "prior", CTL_NUMBER},
                                          {NULL, NULL, 0}};

static double order_of(json_t *candidate) {
    double loss = ctl_json_number(candidate, "loss_at_lag");
    return isfinite(loss) ? loss : (double)INFINITY;
}

/* The best at the lag first; a stable insertion sort of at most some dozens. */
static json_t *by_loss(json_t *items) {
    json_t *sorted = json_array(), *item;
    size_t i;
    json_array_foreach(items, i, item) {
        size_t at = json_array_size(sorted);
        while (at > 0 && order_of(json_array_get(sorted, at - 1)) > order_of(item)) at--;
        if (json_array_insert(sorted, at, item) < 0) break;
    }
    return sorted;
}

static bool has(json_t *ids, const char *id) {
    json_t *one;
    size_t i;
    json_array_foreach(ids, i, one) if (strcmp(json_string_value(one), id) == 0) return true;
    return false;
}

static void mark(json_t *items, json_t *growth) {
    const char *chosen = ctl_json_text(growth, "decision.candidate"),
               *first = ctl_json_text(growth, "decision.pick_at_0");
    json_t *tied = ctl_json_at(growth, "decision.tied_set"), *tied_at_0 = ctl_json_at(growth, "decision.tied_at_0");
    json_t *item;
    size_t i;
    json_array_foreach(items, i, item) {
        const char *id = ctl_json_text(item, "id");
        const char *text = *chosen && strcmp(id, chosen) == 0                     ? "<- chosen"
                           : has(tied, id) && json_array_size(tied) > 1           ? "tied"
                           : has(tied_at_0, id)                                   ? "tied at step 0"
                           : *first && strcmp(id, first) == 0                     ? "lowest at step 0"
                           : strcmp(ctl_json_text(item, "operator"), "none") == 0 ? "not growing: the reference"
                                                                                  : "";
        (void)json_object_set_new(item, "mark", json_string(text));
    }
}

/* Who was stopped, and why; then the looks that were taken. */
static void print_rungs(struct lag_strbuf *out, json_t *growth) {
    json_t *item;
    size_t i;
    json_array_foreach(json_object_get(growth, "candidates"), i, item)
        if (strcmp(ctl_json_text(item, "state"), "stopped") == 0)
            ctl_say(out, "{label}: {reason}\n", item);
    json_array_foreach(json_object_get(growth, "rungs"), i, item) ctl_say(out, "rung {r}    {reason}\n", item);
}

static void print_decision(struct lag_strbuf *out, json_t *growth) {
    ctl_say(out, "\nbasis     {decision.basis}\n", growth);
    if (strcmp(ctl_json_text(growth, "decision.decided_by"), "user") == 0)
        ctl_say(out, *ctl_json_text(growth, "decision.reason") ? "decided   by a person: {decision.reason}\n"
                                                               : "decided   by a person\n", growth);
    ctl_say(out, "{decision.verdict}\n", growth);
}

/* What the decision has lost, once that is known; before, how far its audit is. */
static void print_audit(struct lag_strbuf *out, json_t *growth) {
    if (!ctl_json_at(growth, "audit")) return;
    ctl_say(out, "audit     {audit.state}", growth);
    if (*ctl_json_text(growth, "audit.study_name")) ctl_say(out, ", study {audit.study_name}", growth);
    if (*ctl_json_text(growth, "audit.reason")) ctl_say(out, ": {audit.reason}", growth);
    lag_strbuf_append(out, "\n");
    const double regret = ctl_json_number(growth, "audit.regret"), spread = ctl_json_number(growth,
                                                                                            "audit.regret_of_spread");
    json_t *item;
    size_t i;
    if (!isfinite(regret)) return;
    lag_strbuf_printf(out, "regret    %.4f nats at the end (95 %% interval %.4f to %.4f)", regret,
                      ctl_json_number(growth, "audit.regret_low"), ctl_json_number(growth, "audit.regret_high"));
    if (isfinite(spread)) lag_strbuf_printf(out, ", %.2f of the range of the finals", spread);
    json_array_foreach(json_object_get(growth, "candidates"), i, item)
        if (strcmp(ctl_json_text(item, "id"), ctl_json_text(growth, "audit.best")) == 0)
            ctl_say(out, "; best: {label}", item);
    lag_strbuf_append(out, "\n");
}

/* What it did to the model, once it is applied. */
static void print_effect(struct lag_strbuf *out, json_t *growth) {
    const char *words[] = {"changed as its operators let expect", "was to be kept, and changed",
                           "kept, though its operators do not promise it", "kept"};
    if (!ctl_json_at(growth, "effect")) return;
    const double change = ctl_json_number(growth, "effect.logit_change"), back = ctl_json_number(growth,
                                                                                              "effect.recovery_steps");
    const bool promised = json_is_true(ctl_json_at(growth, "effect.promised"));
    const bool kept = json_is_true(ctl_json_at(growth, "effect.preserved"));
    lag_strbuf_printf(out, "\neffect    loss %+.4f at step 0", ctl_json_number(growth, "effect.loss_change"));
    if (isfinite(change)) lag_strbuf_printf(out, "; the function is %s (logits by %.2g)", words[2 * kept + promised],
                                            change);
    const double spike = ctl_json_number(growth, "effect.spike");
    if (spike > 0) lag_strbuf_printf(out, "\nspike     %.4f nats above the parent's loss after %.0f steps", spike,
                                     ctl_json_number(growth, "effect.spike_steps"));
    else lag_strbuf_append(out, "\nspike     none: the loss did not rise above the parent's");
    if (back > 0) lag_strbuf_printf(out, ", back after %.0f", back);
    else if (spike > 0) lag_strbuf_append(out, ", not back yet");
    if (isfinite(change))
        lag_strbuf_printf(out, "\nnew parts %.0f %% of the first gradient; connection rate %.2f",
                          100 * ctl_json_number(growth, "effect.new_gradient_share"),
                          ctl_json_number(growth, "effect.connection_rate"));
    json_t *layer;
    size_t i;
    json_array_foreach(ctl_json_at(growth, "effect.layers"), i, layer) {
        const double ratio = ctl_json_number(layer, "rms_ratio");
        if (isfinite(ratio)) lag_strbuf_printf(out, i ? " %.3g" : "\nRMS ratio %.3g", ratio);
    }
    lag_strbuf_append(out, "\n");
}

int ctl_print_growth(struct ctl *ctl, json_t *growth) {
    struct lag_strbuf out = LAG_STRBUF_INIT;
    json_t *items = by_loss(json_object_get(growth, "candidates"));
    mark(items, growth);
    ctl_say(&out, "growth    {id}\nrun       {run}\nstate     {state}", growth);
    if (*ctl_json_text(growth, "reason")) ctl_say(&out, ": {reason}", growth);
    bool kept = json_is_false(json_object_get(growth, "grew"));
    ctl_say(&out, kept ? "\nshape     not grown from {change}" : "\nshape     {change}", growth);
    if (ctl_json_at(growth, "start_step")) ctl_say(&out, " at step {start_step}", growth);
    else if (ctl_json_number(growth, "when.at_step") >= 0) ctl_say(&out, " at step {when.at_step}", growth);
    const bool has_rungs = *ctl_json_text(growth, "probe.allocator") && strcmp(ctl_json_text(growth, "probe.allocator"),
                                                                               "all") != 0;
    ctl_say(&out, has_rungs ? ", lag {lag} steps ({probe.steps} asked, allocator {probe.allocator}), {mode}\n\n"
                            : ", lag {probe.steps} steps, {mode}\n\n", growth);
    ctl_table(&out, candidates, items, ctl->term.utf8, ctl->term.colour, ctl->term.width);
    print_rungs(&out, growth);
    if (ctl_json_at(growth, "decision")) print_decision(&out, growth);
    print_effect(&out, growth);
    print_audit(&out, growth);
    if (strcmp(ctl_json_text(growth, "state"), "awaiting_approval") == 0)
        ctl_say(&out, "\nIt waits for you: lagctl grow approve {id}, or grow reject {id}\n", growth);
    json_decref(items);
    return ctl_put(&out);
}

int ctl_print_ranking(struct ctl *ctl, json_t *ranking) {
    struct lag_strbuf out = LAG_STRBUF_INIT;
    json_t *items = json_object_get(ranking, "items"), *item;
    char text[48];
    size_t i;
    json_array_foreach(items, i, item) {
        json_t *interval = json_object_get(item, "margin_interval");
        double low = json_number_value(json_array_get(interval, 0)),
               high = json_number_value(json_array_get(interval, 1));
        (void)snprintf(text, sizeof(text), "%.4f to %.4f", low, high);
        bool known = json_is_number(json_array_get(interval, 0)) && (low != 0 || high != 0);
        (void)json_object_set_new(item, "interval", json_string(known ? text : ""));
        const bool is_tied = ctl_json_number(ranking, "n_tied") > 1 && json_is_true(json_object_get(item, "tied"));
        (void)json_object_set_new(item, "mark", json_string(is_tied ? "tied" : ""));
    }
    ctl_say(&out, "after {at_step} steps of the probe:\n", ranking);
    ctl_table(&out, ranks, items, ctl->term.utf8, ctl->term.colour, ctl->term.width);
    if (json_is_true(json_object_get(ranking, "tied")))
        lag_strbuf_printf(&out, "\n%.0f candidates cannot be told apart at 95 %% here.\n",
                          ctl_json_number(ranking, "n_tied"));
    return ctl_put(&out);
}

/* An allocator may end probes before, or lead them beyond the lag. */
static void print_bounds(struct lag_strbuf *out, json_t *plan) {
    char least[16], most[16], time[48];
    json_t *rung;
    size_t i;
    lag_strbuf_append(out, "the allocator looks at the candidates after step");
    json_array_foreach(json_object_get(plan, "rungs"), i, rung)
        lag_strbuf_printf(out, "%s %lld", i > 0 ? "," : "", (long long)json_integer_value(rung));
    ctl_count_text(ctl_json_number(plan, "least.flops"), least);
    ctl_count_text(ctl_json_number(plan, "most.flops"), most);
    ctl_seconds_text(ctl_json_number(plan, "seconds_least"), time);
    lag_strbuf_printf(out, "; at least %s FLOPs%s%s, at most %s\n", least,
                      isfinite(ctl_json_number(plan, "seconds_least")) ? " and " : "",
                      isfinite(ctl_json_number(plan, "seconds_least")) ? time : "", most);
}

int ctl_print_growth_plan(struct ctl *ctl, json_t *plan) {
    struct lag_strbuf out = LAG_STRBUF_INIT;
    char time[48], memory[16], peak[16], flops[16];
    ctl_seconds_text(ctl_json_number(plan, "seconds_guess"), time);
    ctl_bytes_text(ctl_json_number(plan, "memory_bytes"), memory);
    ctl_bytes_text(ctl_json_number(plan, "memory_peak_bytes"), peak);
    ctl_count_text(ctl_json_number(plan, "flops_total"), flops);
    ctl_table(&out, plans, json_object_get(plan, "candidates"), ctl->term.utf8, ctl->term.colour, ctl->term.width);
    lag_strbuf_printf(&out, "\nprobing %.0f at once takes about %s, %s of memory (%s with the run), %s FLOPs\n",
                      ctl_json_number(plan, "n_workers"),
                      isfinite(ctl_json_number(plan, "seconds_guess")) ? time : "an unknown time", memory, peak, flops);
    if (json_array_size(json_object_get(plan, "rungs")) > 0) print_bounds(&out, plan);
    ctl_say(&out, "after it, training sequences have {batch.tokens_per_sequence} tokens\n", plan);
    if (*ctl_json_text(plan, "batch_note")) ctl_say(&out, "{batch_note}\n", plan);
    if (strcmp(ctl_json_text(plan, "time_basis"), "run") != 0)
        lag_strbuf_append(&out, "the run has not trained since the daemon started: the time is a guess\n");
    ctl_say_prior(&out, plan);
    return ctl_put(&out);
}
