/* What goes with a model in hf.tar and tells where it comes from: lagd_lineage.json, and README.md as a model card.
 * Thread: one owner. */
#pragma once
#include "resources/ancestry_internal.h"

#include <lagd/base/strbuf.h>

enum lagd_hf_tokenizer {
    LAGD_HF_UNKNOWN, /* lagd does not know how the run's tokens are made of text */
    LAGD_HF_BYTES,   /* each byte is a token */
    LAGD_HF_BROUGHT, /* its files came with the model */
    LAGD_HF_STORED,  /* the dataset's tokens were made by a tokenizer of lagd's, … */
    LAGD_HF_LENT,    /* … or by that of a model from which the run did not begin */
};

struct lagd_hf_sheet {
    char folder[LAG_ROW_ID + 8]; /* of the files */
    const char *dtype;           /* f32, bf16, f16 */
    struct lag_checkpoint_row checkpoint;
    struct lagd_rows files;      /* of lag_checkpoint_file_row: what the checkpoint is made of */
    struct lag_dataset_row dataset;
    struct lag_tokenizer_row tokenizer; /* that made its tokens; id "": none of lagd's */
    struct lag_model_row model;  /* that the run began from; id "": none */
    struct lagd_rows brought;    /* of lag_model_file_row: its files */
    struct lag_model_row lender; /* another model, whose tokenizer made the dataset's tokens; id "": none */
    struct lagd_rows lent;       /* its files */
    char *tokenizer_text;        /* STORED: of its tokenizer.json */
    int64_t bos, eos;            /* STORED, LENT: ids of the tokens that begin and end a text, -1 for none */
    char *config;                /* the text of its config.json, NULL without a model */
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
enum lagd_hf_tokenizer lagd_hf_tokenizer(const struct lagd_hf_sheet *sheet);
/* Reads the sheet of the request's checkpoint and dtype, and answers with it. again: the checkpoint's files have been
 * read. h_hf.c */
struct lagd_request;
typedef int lagd_hf_answer_fn(struct lagd_request *request, struct lagd_hf_sheet *sheet, bool again);
int lagd_hf_with_sheet(struct lagd_request *request, bool again, lagd_hf_answer_fn *answer);
/* Opens model.safetensors and manifest.json of the checkpoint, whose hashes are right, and hands them to a function
 * that takes model on 0 and puts what it makes into ret. LAGD_WAIT: they have to be read first. h_hf.c */
typedef int lagd_hf_open_fn(struct lagd_request *request, const struct lagd_hf_sheet *sheet, int model, int manifest,
                            void *ret);
int lagd_hf_with_files(struct lagd_request *request, const struct lagd_hf_sheet *sheet, bool again,
                       lagd_hf_open_fn *open_model, void *ret);
/* The text of a file that came with a model, the sheet's model or lender; the caller frees it. hf_files.c */
int lagd_hf_brought_text(struct lagd_request *request, const struct lag_model_row *model, const char *name,
                         size_t max_bytes, char **ret);
/* The same of the tokenizer that is stored. */
int lagd_hf_stored_text(struct lagd_request *request, const struct lagd_hf_sheet *sheet, char **ret);
/* Reads what the sheet needs of files: config, tokenizer_text, and the ids of its ends. */
int lagd_hf_read_texts(struct lagd_request *request, struct lagd_hf_sheet *sheet);
/* Adds the files that go out as they came, to the last byte: of the model, or of who lends a tokenizer. */
struct lagd_tar_stream;
int lagd_hf_add_brought(struct lagd_request *request, const struct lagd_hf_sheet *sheet,
                        struct lagd_tar_stream *stream);
void lagd_hf_write_card(const struct lagd_hf_sheet *sheet, struct lag_strbuf *out); /* hf_card.c */
