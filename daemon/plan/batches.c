/* The batches of a run, whose sequences a growth may make longer. */
#include "plan/batches_internal.h"

#include <lagd/base/check.h>
#include <lagd/base/error.h>
#include <lagd/engine/data.h>
#include <lagd/storage/runs.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct piece { int64_t from, tokens; };
struct pieces {
    int n;
    struct piece of[LAGD_BATCHES_MAX];
};

static int64_t step_tokens(const struct lagd_run_config *config) {
    return config->sequences * config->tokens_per_sequence * config->accumulate;
}

/* The fewest micro-batches of n sequences that are no larger than one of before; n of one sequence where none is. */
static int64_t choose_accumulate(const struct lagd_run_config *config, int64_t n, int64_t tokens) {
    const int64_t most = config->sequences * config->tokens_per_sequence / tokens; /* sequences of a micro-batch */
    for (int64_t a = 1; most > 0 && a <= n; a++)
        if (n % a == 0 && n / a <= most) return a;
    return n;
}

bool lagd_batch_cut(struct lagd_run_config *config, int64_t tokens_per_sequence) {
    const int64_t total = step_tokens(config);
    if (tokens_per_sequence == config->tokens_per_sequence) return true;
    if (tokens_per_sequence < 1 || tokens_per_sequence > INT32_MAX || total % tokens_per_sequence) return false;
    const int64_t n = total / tokens_per_sequence;
    config->accumulate = choose_accumulate(config, n, tokens_per_sequence);
    config->sequences = n / config->accumulate;
    config->tokens_per_sequence = tokens_per_sequence;
    return true;
}

/* --- the row's text ---------------------------------------------------------------------------------------------- */

static int read_pieces(const struct lag_run_row *row, struct pieces *ret, struct lag_error *err) {
    ret->n = 0;
    for (const char *line = row->batches; *line; line += strcspn(line, "\n"), line += *line == '\n') {
        struct piece piece;
        const bool read = sscanf(line, "%" SCNd64 " %" SCNd64, &piece.from, &piece.tokens) == 2 && piece.tokens > 0;
        if (!read || ret->n == LAGD_BATCHES_MAX || (ret->n > 0 && piece.from <= ret->of[ret->n - 1].from))
            return lag_error_set(err, LAG_ECORRUPT, "the batches of run %s cannot be read", row->id);
        ret->of[ret->n++] = piece;
    }
    return 0;
}

static void copy_batch(const struct lagd_run_config *from, struct lagd_run_config *config) {
    config->sequences = from->sequences;
    config->tokens_per_sequence = from->tokens_per_sequence;
    config->accumulate = from->accumulate;
}

int lagd_batches_with(const struct lag_run_row *row, int64_t tokens_per_sequence, struct lagd_run_config *config,
                      struct lag_error *err) {
    struct lagd_run_config own;
    if (tokens_per_sequence == 0) return 0;
    int rc = lagd_run_config_parse(row->config, &own, err);
    if (rc < 0) return lag_error_wrap(err, "run %s", row->id);
    if (!lagd_batch_cut(&own, tokens_per_sequence))
        return lag_error_set(err, LAG_ECORRUPT, "the steps of run %s do not divide into sequences of %" PRId64
                             " tokens", row->id, tokens_per_sequence);
    copy_batch(&own, config);
    return 0;
}

int lagd_batches_at(const struct lag_run_row *row, int64_t step, struct lagd_run_config *config,
                    struct lag_error *err) {
    struct pieces pieces;
    struct lagd_run_config own;
    int rc = read_pieces(row, &pieces, err);
    if (rc < 0) return rc;
    int i = pieces.n - 1;
    while (i >= 0 && pieces.of[i].from >= step) i--; /* a state of the step that it is from is the parent's */
    if (i >= 0) return lagd_batches_with(row, pieces.of[i].tokens, config, err);
    rc = lagd_run_config_parse(row->config, &own, err);
    if (rc == 0) copy_batch(&own, config);
    return rc < 0 ? lag_error_wrap(err, "run %s", row->id) : 0;
}

void lagd_run_config_take_batch(const struct lag_run_row *row, struct lagd_run_config *config) {
    (void)lagd_batches_at(row, row->step, config, NULL);
}

int lagd_batches_add(struct lag_run_row *row, int64_t from, int64_t tokens_per_sequence, struct lag_error *err) {
    struct pieces pieces;
    if (tokens_per_sequence == 0) return 0;
    int rc = read_pieces(row, &pieces, err);
    if (rc < 0) return rc;
    while (pieces.n > 0 && pieces.of[pieces.n - 1].from >= from) pieces.n--;
    if (pieces.n == LAGD_BATCHES_MAX)
        return lag_error_at(err, LAG_ESTATE, "/batch/tokens_per_sequence", "the run's sequences have changed their "
                            "length %d times, and no more are stored: fork it", LAGD_BATCHES_MAX);
    pieces.of[pieces.n++] = (struct piece){from, tokens_per_sequence};
    size_t used = 0;
    for (int i = 0; i < pieces.n && used < sizeof(row->batches); i++)
        used += (size_t)snprintf(row->batches + used, sizeof(row->batches) - used, "%" PRId64 " %" PRId64 "\n",
                                 pieces.of[i].from, pieces.of[i].tokens);
    return 0;
}

