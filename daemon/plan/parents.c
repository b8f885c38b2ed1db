/* The models that a fusion takes in. */
#include "plan/parents_internal.h"

#include "plan/same_tokens_internal.h"
#include "plan/shape_internal.h"

#include <lagd/base/check.h>
#include <lagd/base/error.h>
#include <lagd/base/mem.h>
#include <lagd/storage/checkpoints.h>
#include <lagd/storage/models.h>
#include <lagd/storage/runs.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static_assert(LAGD_STRATEGY_PARENTS == LAG_FUSE_MAX, "a request holds every parent of a strategy");
static_assert(LAG_PARENT_NAME >= LAG_ROW_ID, "a strategy holds every id");

static int refuse(const struct lag_strategy *strategy, int i, const char *what, struct lag_error *err) {
    char pointer[32];
    (void)snprintf(pointer, sizeof(pointer), "/parents/%d", i);
    return lag_error_at(err, LAG_EINVAL, pointer, "%s %s: name a checkpoint of a run (GET /api/v1/runs/RUN/checkpoints "
                        "lists them)", strategy->parents[i].name, what);
}

static int pick_model(const struct lag_checkpoint_file_row *file, void *arg) {
    struct lag_growth_parent_row *row = arg;
    if (strcmp(file->name, "model.safetensors") == 0) (void)lag_copy(row->sha256, sizeof(row->sha256), file->sha256);
    return 0;
}

static int describe(struct lag_db *db, const struct lag_checkpoint_row *checkpoint, const struct lag_spec *spec,
                    struct lag_growth_parent_row *ret, struct lag_error *err) {
    struct lag_run_row run;
    int rc = lag_run_get(db, checkpoint->run_id, &run, err);
    if (rc < 0) return rc;
    *ret = (struct lag_growth_parent_row){.step = checkpoint->step, .memory_bytes = (int64_t)lag_state_bytes(spec)};
    (void)lag_copy(ret->checkpoint_id, sizeof(ret->checkpoint_id), checkpoint->id);
    (void)lag_copy(ret->run_id, sizeof(ret->run_id), run.id);
    (void)lag_copy(ret->run_name, sizeof(ret->run_name), run.name);
    return lag_checkpoint_files(db, checkpoint->id, pick_model, ret, err);
}

/* --- what numbers mean ------------------------------------------------------------------------------------------- */

/* What a run's tokens are, as far as is known. */
struct reading {
    struct lag_dataset_row dataset; /* id "": it is gone */
    bool bytes;         /* its dataset is a text, read as bytes */
    bool brought;       /* it began from a model with a tokenizer of its own, … */
    char tokenizer[24]; /* … of this kind … */
    int64_t size;       /* … and size */
};

static void read_tokens(struct lag_db *db, const struct lag_run_row *run, struct reading *ret) {
    struct lag_model_row model;
    *ret = (struct reading){.bytes = false};
    if (lag_dataset_get(db, run->dataset_id, &ret->dataset, NULL) == 0)
        ret->bytes = strcmp(ret->dataset.format, "text") == 0;
    (void)lag_copy(ret->dataset.name, sizeof(ret->dataset.name), run->dataset_name);
    if (!run->model_id[0] || lag_model_get(db, run->model_id, &model, NULL) != 0) return;
    ret->brought = strcmp(model.tokenizer, "none") != 0 && strcmp(model.tokenizer, "bytes") != 0;
    (void)lag_copy(ret->tokenizer, sizeof(ret->tokenizer), model.tokenizer);
    ret->size = model.tokenizer_size;
}

