/* A run's configuration: what ranges cannot say, and its text form. */
#include "plan/batches_internal.h"
#include "plan/run_config_internal.h"
#include "plan/shape_internal.h"
#include <lagd/daemon/run_config.h>
#include <lagd/daemon/states.h>

#include <lagd/base/check.h>
#include <lagd/base/error.h>
#include <lagd/base/ids.h>
#include <lagd/base/mem.h>
#include <lagd/base/names.h>
#include <lagd/base/parse.h>
#include <lagd/base/strbuf.h>
#include <lagd/engine/data.h>
#include <lagd/engine/spec.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* The fields of such texts take their choices from the same names, so a configuration that was read has no other one.
 */
static int value_of(const char *const *names, const char *name) {
    int value = lag_names_find(names, name);
    LAG_ASSERT(value >= 0);
    return value;
}

void lagd_run_spec(const struct lagd_run_config *config, struct lag_spec *ret) {
    const enum lag_arch arch = (enum lag_arch)value_of(lag_arch_names, config->arch);
    *ret = (struct lag_spec){.arch = arch, .norm_eps = 1e-5, .gated = config->gated};
    lagd_spec_take_shape(ret, &config->shape);
}

enum lag_precision lagd_run_precision(const struct lagd_run_config *config) {
    return (enum lag_precision)value_of(lag_precision_names, config->precision);
}

struct lag_work_shape lagd_run_work_shape(const struct lagd_run_config *config, int n_threads) {
    return (struct lag_work_shape){.batch = (int)config->sequences, .context = (int)config->tokens_per_sequence,
                                   .n_members = n_threads, .precision = lagd_run_precision(config),
                                   .recompute = config->recompute};
}

void lagd_run_step_config(const struct lagd_run_config *config, double lr_scale, struct lag_step_config *ret) {
    const enum lag_schedule_kind kind = (enum lag_schedule_kind)value_of(lag_schedule_names, config->schedule);
    *ret = (struct lag_step_config){.optim = {.lr = config->lr,
                                              .beta1 = config->beta1,
                                              .beta2 = config->beta2,
                                              .eps = config->eps,
                                              .weight_decay = config->weight_decay,
                                              .grad_clip = config->grad_clip},
                                    .schedule = {.kind = kind,
                                                 .warmup_steps = config->warmup_steps,
                                                 .max_steps = config->max_steps,
                                                 .min_lr = config->min_lr,
                                                 .decay_fraction = config->decay_fraction},
                                    .batch = (int)config->sequences,
                                    .context = (int)config->tokens_per_sequence,
                                    .accumulate = (int)config->accumulate,
                                    .seed = (uint64_t)config->seed,
                                    .lr_scale = lr_scale};
}

int lagd_run_spec_of_row(const struct lag_run_row *row, struct lagd_run_config *ret_config, struct lag_spec *ret,
                         struct lag_error *err) {
    struct lagd_run_config config;
    int rc = lagd_run_config_parse(row->config, &config, err);
    if (rc < 0) return lag_error_wrap(err, "run %s", row->id);
    lagd_run_spec(&config, ret);
    lagd_spec_take_shape(ret, &row->shape);
    ret->gated = row->gated;
    rc = lagd_batches_at(row, row->step, &config, err);
    if (rc == 0 && ret_config) *ret_config = config;
    return rc;
}

/* --- resolving --------------------------------------------------------------------------------------------------- */

/* For a configuration that came neither from a body nor from a row. */
static int check_names(const struct lagd_run_config *config, struct lag_error *err) {
    if (lag_names_find(lag_arch_names, config->arch) < 0)
        return lag_names_refuse(lag_arch_names, "/model/arch", "model/arch", config->arch, err);
    if (lag_names_find(lag_precision_names, config->precision) < 0)
        return lag_names_refuse(lag_precision_names, "/precision", "precision", config->precision, err);
    if (lag_names_find(lag_schedule_names, config->schedule) < 0)
        return lag_names_refuse(lag_schedule_names, "/schedule/kind", "schedule/kind", config->schedule, err);
    return 0;
}

static int resolve_schedule(const struct lagd_run_config *config, struct lag_error *err) {
    if (config->warmup_steps >= config->max_steps) {
        return lag_error_at(err, LAG_EINVAL, "/schedule/warmup_steps",
                            "schedule/warmup_steps (%" PRId64 ") must be below "
                            "schedule/max_steps (%" PRId64 ")",
                            config->warmup_steps, config->max_steps);
    }
    if (config->min_lr > config->lr) {
        return lag_error_at(err, LAG_EINVAL, "/schedule/min_lr", "schedule/min_lr (%g) must not be above optim/lr (%g)",
                            config->min_lr, config->lr);
    }
    return 0;
}

static int check_dataset(const struct lag_dataset_row *dataset, struct lag_error *err) {
    if (lagd_dataset_is(dataset->state, LAGD_DATASET_REGISTERING))
        return lag_error_at(err, LAG_ESTATE, "/dataset",
                            "dataset %s is still being registered (%" PRId64 " of %" PRId64 " bytes are read): wait "
                            "until it is ready, GET /api/v1/datasets/%s tells",
                            dataset->name, dataset->n_bytes_done, dataset->n_bytes, dataset->name);
    if (lagd_dataset_is(dataset->state, LAGD_DATASET_FAILED))
        return lag_error_at(err, LAG_ESTATE, "/dataset",
                            "dataset %s could not be registered (%.300s): register it again", dataset->name,
                            dataset->reason);
    return 0;
}