/* --- what a growth trains on ------------------------------------------------------------------------------------- */

/* The longest sequences from least to most that a step's tokens divide into; 0: none. */
static int64_t longest_divisor(int64_t total, int64_t least, int64_t most) {
    for (int64_t tokens = LAG_MIN(total, most); tokens >= LAG_MAX(1, least); tokens--)
        if (total % tokens == 0) return tokens;
    return 0;
}

static int64_t shortest_divisor(int64_t total, int64_t least, int64_t most) {
    for (int64_t tokens = LAG_MAX(1, least); tokens <= LAG_MIN(total, most); tokens++)
        if (total % tokens == 0) return tokens;
    return 0;
}

static int refuse_cut(const struct lagd_batch_aim *aim, int64_t most, struct lag_error *err) {
    const int64_t total = step_tokens(aim->config);
    const int64_t below = longest_divisor(total, 1, LAG_MIN(aim->asked - 1, most));
    const int64_t above = shortest_divisor(total, aim->asked + 1, most);
    char other[32] = "";
    if (above > 0) (void)snprintf(other, sizeof(other), " or %" PRId64, above);
    return lag_error_at(err, LAG_EINVAL, "/batch/tokens_per_sequence",
                        "the %" PRId64 " tokens of a step, which a growth keeps, do not divide into sequences of %"
                        PRId64 ": ask for %" PRId64 "%s", total, aim->asked, below, other);
}

static int check_asked(const struct lagd_batch_aim *aim, struct lag_error *err) {
    struct lagd_run_config config = *aim->config;
    const int64_t most = aim->longest > 0 ? LAG_MIN(aim->n_positions, aim->longest) : aim->n_positions;
    if (aim->asked > aim->n_positions)
        return lag_error_at(err, LAG_EINVAL, "/batch/tokens_per_sequence",
                            "batch/tokens_per_sequence (%" PRId64 ") must not be above the grown model's n_positions "
                            "(%" PRId64 ")", aim->asked, aim->n_positions);
    if (aim->asked > most)
        return lag_error_at(err, LAG_EINVAL, "/batch/tokens_per_sequence",
                            "the validation part of the run's dataset has sequences of at most %" PRId64 " tokens: ask "
                            "for that or less", aim->longest);
    return lagd_batch_cut(&config, aim->asked) ? 0 : refuse_cut(aim, most, err);
}

static void say_shorter(const struct lagd_batch_aim *aim, int64_t tokens, char note[LAGD_BATCH_NOTE]) {
    const int64_t total = step_tokens(aim->config);
    if (aim->longest > 0 && aim->longest < aim->n_positions && tokens <= aim->longest &&
        longest_divisor(total, aim->longest + 1, aim->n_positions))
        (void)snprintf(note, LAGD_BATCH_NOTE, "training sequences have %" PRId64 " tokens, and not %" PRId64
                       ": the validation part of the dataset has none longer than %" PRId64, tokens, aim->n_positions,
                       aim->longest);
    else
        (void)snprintf(note, LAGD_BATCH_NOTE, "training sequences have %" PRId64 " tokens, and not %" PRId64
                       ": a step has %" PRId64 " tokens, which do not divide so", tokens, aim->n_positions, total);
}

int lagd_batch_choose(const struct lagd_batch_aim *aim, int64_t *ret, char note[LAGD_BATCH_NOTE],
                      struct lag_error *err) {
    const int64_t before = aim->config->tokens_per_sequence;
    int64_t tokens = aim->asked;
    note[0] = '\0';
    if (tokens == 0) {
        const bool fills = before >= aim->n_positions_before && aim->n_positions > before;
        const int64_t most = aim->longest > 0 ? LAG_MIN(aim->n_positions, aim->longest) : aim->n_positions;
        tokens = fills ? LAG_MAX(before, longest_divisor(step_tokens(aim->config), before, most)) : before;
        if (fills && tokens < aim->n_positions) say_shorter(aim, tokens, note);
        if (!fills && aim->n_positions > aim->n_positions_before)
            (void)snprintf(note, LAGD_BATCH_NOTE, "training sequences keep their %" PRId64 " tokens, fewer than the "
                           "context had before: batch/tokens_per_sequence asks for longer ones", before);
    } else {
        const int rc = check_asked(aim, err);
        if (rc < 0) return rc;
    }
    *ret = tokens == before ? 0 : tokens;
    return 0;
}

int64_t lagd_batch_longest(struct lag_db *db, const char *dataset) {
    struct lag_dataset_row row;
    if (!db || lag_dataset_get(db, dataset, &row, NULL) != 0) return 0;
    return lag_dataset_longest(&(struct lag_dataset_info){.n_tokens = (uint64_t)row.n_tokens});
}