/* Embeddings of one number are set side by side: it must mean the same to both. */
static int check_tokens(struct lag_db *db, const struct lag_strategy *strategy, int i, const struct lag_run_row *own,
                        const struct lag_run_row *other, struct lag_error *err) {
    struct reading mine, theirs;
    char what[400];
    if (strcmp(own->id, other->id) == 0) return 0;
    read_tokens(db, own, &mine);
    read_tokens(db, other, &theirs);
    if (mine.bytes != theirs.bytes) {
        (void)snprintf(what, sizeof(what), "is of run %s, whose dataset %s holds %s, and the run's own dataset %s %s: "
                       "fused models read the same tokens", other->name, theirs.dataset.name,
                       theirs.bytes ? "bytes of a text" : "tokens", mine.dataset.name,
                       mine.bytes ? "bytes of a text" : "tokens");
        return refuse(strategy, i, what, err);
    }
    if (!lagd_tokens_agree(db, &mine.dataset, &theirs.dataset)) {
        (void)snprintf(what, sizeof(what), "is of run %s, whose tokens tokenizer %s has made, and tokenizer %s has "
                       "made the run's own: fused models read the same tokens", other->name,
                       theirs.dataset.tokenizer_name,
                       mine.dataset.tokenizer_name);
        return refuse(strategy, i, what, err);
    }
    if (!mine.brought || !theirs.brought ||
        (strcmp(mine.tokenizer, theirs.tokenizer) == 0 && mine.size == theirs.size))
        return 0;
    (void)snprintf(what, sizeof(what), "is of run %s, whose tokenizer is %s of %" PRId64 " tokens, and the run's own "
                   "is %s of %" PRId64 ": fused models read the same tokens", other->name, theirs.tokenizer,
                   theirs.size, mine.tokenizer, mine.size);
    return refuse(strategy, i, what, err);
}

/* --- each of them ------------------------------------------------------------------------------------------------ */

static int know(struct lag_db *db, const struct lag_run_row *own, int i, struct lag_strategy *strategy,
                struct lagd_growth_plan *plan, struct lag_error *err) {
    struct lag_checkpoint_row checkpoint;
    struct lag_parent *parent = &strategy->parents[i];
    int rc = db ? lag_checkpoint_get(db, parent->name, &checkpoint, err) : LAG_ENOTFOUND;
    if (rc == LAG_ENOTFOUND) return refuse(strategy, i, "is no checkpoint that is there", err);
    if (rc < 0) return rc;
    lagd_spec_take_shape(&parent->spec, &checkpoint.shape);
    parent->spec.gated = checkpoint.gated;
    struct lag_run_row run;
    rc = lag_run_get(db, checkpoint.run_id, &run, err);
    if (rc == 0) rc = check_tokens(db, strategy, i, own, &run, err);
    if (rc == LAG_ENOTFOUND) return refuse(strategy, i, "is of a run that was deleted", err);
    if (rc < 0 || !plan) return rc;
    for (int k = 0; k < plan->n_parents; k++)
        if (strcmp(plan->parents[k].checkpoint_id, checkpoint.id) == 0) return 0;
    if (plan->n_parents == LAGD_PARENTS_MAX)
        return refuse(strategy, i, "is one too many: a growth's candidates take at most "
                      LAG_TEXT_OF(LAGD_PARENTS_MAX) " different ones", err);
    rc = describe(db, &checkpoint, &parent->spec, &plan->parents[plan->n_parents], err);
    if (rc == LAG_ENOTFOUND) return refuse(strategy, i, "is of a run that was deleted", err);
    plan->n_parents += rc == 0;
    return rc;
}

int lagd_parents_know(struct lag_db *db, const struct lag_run_row *run, const struct lag_spec *own,
                      struct lag_strategy *strategy, struct lagd_growth_plan *plan, struct lag_error *err) {
    int rc = 0;
    for (int i = 0; i < strategy->n_parents && rc == 0; i++) {
        strategy->parents[i].spec = *own; /* what no row says: architecture and epsilon */
        rc = know(db, run, i, strategy, plan, err);
    }
    return rc;
}

int64_t lagd_parents_bytes(const struct lagd_growth_plan *plan) {
    int64_t sum = 0;
    for (int i = 0; i < plan->n_parents; i++) sum += plan->parents[i].memory_bytes;
    return sum;
}
