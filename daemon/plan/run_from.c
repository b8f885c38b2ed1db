/* What a run begins from, and whether the dataset's tokens are its own. */
#include <lagd/daemon/run_from.h>

#include "plan/same_tokens_internal.h"
#include "plan/shape_internal.h"

#include <lagd/base/check.h>
#include <lagd/base/error.h>
#include <lagd/base/mem.h>
#include <lagd/daemon/shape.h>
#include <lagd/daemon/states.h>
#include <lagd/storage/checkpoints.h>
#include <lagd/storage/models.h>
#include <lagd/storage/runs.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum {
    N_BYTES = 256,
    BYTES_VOCAB_MAX = 2 * N_BYTES, /* a vocabulary may be rounded up */
};

#define FROM(member) LAG_FIELD_AT(struct lagd_run_from, member)
static const struct lag_field rows[] = {
    {"model", LAG_FIELD_TEXT, FROM(model), 1, LAG_ROW_NAME - 1, NULL, NULL, 0, "",
     "Id or name of a model that was brought (POST /models)."},
    {"checkpoint", LAG_FIELD_TEXT, FROM(checkpoint), 1, LAG_ROW_ID - 1, NULL, NULL, 0, "",
     "Id of a checkpoint of any run, whose weights the run begins with at step 0."},
    {"moments", LAG_FIELD_BOOL, FROM(moments), 0, 0, "false", NULL, 0, "",
     "With a checkpoint: keep the moments of its optimiser; else they are 0."},
};
const struct lag_fields lagd_run_from_fields = {rows, LAG_COUNT(rows)};

/* --- the source -------------------------------------------------------------------------------------------------- */

static int find_model(struct lag_db *db, const char *name, struct lag_model_row *ret, struct lag_error *err) {
    int rc = lag_model_get(db, name, ret, err);
    if (rc == LAG_ENOTFOUND)
        return lag_error_at(err, LAG_EINVAL, "/from/model", "there is no model %s: bring it first (POST "
                            "/api/v1/models)", name);
    if (rc != 0) return rc;
    if (lagd_model_is(ret->state, LAGD_MODEL_IMPORTING))
        return lag_error_at(err, LAG_ESTATE, "/from/model", "model %s is being imported: wait until it is ready",
                            ret->name);
    if (lagd_model_is(ret->state, LAGD_MODEL_READY)) return 0;
    return lag_error_at(err, LAG_ESTATE, "/from/model", "model %s could not be imported (%.300s): bring it again",
                        ret->name, ret->reason);
}

static int find_checkpoint(struct lag_db *db, const char *id, struct lagd_run_source *ret, struct lag_error *err) {
    int rc = lag_checkpoint_get(db, id, &ret->checkpoint, err);
    if (rc == LAG_ENOTFOUND)
        return lag_error_at(err, LAG_EINVAL, "/from/checkpoint", "there is no checkpoint %s: GET "
                            "/api/v1/runs/{run}/checkpoints lists those of a run", id);
    if (rc == 0) rc = lag_run_get(db, ret->checkpoint.run_id, &ret->run, err);
    if (rc == 0 && ret->run.model_id[0]) rc = lag_model_get(db, ret->run.model_id, &ret->model, err);
    return rc;
}

static int find_source(struct lag_db *db, const struct lagd_run_from *from, struct lagd_run_source *ret,
                       struct lag_error *err) {
    if (from->model[0] && from->checkpoint[0])
        return lag_error_at(err, LAG_EINVAL, "/from", "from names a model or a checkpoint, not both");
    if (!from->model[0] && !from->checkpoint[0])
        return lag_error_at(err, LAG_EINVAL, "/from", "from must name a model or a checkpoint");
    if (from->model[0] && from->moments)
        return lag_error_at(err, LAG_EINVAL, "/from/moments", "a model has no moments: they are 0; leave moments out");
    return from->model[0] ? find_model(db, from->model, &ret->model, err)
                          : find_checkpoint(db, from->checkpoint, ret, err);
}

/* What the request says of the shape is so, or it is refused: 0 stands for "derive" where it may be given. */
static int take_shape(const struct lagd_run_from *from, const struct lag_shape *shape, bool gated, const char *whose,
                      struct lagd_run_config *config, struct lag_error *err) {
    const char *name;
    for (int i = 0; (name = lagd_axis_name(i)) != NULL; i++) {
        const int64_t asked = lagd_axis_get(&config->shape, i);
        const bool of_head = lagd_axis_get(shape, i) == 0; /* left out, as it follows from the others */
        const int64_t is = of_head ? lagd_shape_head_dim(shape) : lagd_axis_get(shape, i);
        char pointer[64];
        if (!(from->given >> i & 1) || asked == is || asked == 0) continue;
        (void)snprintf(pointer, sizeof(pointer), "/model/%s", name);
        return lag_error_at(err, LAG_EINVAL, pointer, "model/%s is %" PRId64 ", but %s has %" PRId64 ": leave it out",
                            name, asked, whose, is);
    }
    if (config->gated && !gated)
        return lag_error_at(err, LAG_EINVAL, "/model/gated", "model/gated is true, but %s has no gates: leave it out, "
                            "or grow the run by gate_zero", whose);
    config->shape = *shape;
    config->gated = gated;
    return 0;
}

