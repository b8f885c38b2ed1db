/* lagd_lineage.json: what a model that is taken away was made of. */
#include "resources/hf_internal.h"

#include "encode/tokenizer_internal.h"
#include "resources/schemas_internal.h"

#include <lagd/base/check.h>
#include <lagd/base/error.h>
#include <lagd/base/ids.h>
#include <lagd/base/mem.h>
#include <lagd/storage/checkpoints.h>
#include <lagd/storage/growths.h>
#include <lagd/storage/models.h>
#include <lagd/storage/runs.h>
#include <lagd/storage/store.h>
#include <lagd/storage/tokenizers.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct lag_checkpoint_file_row *lagd_hf_sheet_file(const struct lagd_hf_sheet *sheet, const char *name) {
    const struct lag_checkpoint_file_row *rows = sheet->files.rows;
    for (size_t i = 0; i < sheet->files.n; i++)
        if (strcmp(rows[i].name, name) == 0) return &rows[i];
    return NULL;
}

enum lagd_hf_tokenizer lagd_hf_tokenizer(const struct lagd_hf_sheet *sheet) {
    if (*sheet->tokenizer.id) return LAGD_HF_STORED;
    if (*sheet->lender.id) return LAGD_HF_LENT;
    if (*sheet->model.id && strcmp(sheet->model.tokenizer, "none") != 0) return LAGD_HF_BROUGHT;
    return strcmp(sheet->dataset.format, "text") == 0 ? LAGD_HF_BYTES : LAGD_HF_UNKNOWN;
}

/* --- writing ----------------------------------------------------------------------------------------------------- */

#define FILE_ROW(name, type, member) LAGD_MEMBER(struct lag_checkpoint_file_row, name, type, member, NULL)
static const struct lagd_member file_members[] = {
    FILE_ROW("name", "s", name), FILE_ROW("n_bytes", "i", n_bytes), FILE_ROW("sha256", "s", sha256)};
static const struct lagd_schema file_schema = LAGD_SCHEMA("HfSourceFile", file_members);

/* Not its path: that says more about a machine than about a model. */
#define DATASET(name, type, member) LAGD_MEMBER(struct lag_dataset_row, name, type, member, NULL)
static const struct lagd_member dataset_members[] = {
    DATASET("name", "s", name), DATASET("format", "s", format), DATASET("n_bytes", "i", n_bytes),
    DATASET("n_tokens", "i", n_tokens), DATASET("vocab_size", "i", vocab_size), DATASET("sha256", "s", sha256)};
static const struct lagd_schema dataset_schema = LAGD_SCHEMA("HfDataset", dataset_members);

#define CANDIDATE(name, type, member) LAGD_MEMBER(struct lag_candidate_row, name, type, member, NULL)
static const struct lagd_member candidate_members[] = {
    CANDIDATE("id", "s", id), CANDIDATE("growth", "s", growth_id), CANDIDATE("operator", "s", op),
    CANDIDATE("strategy", "s", strategy), CANDIDATE("recipe", "s?", recipe), CANDIDATE("state", "s", state),
    CANDIDATE("n_params", "i", n_params)};
static const struct lagd_schema candidate_schema = LAGD_SCHEMA("HfCandidate", candidate_members);

static int write_files(struct lagd_json *json, const char *key, const void *object, void *context) {
    const struct lagd_hf_sheet *sheet = object;
    const struct lag_checkpoint_file_row *rows = sheet->files.rows;
    lagd_json_open_array(json, key);
    for (size_t i = 0; i < sheet->files.n; i++) (void)lagd_write_object(json, NULL, &file_schema, &rows[i], NULL);
    lagd_json_close_array(json);
    return 0;
}

static int write_candidate(struct lagd_json *json, const char *key, const void *object, void *context) {
    const struct lagd_hf_sheet *sheet = object;
    if (*sheet->candidate.id) return lagd_write_object(json, key, &candidate_schema, &sheet->candidate, NULL);
    lagd_json_null(json, key);
    return 0;
}

static int write_tokenizer(struct lagd_json *json, const char *key, const void *object, void *context) {
    const struct lagd_hf_sheet *sheet = object;
    const enum lagd_hf_tokenizer tokenizer = lagd_hf_tokenizer(sheet);
    if (tokenizer == LAGD_HF_UNKNOWN) {
        lagd_json_null(json, key);
        return 0;
    }
    const struct lag_model_row *from = tokenizer == LAGD_HF_BROUGHT ? &sheet->model
                                       : tokenizer == LAGD_HF_LENT  ? &sheet->lender
                                                                    : NULL;
    lagd_json_open_object(json, key);
    if (tokenizer == LAGD_HF_STORED) {
        lagd_json_text(json, "kind", sheet->tokenizer.kind);
        lagd_json_int(json, "vocab_size", sheet->tokenizer.vocab_size);
        lagd_json_text(json, "sha256", sheet->tokenizer.sha256);
        lagd_json_close_object(json);
        return 0;
    }
    lagd_json_text(json, "kind", from ? from->tokenizer : "bytes");
    if (from && from->tokenizer_size == 0) lagd_json_null(json, "vocab_size");
    else lagd_json_int(json, "vocab_size", from ? from->tokenizer_size : LAGD_TOKENIZER_BYTES);
    lagd_json_close_object(json);
    return 0;
}

