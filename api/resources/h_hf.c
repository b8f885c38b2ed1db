/* /checkpoints/{checkpoint}/hf.tar: a checkpoint's model as a folder that Hugging Face's libraries load. The model is
 * converted while it goes out; its files are opened before that, so retention may remove the folder meanwhile. */
#include "encode/tar_stream_internal.h"
#include "encode/tokenizer_internal.h"
#include "resources/handlers_internal.h"
#include "resources/hf_internal.h"

#include <lagd/base/check.h>
#include <lagd/base/error.h>
#include <lagd/base/fs.h>
#include <lagd/base/log.h>
#include <lagd/base/strbuf.h>
#include <lagd/daemon/hf.h>
#include <lagd/daemon/supervisor.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CHECKS_A_ROW 64 /* numbers that are looked at in the time in which a row of the database is read */

static ssize_t read_model(void *arg, char *buffer, size_t size) {
    struct lag_error err = {0};
    ssize_t n = lagd_hf_read(arg, buffer, size, &err);
    if (n < 0) lag_log(LAG_LOG_ERROR, "http: a model that is converted: %s", err.text);
    return n;
}

static void close_model(void *arg) { lagd_hf_close(arg); }

/* --- the members ------------------------------------------------------------------------------------------------- */

/* The ids of the ends of a text are those of a tokenizer with which the model did not come. */
static bool has_other_ends(const struct lagd_hf_sheet *sheet) {
    return lagd_hf_tokenizer(sheet) == LAGD_HF_STORED || lagd_hf_tokenizer(sheet) == LAGD_HF_LENT;
}

/* Puts the id in the place of the member's value, null or a number. */
static void put_id(struct lag_strbuf *text, const char *member, int64_t id) {
    const char *found = text->failed ? NULL : strstr(text->data, member);
    const char *value = found ? found + strlen(member) : NULL;
    const size_t length = !value ? 0 : strncmp(value, "null", 4) == 0 ? 4 : strspn(value, "-0123456789");
    if (length == 0) return;
    struct lag_strbuf out = LAG_STRBUF_INIT;
    lag_strbuf_append_n(&out, text->data, (size_t)(value - text->data));
    if (id < 0) lag_strbuf_append(&out, "null");
    else lag_strbuf_printf(&out, "%" PRId64, id);
    lag_strbuf_append(&out, value + length);
    lag_strbuf_deinit(text);
    *text = out;
}

static void write_config(const struct lagd_hf_sheet *sheet, const struct lagd_hf *hf, struct lag_strbuf *out) {
    lag_strbuf_append(out, lagd_hf_config(hf));
    if (!has_other_ends(sheet)) return;
    put_id(out, "\"bos_token_id\": ", sheet->bos);
    put_id(out, "\"eos_token_id\": ", sheet->eos);
}
static void write_generation(const struct lagd_hf_sheet *sheet, const struct lagd_hf *hf, struct lag_strbuf *out) {
    lagd_write_generation_config(out, has_other_ends(sheet) ? sheet->bos : -1, has_other_ends(sheet) ? sheet->eos : -1);
}
static void write_tokenizer(const struct lagd_hf_sheet *sheet, const struct lagd_hf *hf, struct lag_strbuf *out) {
    if (lagd_hf_tokenizer(sheet) == LAGD_HF_BYTES) lagd_write_tokenizer(out);
    else lag_strbuf_append(out, sheet->tokenizer_text);
}
static void write_tokenizer_config(const struct lagd_hf_sheet *sheet, const struct lagd_hf *hf,
                                   struct lag_strbuf *out) {
    lagd_write_tokenizer_config(out, sheet->checkpoint.shape.n_positions, sheet->tokenizer.bos_token,
                                sheet->tokenizer.eos_token);
}
static void write_lineage(const struct lagd_hf_sheet *sheet, const struct lagd_hf *hf, struct lag_strbuf *out) {
    if (sheet->lineage.failed) out->failed = true;
    else lag_strbuf_append_n(out, sheet->lineage.data, sheet->lineage.length);
}
static void write_card(const struct lagd_hf_sheet *sheet, const struct lagd_hf *hf, struct lag_strbuf *out) {
    lagd_hf_write_card(sheet, out);
}

/* Before the model, so that a reader of the stream knows what comes. */
static const struct {
    const char *name;
    bool of_tokenizer; /* where a tokenizer came with the model, or none is known, it is left out */
    bool of_ends;      /* left out where a model was brought with its tokenizer: what it needs of them came with it */
    void (*write)(const struct lagd_hf_sheet *sheet, const struct lagd_hf *hf, struct lag_strbuf *out);
} texts[] = {
    {"README.md", false, false, write_card},
    {"config.json", false, false, write_config},
    {"generation_config.json", false, true, write_generation},
    {"tokenizer.json", true, false, write_tokenizer},
    {"tokenizer_config.json", true, false, write_tokenizer_config},
    {"lagd_lineage.json", false, false, write_lineage},
};

/* The tokenizer's files are written here. */
static bool is_written(const struct lagd_hf_sheet *sheet) {
    return lagd_hf_tokenizer(sheet) == LAGD_HF_BYTES || lagd_hf_tokenizer(sheet) == LAGD_HF_STORED;
}

