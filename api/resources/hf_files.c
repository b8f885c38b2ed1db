/* The files that a model for Hugging Face's libraries takes from others: from the model that its run began from, and
 * from the tokenizer that made its tokens. */
#include "encode/tar_stream_internal.h"
#include "resources/handlers_internal.h"
#include "resources/hf_internal.h"

#include <lagd/base/check.h>
#include <lagd/base/cleanup.h>
#include <lagd/base/error.h>
#include <lagd/base/fs.h>
#include <lagd/daemon/supervisor.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CONFIG_MAX 65536 /* bytes of a config.json: no import takes a longer one */
#define TOKENIZER_MAX ((size_t)64 << 20) /* bytes of a tokenizer.json */

/* --- which ones --------------------------------------------------------------------------------------------------- */

/* As the import knows them (engine/exchange/tokenizer.c). */
static bool is_of_tokenizer(const char *name) {
    static const char *const names[] = {"tokenizer.json", "tokenizer_config.json", "special_tokens_map.json",
                                        "added_tokens.json", "vocab.json", "merges.txt", "vocab.txt",
                                        "tokenizer.model", "chat_template.jinja"};
    for (size_t i = 0; i < LAG_COUNT(names); i++)
        if (strcmp(names[i], name) == 0) return true;
    return false;
}

static bool ends_in(const char *name, const char *end) {
    const size_t n = strlen(name), length = strlen(end);
    return n >= length && strcmp(name + n - length, end) == 0;
}

/* Of the model that the run began from: the weights and what describes them are made anew; with another tokenizer, so
 * is all that speaks of its own. One that came without a tokenizer is given one where lagd knows the tokens. */
static bool is_left_out(const struct lagd_hf_sheet *sheet, const char *name) {
    const enum lagd_hf_tokenizer tokenizer = lagd_hf_tokenizer(sheet);
    if (strcmp(name, "config.json") == 0 || ends_in(name, ".safetensors") || ends_in(name, ".safetensors.index.json"))
        return true;
    if (tokenizer == LAGD_HF_BROUGHT || tokenizer == LAGD_HF_UNKNOWN) return false;
    return is_of_tokenizer(name) || (tokenizer != LAGD_HF_BYTES && strcmp(name, "generation_config.json") == 0);
}

/* --- files that go out as they came ------------------------------------------------------------------------------- */

static int open_brought(struct lagd_request *request, const struct lag_model_row *model, const char *name,
                        int *ret_fd) {
    char path[LAG_ROW_ID + 160];
    struct lag_error err = {0};
    (void)snprintf(path, sizeof(path), "models/%s/%s", model->id, name);
    int status = lag_fs_open_beneath(lagd_supervisor_state_dir(request->supervisor), path, ret_fd, &err);
    if (status == LAG_ENOTFOUND)
        return lag_error_set(&request->err, LAG_EAWAY, "%s of model %s is not there: put it back", path, model->name);
    return status < 0 ? lag_error_set(&request->err, status, "%s", err.text) : 0;
}

static int add_file(struct lagd_request *request, const struct lag_model_row *model,
                    const struct lag_model_file_row *row, struct lagd_tar_stream *stream) {
    struct stat info;
    int fd = -1;
    int status = open_brought(request, model, row->name, &fd);
    if (status < 0) return status;
    if (fstat(fd, &info) == 0 && info.st_size == row->n_bytes)
        return lagd_tar_stream_add_fd(stream, row->name, (uint64_t)row->n_bytes, fd);
    (void)close(fd);
    return lag_error_set(&request->err, LAG_ECORRUPT, "%s of model %s has another size than when it was brought",
                         row->name, model->name);
}

int lagd_hf_add_brought(struct lagd_request *request, const struct lagd_hf_sheet *sheet,
                        struct lagd_tar_stream *stream) {
    const struct lag_model_file_row *brought = sheet->brought.rows, *lent = sheet->lent.rows;
    int status = 0;
    for (size_t i = 0; i < sheet->brought.n && status == 0; i++)
        if (!is_left_out(sheet, brought[i].name)) status = add_file(request, &sheet->model, &brought[i], stream);
    for (size_t i = 0; i < sheet->lent.n && status == 0; i++)
        if (is_of_tokenizer(lent[i].name)) status = add_file(request, &sheet->lender, &lent[i], stream);
    return status;
}

/* --- texts -------------------------------------------------------------------------------------------------------- */

int lagd_hf_brought_text(struct lagd_request *request, const struct lag_model_row *model, const char *name,
                         size_t max_bytes, char **ret) {
    char path[LAG_ROW_PATH + LAG_ROW_ID + 160];
    size_t length = 0;
    (void)snprintf(path, sizeof(path), "%.1000s/models/%s/%.140s", lagd_supervisor_state_dir(request->supervisor),
                   model->id, name);
    int status = lag_fs_read_file(path, max_bytes, ret, &length, &request->err);
    return status != LAG_ENOTFOUND ? status : lag_error_set(&request->err, LAG_EAWAY, "%s of model %s is not there: "
                                                            "put it back", name, model->name);
}

int lagd_hf_stored_text(struct lagd_request *request, const struct lagd_hf_sheet *sheet, char **ret) {
    char path[LAG_ROW_PATH + LAG_ROW_ID + 160];
    size_t length = 0;
    (void)snprintf(path, sizeof(path), "%.1000s/tokenizers/%s/tokenizer.json",
                   lagd_supervisor_state_dir(request->supervisor), sheet->tokenizer.id);
    int status = lag_fs_read_file(path, TOKENIZER_MAX, ret, &length, &request->err);
    return status != LAG_ENOTFOUND ? status : lag_error_set(&request->err, LAG_EAWAY, "the file of tokenizer %s is not "
                                                            "there: put it back", sheet->tokenizer.name);
}

static int64_t id_of(const json_t *config, const char *member) {
    const json_t *id = json_object_get(config, member);
    return json_is_integer(id) ? json_integer_value(id) : -1;
}

/* Who lends a tokenizer says which of its tokens begin and end a text. */
static int read_ends(struct lagd_request *request, struct lagd_hf_sheet *sheet) {
    LAG_CLEANUP(lag_free_p) char *text = NULL;
    int status = lagd_hf_brought_text(request, &sheet->lender, "config.json", CONFIG_MAX, &text);
    if (status < 0) return status;
    json_t *config = json_loads(text, 0, NULL);
    sheet->bos = id_of(config, "bos_token_id");
    sheet->eos = id_of(config, "eos_token_id");
    json_decref(config);
    return 0;
}

int lagd_hf_read_texts(struct lagd_request *request, struct lagd_hf_sheet *sheet) {
    int status = 0;
    if (*sheet->model.id)
        status = lagd_hf_brought_text(request, &sheet->model, "config.json", CONFIG_MAX, &sheet->config);
    if (status == 0 && *sheet->tokenizer.id) status = lagd_hf_stored_text(request, sheet, &sheet->tokenizer_text);
    return status == 0 && *sheet->lender.id ? read_ends(request, sheet) : status;
}