static int write_note(struct lagd_json *json, const char *key, const void *object, void *context) {
    const struct lagd_hf_sheet *sheet = object;
    char text[256];
    (void)snprintf(text, sizeof(text), "The dataset %s holds %s tokens, and lagd does not know their tokenizer: add "
                   "the files of the one that made them.", sheet->dataset.name, sheet->dataset.format);
    lagd_json_text_or_null(json, key, lagd_hf_tokenizer(sheet) != LAGD_HF_UNKNOWN ? "" : text);
    return 0;
}

#define BROUGHT(name, type, member) LAGD_MEMBER(struct lag_model_file_row, name, type, member, NULL)
static const struct lagd_member brought_members[] = {
    BROUGHT("name", "s", name), BROUGHT("n_bytes", "i", n_bytes), BROUGHT("sha256", "s", sha256)};
static const struct lagd_schema brought_schema = LAGD_SCHEMA("HfBroughtFile", brought_members);

/* What the run began from. Not its path, as with the dataset. */
static int write_model(struct lagd_json *json, const char *key, const void *object, void *context) {
    const struct lagd_hf_sheet *sheet = object;
    const struct lag_model_file_row *rows = sheet->brought.rows;
    if (!*sheet->model.id) {
        lagd_json_null(json, key);
        return 0;
    }
    lagd_json_open_object(json, key);
    lagd_json_text(json, "name", sheet->model.name);
    lagd_json_int(json, "n_params", sheet->model.n_params);
    lagd_json_text(json, "dtype", sheet->model.dtype);
    lagd_json_open_array(json, "files");
    for (size_t i = 0; i < sheet->brought.n; i++) (void)lagd_write_object(json, NULL, &brought_schema, &rows[i], NULL);
    lagd_json_close_array(json);
    lagd_json_close_object(json);
    return 0;
}

static int write_decisions(struct lagd_json *json, const char *key, const void *object, void *context) {
    const struct lagd_rows *list = &((const struct lagd_hf_sheet *)object)->ancestry->growths;
    const struct lagd_tried *rows = list->rows;
    int status = 0;
    lagd_json_open_array(json, key);
    for (size_t i = 0; i < list->n && status == 0; i++)
        if (*rows[i].decision.growth_id)
            status = lagd_write_object(json, NULL, &lagd_decision_schema, &rows[i].decision, context);
    lagd_json_close_array(json);
    return status;
}

/* Members run, name, step, origin, stages and growths, as GET /runs/{run}/lineage has them. */
static int write_ancestry(struct lagd_json *json, const char *key, const void *object, void *context) {
    return lagd_write_members(json, &lagd_lineage_schema, ((const struct lagd_hf_sheet *)object)->ancestry, NULL);
}

#define SHEET(name, type, member) LAGD_MEMBER(struct lagd_hf_sheet, name, type, member, NULL)
static const struct lagd_member sheet_members[] = {
    LAGD_CONSTANT("lagd_version", LAGD_VERSION, NULL),
    SHEET("checkpoint", "s", checkpoint.id),
    SHEET("kind", "s", checkpoint.kind),
    LAGD_POINTED(struct lagd_hf_sheet, "dtype", "s", dtype, NULL),
    LAGD_OBJECT(struct lagd_hf_sheet, "shape", &lagd_model_schema, checkpoint.shape, NULL),
    SHEET("fingerprint", "s", checkpoint.fingerprint),
    SHEET("created_at", "t?", checkpoint.created_ms),
    LAGD_WRITTEN_OF("made_of", "[@]", &file_schema, write_files, NULL),
    LAGD_OBJECT(struct lagd_hf_sheet, "dataset", &dataset_schema, dataset, NULL),
    LAGD_WRITTEN("model", "o?", write_model, NULL),
    LAGD_WRITTEN("tokenizer", "o?", write_tokenizer, NULL),
    LAGD_WRITTEN("tokenizer_note", "s?", write_note, NULL),
    LAGD_WRITTEN_OF("candidate", "@?", &candidate_schema, write_candidate, NULL),
    {.of = &lagd_lineage_schema, .write = write_ancestry},
    LAGD_WRITTEN_OF("decisions", "[@]", &lagd_decision_schema, write_decisions, NULL),
};
static const struct lagd_schema sheet_schema = LAGD_SCHEMA("HfLineage", sheet_members);

