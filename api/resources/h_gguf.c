/* /checkpoints/{checkpoint}/model.gguf: a checkpoint's model as llama.cpp and ollama load it. It is made while it goes
 * out; its files are opened before that, so retention may remove the folder meanwhile. */
#include "encode/tokenizer_internal.h"
#include "resources/handlers_internal.h"
#include "resources/hf_internal.h"

#include <lagd/base/check.h>
#include <lagd/base/error.h>
#include <lagd/base/log.h>
#include <lagd/base/strbuf.h>
#include <lagd/daemon/gguf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILE_MAX (32u << 20) /* bytes of a tokenizer's file: no import takes a longer one */
#define BYTES_A_ROW 64       /* of a tokenizer that are read in the time in which a row of the database is */
#define CHECKS_A_ROW 64      /* as in h_hf.c */

/* --- the tokenizer's texts --------------------------------------------------------------------------------------- */

enum { TOKENIZER, VOCAB, MERGES, CONFIG, N_TEXTS };
static const char *const names[N_TEXTS] = {
    [TOKENIZER] = "tokenizer.json", [VOCAB] = "vocab.json", [MERGES] = "merges.txt", [CONFIG] = "config.json"};

/* Bytes of the file that came with the model whose tokenizer it has; -1: none came. */
static int64_t brought_bytes(const struct lagd_hf_sheet *sheet, const char *name) {
    const struct lagd_rows *list = lagd_hf_tokenizer(sheet) == LAGD_HF_LENT ? &sheet->lent : &sheet->brought;
    const struct lag_model_file_row *rows = list->rows;
    for (size_t i = 0; i < list->n; i++)
        if (strcmp(rows[i].name, name) == 0) return rows[i].n_bytes;
    return -1;
}

static int64_t tokenizer_bytes(const struct lagd_hf_sheet *sheet) {
    int64_t n = 0;
    if (lagd_hf_tokenizer(sheet) == LAGD_HF_STORED) return sheet->tokenizer.n_bytes;
    for (size_t i = 0; i < N_TEXTS; i++) n += LAG_MAX(brought_bytes(sheet, names[i]), 0);
    return lagd_hf_tokenizer(sheet) == LAGD_HF_BROUGHT || lagd_hf_tokenizer(sheet) == LAGD_HF_LENT ? n : 0;
}

static int read_texts(struct lagd_request *request, const struct lagd_hf_sheet *sheet, char *texts[N_TEXTS]) {
    struct lag_strbuf bytes = LAG_STRBUF_INIT;
    int status = 0;
    switch (lagd_hf_tokenizer(sheet)) {
        case LAGD_HF_UNKNOWN:
            return 0;
        case LAGD_HF_BYTES:
            lagd_write_tokenizer(&bytes);
            texts[TOKENIZER] = lag_strbuf_take(&bytes);
            return texts[TOKENIZER] ? 0 : lag_error_set(&request->err, LAG_EBUSY, "out of memory");
        case LAGD_HF_STORED:
            return lagd_hf_stored_text(request, sheet, &texts[TOKENIZER]);
        case LAGD_HF_BROUGHT:
        case LAGD_HF_LENT:
            break;
    }
    const struct lag_model_row *from = *sheet->lender.id ? &sheet->lender : &sheet->model;
    for (size_t i = 0; i < N_TEXTS && status == 0; i++)
        if (brought_bytes(sheet, names[i]) >= 0)
            status = lagd_hf_brought_text(request, from, names[i], FILE_MAX, &texts[i]);
    if (status == 0 && !texts[TOKENIZER] && !(texts[VOCAB] && texts[MERGES]))
        return lag_error_set(&request->err, LAG_EUNSUPPORTED, "a tokenizer of the kind %s is not written into GGUF, "
                             "only a byte-level BPE: take hf.tar, which holds it as it is", from->tokenizer);
    return status;
}

/* --- the request ------------------------------------------------------------------------------------------------- */

static ssize_t read_model(void *arg, char *buffer, size_t size) {
    struct lag_error err = {0};
    ssize_t n = lagd_gguf_read(arg, buffer, size, &err);
    if (n < 0) lag_log(LAG_LOG_ERROR, "http: a model that is converted: %s", err.text);
    return n;
}

static void close_model(void *arg) { lagd_gguf_close(arg); }

/* A large tokenizer takes long to read. */
static int open_model(struct lagd_request *request, const struct lagd_hf_sheet *sheet, int model, int manifest,
                      void *ret) {
    char *texts[N_TEXTS] = {NULL}, name[LAG_ROW_ID + 80];
    (void)snprintf(name, sizeof(name), "%.64s at step %lld", sheet->ancestry->run.name,
                   (long long)sheet->checkpoint.step);
    int status = lagd_request_heavy(request, tokenizer_bytes(sheet) / BYTES_A_ROW);
    if (status == 0) status = read_texts(request, sheet, texts);
    if (status == 0) {
        const struct lagd_gguf_texts all = {.tokenizer = texts[TOKENIZER], .vocab = texts[VOCAB],
                                            .merges = texts[MERGES], .config = texts[CONFIG]};
        status = lagd_gguf_open(model, manifest, sheet->dtype, name, &all, ret, &request->err);
    }
    for (size_t i = 0; i < N_TEXTS; i++) free(texts[i]);
    return status;
}

/* What f16 cannot hold is known before the answer begins: it takes too long for a connection's worker. */
static int check_model(struct lagd_request *request, struct lagd_gguf *gguf) {
    const int64_t n = lagd_gguf_n_checked(gguf);
    int status = lagd_request_heavy(request, n / CHECKS_A_ROW);
    if (status == 0 && n > 0) status = lagd_gguf_check(gguf, &request->err);
    return status;
}

static void answer_model(struct lagd_request *request, const struct lagd_hf_sheet *sheet, struct lagd_gguf *gguf) {
    lagd_header_set(request, "Content-Disposition", "attachment; filename=\"%s.gguf\"", sheet->checkpoint.id);
    request->response.stream_bytes = lagd_gguf_bytes(gguf);
    request->response.stream = read_model;
    request->response.stream_free = close_model;
    request->response.stream_arg = gguf;
}

static int answer_gguf(struct lagd_request *request, struct lagd_hf_sheet *sheet, bool again) {
    struct lagd_gguf *gguf = NULL;
    int status = lagd_hf_with_files(request, sheet, again, open_model, &gguf);
    if (status == 0) status = check_model(request, gguf);
    /* In place of the one for heavy work. */
    if (status == 0) status = lagd_request_take_place(request, LAGD_PLACE_DOWNLOAD);
    if (status == 0) answer_model(request, sheet, gguf);
    else lagd_gguf_close(gguf);
    return status;
}

int lagd_h_checkpoint_gguf(struct lagd_request *request) { return lagd_hf_with_sheet(request, false, answer_gguf); }

int lagd_h_checkpoint_gguf_read(struct lagd_request *request) {
    int status = lagd_request_answer(request);
    return status < 0 ? status : lagd_hf_with_sheet(request, true, answer_gguf);
}