/* Takes hf. */
static int add_members(struct lagd_request *request, const struct lagd_hf_sheet *sheet, struct lagd_hf *hf,
                       struct lagd_tar_stream *stream) {
    int status = lagd_hf_add_brought(request, sheet, stream);
    for (size_t i = 0; i < LAG_COUNT(texts) && status == 0; i++) {
        struct lag_strbuf text = LAG_STRBUF_INIT;
        if (texts[i].of_tokenizer && !is_written(sheet)) continue;
        if (texts[i].of_ends && *sheet->model.id && !has_other_ends(sheet)) continue;
        texts[i].write(sheet, hf, &text);
        status = lagd_tar_stream_add_text(stream, texts[i].name, &text);
    }
    if (status == 0)
        return lagd_tar_stream_add(stream, "model.safetensors", lagd_hf_model_bytes(hf), read_model, close_model, hf);
    lagd_hf_close(hf);
    return status;
}

/* --- the request ------------------------------------------------------------------------------------------------- */

static int open_file(struct lagd_request *request, const struct lagd_hf_sheet *sheet, const char *name, bool again,
                     int *ret_fd) {
    const struct lag_checkpoint_file_row *file = lagd_hf_sheet_file(sheet, name);
    if (!file)
        return lag_error_set(&request->err, LAG_ENOTFOUND, "checkpoint %s has no file %s", sheet->checkpoint.id, name);
    return lagd_checkpoint_file_open(request, &sheet->checkpoint, file, again, ret_fd);
}

int lagd_hf_with_files(struct lagd_request *request, const struct lagd_hf_sheet *sheet, bool again,
                       lagd_hf_open_fn *open_model, void *ret) {
    int model = -1, manifest = -1;
    again = again || request->is_aside; /* a thread for heavy work cannot wait */
    int status = open_file(request, sheet, "model.safetensors", again, &model);
    if (status == 0) status = open_file(request, sheet, "manifest.json", again, &manifest);
    if (status > 0) status = lagd_checkpoint_files_read(request, sheet->checkpoint.id, "");
    else if (status == 0) status = open_model(request, sheet, model, manifest, ret);
    if (status != 0 && model >= 0) (void)close(model);
    if (manifest >= 0) (void)close(manifest);
    return status;
}

static int open_model(struct lagd_request *request, const struct lagd_hf_sheet *sheet, int model, int manifest,
                      void *ret) {
    return lagd_hf_open(model, manifest, sheet->dtype, sheet->config, ret, &request->err);
}

/* What a smaller dtype cannot hold is known before the answer begins: it takes too long for a connection's worker. */
static int check_model(struct lagd_request *request, struct lagd_hf *hf) {
    const int64_t n = lagd_hf_n_checked(hf);
    int status = lagd_request_heavy(request, n / CHECKS_A_ROW);
    if (status == 0 && n > 0) status = lagd_hf_check(hf, &request->err);
    return status;
}

static int answer_sheet(struct lagd_request *request, const struct lagd_hf_sheet *sheet, bool again) {
    struct lagd_hf *hf = NULL;
    struct lagd_tar_stream *stream = NULL;
    int status = lagd_hf_with_files(request, sheet, again, open_model, &hf);
    if (status == 0) status = check_model(request, hf);
    /* In place of the one for heavy work. */
    if (status == 0) status = lagd_request_take_place(request, LAGD_PLACE_DOWNLOAD);
    if (status != 0) {
        lagd_hf_close(hf);
        return status;
    }
    stream = lagd_tar_stream_create(sheet->folder, sheet->checkpoint.id, sheet->checkpoint.created_ms / 1000);
    if (stream) status = add_members(request, sheet, hf, stream);
    else lagd_hf_close(hf);
    if (!stream || status < 0) {
        lagd_tar_stream_destroy(stream);
        if (stream && request->err.code) return status;
        return lag_error_set(&request->err, LAG_EBUSY, "out of memory");
    }
    lagd_answer_tar(request, stream, sheet->folder);
    return 0;
}

int lagd_hf_with_sheet(struct lagd_request *request, bool again, lagd_hf_answer_fn *answer) {
    struct lag_db *db;
    struct lagd_hf_sheet *sheet = NULL;
    const char *dtype = lagd_query_text(&request->target, request->route, "dtype");
    int status = request->is_aside ? 0 : lagd_request_take_place(request, LAGD_PLACE_DOWNLOAD);
    if (status == 0) status = lagd_request_db(request, &db);
    if (status == 0)
        status = lagd_hf_sheet_read(db, request->params[0], dtype, lagd_supervisor_threads(request->supervisor), &sheet,
                                    &request->err);
    if (status == 0) status = answer(request, sheet, again);
    lagd_hf_sheet_destroy(sheet);
    return status;
}

static int answer_hf(struct lagd_request *request, struct lagd_hf_sheet *sheet, bool again) {
    const int status = lagd_hf_read_texts(request, sheet);
    return status == 0 ? answer_sheet(request, sheet, again) : status;
}

int lagd_h_checkpoint_hf(struct lagd_request *request) { return lagd_hf_with_sheet(request, false, answer_hf); }

int lagd_h_checkpoint_hf_read(struct lagd_request *request) {
    int status = lagd_request_answer(request);
    return status < 0 ? status : lagd_hf_with_sheet(request, true, answer_hf);
}
