/* What goes with a model in hf.tar and tells where it comes from: lagd_lineage.json, and README.md as a model card.
 * Thread: one owner. */
#pragma once
#include "resources/ancestry_internal.h"

#include <lagd/base/strbuf.h>

struct lagd_hf_sheet {
    char folder[LAG_ROW_ID + 8]; /* of the files */
    const char *dtype;           /* f32, bf16, f16 */
    struct lag_checkpoint_row checkpoint;
    struct lagd_rows files;      /* of lag_checkpoint_file_row: what the checkpoint is made of */
    struct lag_dataset_row dataset;
    struct lag_candidate_row candidate; /* whose state it is; id "": the run's */
    struct lagd_ancestry *ancestry;     /* up to the checkpoint */
    struct lag_strbuf lineage;          /* the text of lagd_lineage.json; it may have failed */
};

/* checkpoint: its id. */
int lagd_hf_sheet_read(struct lag_db *db, const char *checkpoint, const char *dtype, int n_threads,
                       struct lagd_hf_sheet **ret, struct lag_error *err);
void lagd_hf_sheet_destroy(struct lagd_hf_sheet *sheet);
/* NULL: the checkpoint has no such file. */
const struct lag_checkpoint_file_row *lagd_hf_sheet_file(const struct lagd_hf_sheet *sheet, const char *name);
/* Does lagd know how the run's tokens are made of text? */
bool lagd_hf_has_tokenizer(const struct lagd_hf_sheet *sheet);
void lagd_hf_write_card(const struct lagd_hf_sheet *sheet, struct lag_strbuf *out); /* hf_card.c */