static int resolve_model(struct lagd_run_config *config, const struct lag_dataset_row *dataset, struct lag_error *err) {
    lagd_shape_settle(&config->shape);
    if (config->shape.n_inner == 0) config->shape.n_inner = 4 * config->shape.n_embd;
    if (config->shape.vocab_size == 0) config->shape.vocab_size = dataset->vocab_size;
    if (config->tokens_per_sequence == 0) config->tokens_per_sequence = config->shape.n_positions;
    if (config->shape.vocab_size <= dataset->max_id) {
        return lag_error_at(err, LAG_EINVAL, "/model/vocab_size",
                            "model/vocab_size is %" PRId64 ", but dataset %s has token "
                            "%" PRId64 ": at least %" PRId64 " is needed (0 takes the dataset's)",
                            config->shape.vocab_size, dataset->name, dataset->max_id, dataset->max_id + 1);
    }
    if (config->tokens_per_sequence > config->shape.n_positions) {
        return lag_error_at(err, LAG_EINVAL, "/batch/tokens_per_sequence",
                            "batch/tokens_per_sequence (%" PRId64 ") must not "
                            "be above model/n_positions (%" PRId64 ")",
                            config->tokens_per_sequence, config->shape.n_positions);
    }
    struct lag_spec spec;
    lagd_run_spec(config, &spec);
    return lag_spec_check(&spec, err);
}

/* Products that later code forms in int64_t and size_t: tokens of a step and of the run. */
static int resolve_sizes(const struct lagd_run_config *config, struct lag_error *err) {
    uint64_t tokens = 0;
    bool fits =
        lag_mul_u64((uint64_t)config->sequences, (uint64_t)config->tokens_per_sequence, &tokens) && tokens <= INT32_MAX;
    if (!fits) {
        return lag_error_at(err, LAG_EINVAL, "/batch/sequences",
                            "batch/sequences × batch/tokens_per_sequence must be at most "
                            "%d tokens",
                            INT32_MAX);
    }
    fits = lag_mul_u64(tokens, (uint64_t)config->accumulate, &tokens) &&
           lag_mul_u64(tokens, (uint64_t)config->max_steps, &tokens) && tokens <= INT64_MAX / 4;
    if (fits) return 0;
    return lag_error_at(err, LAG_EINVAL, "/batch/accumulate", "the tokens of the whole run do not fit 63 bits: lower "
                        "batch/accumulate or schedule/max_steps");
}

int lagd_run_config_resolve(struct lagd_run_config *config, const struct lag_dataset_row *dataset,
                            struct lag_error *err) {
    struct lagd_run_config resolved = *config;
    int rc = config->name[0] ? lag_name_check(config->name, err) : 0;
    if (rc == 0) rc = check_names(&resolved, err);
    if (rc == 0) rc = check_dataset(dataset, err);
    if (rc == 0) rc = lag_precision_check(lagd_run_precision(&resolved), err);
    if (rc == 0) rc = resolve_schedule(&resolved, err);
    if (rc == 0) rc = resolve_model(&resolved, dataset, err);
    if (rc == 0) rc = resolve_sizes(&resolved, err);
    if (rc < 0) return rc;
    struct lag_dataset_info info = {.n_bytes = (uint64_t)dataset->n_bytes, .n_tokens = (uint64_t)dataset->n_tokens,
                                    .max_id = (uint32_t)dataset->max_id, .vocab_size = (int)dataset->vocab_size};
    if (lag_token_format_parse(dataset->format, &info.format) != 0) {
        return lag_error_at(err, LAG_EUNSUPPORTED, "/dataset",
                            "dataset %s has the format \"%s\", which this lagd does not know", dataset->name,
                            dataset->format);
    }
    rc = lag_dataset_check(&info, (int)resolved.tokens_per_sequence, (int)resolved.shape.vocab_size, err);
    if (rc < 0) return rc;
    *config = resolved;
    return 0;
}

/* --- text form --------------------------------------------------------------------------------------------------- */

int lagd_run_config_format(const struct lagd_run_config *config, char *ret, struct lag_error *err) {
    struct lag_strbuf text = LAG_STRBUF_INIT;
    lag_fields_format(&lagd_run_fields, config, &text);
    int rc = 0;
    if (text.failed) {
        rc = lag_error_set(err, LAG_ENOMEM, "out of memory while writing a run's configuration");
    } else if (lag_copy(ret, LAG_ROW_CONFIG, text.data) < 0) {
        rc = lag_error_set(err, LAG_ETOOBIG,
                           "the run's configuration is longer than %d bytes as text: shorten note or "
                           "tags",
                           LAG_ROW_CONFIG - 1);
    }
    lag_strbuf_deinit(&text);
    return rc;
}

int lagd_run_config_parse(const char *text, struct lagd_run_config *ret, struct lag_error *err) {
    struct lagd_run_config config;
    memset(&config, 0, sizeof(config));
    int rc = lag_fields_parse(&lagd_run_fields, &config, text, err);
    if (rc == 0) *ret = config;
    return rc;
}

int lagd_run_config_parse_to_show(const char *text, struct lagd_run_config *ret, struct lag_error *err) {
    struct lagd_run_config config;
    memset(&config, 0, sizeof(config));
    int rc = lag_fields_parse_to_show(&lagd_run_fields, &config, text, err);
    if (rc >= 0) *ret = config;
    return rc;
}