/* --- the tokens -------------------------------------------------------------------------------------------------- */

static bool holds_bytes(const struct lag_dataset_row *dataset) { return strcmp(dataset->format, "text") == 0; }

/* A model that came without a tokenizer and has a vocabulary of bytes may have been trained on them. */
static bool takes_bytes(const struct lag_model_row *model) {
    if (strcmp(model->tokenizer, "bytes") == 0) return true;
    return strcmp(model->tokenizer, "none") == 0 && model->shape.vocab_size <= BYTES_VOCAB_MAX;
}

static int check_tokens(struct lag_db *db, const struct lagd_run_source *source, const struct lagd_run_config *config,
                        const struct lag_dataset_row *dataset, struct lag_error *err) {
    struct lag_dataset_row before;
    const bool bytes = holds_bytes(dataset);
    if (source->model.id[0]) {
        if (!bytes || takes_bytes(&source->model)) return 0;
        return lag_error_at(err, LAG_EINVAL, "/dataset", "dataset %s holds bytes, model %s needs its tokenizer: "
                            "tokenise it first", dataset->name, source->model.name);
    }
    if (source->run.id[0] && lag_dataset_get(db, source->run.dataset_id, &before, NULL) == 0 &&
        holds_bytes(&before) != bytes)
        return lag_error_at(err, LAG_EINVAL, "/dataset", "dataset %s holds %s, but run %s was trained on %s: name a "
                            "dataset of the same tokens", dataset->name, bytes ? "bytes" : "tokens", source->run.name,
                            bytes ? "tokens" : "bytes");
    if (source->run.id[0] && lag_dataset_get(db, source->run.dataset_id, &before, NULL) == 0 &&
        !lagd_tokens_agree(db, dataset, &before))
        return lag_error_at(err, LAG_EINVAL, "/dataset", "tokenizer %s has made the tokens of dataset %s, but run %s "
                            "was trained on those of tokenizer %s: name a dataset of the same tokens, or of a "
                            "tokenizer that goes on from it", dataset->tokenizer_name, dataset->name, source->run.name,
                            before.tokenizer_name);
    if (!bytes || config->shape.vocab_size <= BYTES_VOCAB_MAX) return 0;
    return lag_error_at(err, LAG_EINVAL, "/model/vocab_size", "dataset %s holds bytes, of which there are %d, and "
                        "model/vocab_size is %" PRId64 ": leave it out (at most %d), or tokenise the dataset first",
                        dataset->name, N_BYTES, config->shape.vocab_size, BYTES_VOCAB_MAX);
}

/* --- all of it --------------------------------------------------------------------------------------------------- */

static int take_source(struct lag_db *db, const struct lagd_run_from *from, struct lagd_run_config *config,
                       struct lagd_run_source *ret, struct lag_error *err) {
    char whose[LAG_ROW_NAME + 16];
    int rc = find_source(db, from, ret, err);
    if (rc != 0) return rc;
    const bool is_checkpoint = ret->checkpoint.id[0] != '\0';
    (void)snprintf(whose, sizeof(whose), "%s %s", is_checkpoint ? "checkpoint" : "model",
                   is_checkpoint ? ret->checkpoint.id : ret->model.name);
    return take_shape(from, is_checkpoint ? &ret->checkpoint.shape : &ret->model.shape,
                      is_checkpoint && ret->checkpoint.gated, whose, config, err);
}

int lagd_run_prepare(struct lag_db *db, const struct lagd_run_from *from, struct lagd_run_config *config,
                     struct lag_dataset_row *ret_dataset, struct lagd_run_source *ret, struct lag_error *err) {
    memset(ret, 0, sizeof(*ret));
    int rc = lag_dataset_get(db, config->dataset, ret_dataset, err);
    if (rc == LAG_ENOTFOUND)
        return lag_error_at(err, LAG_EINVAL, "/dataset", "there is no dataset %s: add it first, or name one that GET "
                            "/api/v1/datasets lists", config->dataset);
    if (rc == 0 && from) rc = take_source(db, from, config, ret, err);
    /* Before its numbers are: what they mean is worth more than how many there are. */
    if (rc == 0 && from) rc = check_tokens(db, ret, config, ret_dataset, err);
    if (rc == 0) rc = lagd_run_config_resolve(config, ret_dataset, err);
    return rc == 0 && !from ? check_tokens(db, ret, config, ret_dataset, err) : rc;
}