static int write_lineage(struct lagd_hf_sheet *sheet, struct lag_db *db, struct lag_error *err) {
    struct lagd_encoding encoding = {.db = db, .err = err};
    struct lagd_json json;
    lagd_json_init(&json, true);
    const int status = lagd_write_object(&json, NULL, &sheet_schema, sheet, &encoding);
    lagd_json_take_into(&json, &sheet->lineage);
    return status;
}

/* --- reading ----------------------------------------------------------------------------------------------------- */

static int add_file(const struct lag_checkpoint_file_row *row, void *arg) { return lagd_rows_add(arg, row); }
static int add_brought(const struct lag_model_file_row *row, void *arg) { return lagd_rows_add(arg, row); }

void lagd_hf_sheet_destroy(struct lagd_hf_sheet *sheet) {
    if (!sheet) return;
    lagd_rows_deinit(&sheet->files);
    lagd_rows_deinit(&sheet->brought);
    lagd_rows_deinit(&sheet->lent);
    free(sheet->config);
    free(sheet->tokenizer_text);
    lagd_ancestry_destroy(sheet->ancestry);
    lag_strbuf_deinit(&sheet->lineage);
    free(sheet);
}

static int read_model(struct lag_db *db, const char *id, struct lag_model_row *ret, struct lagd_rows *ret_files,
                      struct lag_error *err) {
    if (!*id) return 0;
    int status = lag_model_get(db, id, ret, err);
    return status == 0 ? lag_model_files(db, id, add_brought, ret_files, err) : status;
}

/* What made the dataset's tokens, but for the tokenizer of the model that the run began from. */
static int read_tokenizer(struct lag_db *db, struct lagd_hf_sheet *sheet, struct lag_error *err) {
    const char *id = sheet->dataset.tokenizer_id;
    if (lag_id_is(id, "md") && strcmp(id, sheet->model.id) != 0)
        return read_model(db, id, &sheet->lender, &sheet->lent, err);
    if (!lag_id_is(id, "tok")) return 0;
    const int status = lag_tokenizer_get(db, id, &sheet->tokenizer, err);
    sheet->bos = sheet->tokenizer.bos;
    sheet->eos = sheet->tokenizer.eos;
    return status;
}

static int read_sheet(struct lag_db *db, const char *checkpoint, int n_threads, struct lagd_hf_sheet *sheet,
                      struct lag_error *err) {
    struct lag_checkpoint_row *row = &sheet->checkpoint;
    int status = lag_checkpoint_get(db, checkpoint, row, err);
    if (status == 0) status = lag_checkpoint_files(db, row->id, add_file, &sheet->files, err);
    if (status == 0 && *row->candidate_id) status = lag_candidate_get(db, row->candidate_id, &sheet->candidate, err);
    if (status == 0) status = lagd_ancestry_read(db, row->run_id, n_threads, &sheet->ancestry, err);
    if (status == 0) status = lag_dataset_get(db, sheet->ancestry->run.dataset_id, &sheet->dataset, err);
    if (status == 0)
        status = read_model(db, sheet->ancestry->run.model_id, &sheet->model, &sheet->brought, err);
    if (status == 0) status = read_tokenizer(db, sheet, err);
    if (status < 0) return status;
    lagd_ancestry_until(sheet->ancestry, row, sheet->candidate.growth_id);
    (void)snprintf(sheet->folder, sizeof(sheet->folder), "%s-hf", row->id);
    return write_lineage(sheet, db, err);
}

int lagd_hf_sheet_read(struct lag_db *db, const char *checkpoint, const char *dtype, int n_threads,
                       struct lagd_hf_sheet **ret, struct lag_error *err) {
    struct lagd_hf_sheet *sheet = lag_calloc(1, sizeof(*sheet));
    if (!sheet) return lag_error_set(err, LAG_EBUSY, "out of memory");
    sheet->dtype = dtype;
    sheet->files = (struct lagd_rows)LAGD_ROWS_INIT(struct lag_checkpoint_file_row);
    sheet->brought = sheet->lent = (struct lagd_rows)LAGD_ROWS_INIT(struct lag_model_file_row);
    sheet->bos = sheet->eos = -1;
    int status = lag_reader_begin(db, err);
    if (status == 0) {
        status = read_sheet(db, checkpoint, n_threads, sheet, err);
        lag_reader_end(db);
    }
    if (status == 0) *ret = sheet;
    else lagd_hf_sheet_destroy(sheet);
    return status;
}
