/* tokenizer add, train, extend: the daemon's making of it is waited for; encode and decode. */
#include "making_internal.h"

#include <lagd/base/mem.h>
#include <lagd/base/parse.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct ctl_making making = {"tokenizer", "making", "{name}: {state}", ctl_made_share, NULL};

/* Takes body. */
static int make(struct ctl *ctl, const char *path, json_t *body) {
    json_t *answer = NULL;
    if (!body) return ctl_fail(CTL_USAGE, "names and paths must be UTF-8");
    int status = ctl_ask(ctl, "POST", path, body, &answer);
    if (status == CTL_OK) status = ctl_see_through(ctl, &making, &answer);
    json_decref(answer);
    json_decref(body);
    return status;
}

/* --- making ------------------------------------------------------------------------------------------------------- */

static int upload(struct ctl *ctl, const char *name, const char *file_path) {
    struct lag_strbuf path = LAG_STRBUF_INIT;
    struct ctl_answer answer;
    struct stat info;
    FILE *file = ctl_open(file_path);
    if (!file) return CTL_FAILED;
    const bool is_regular = fstat(fileno(file), &info) == 0 && S_ISREG(info.st_mode);
    lag_strbuf_append(&path, "/tokenizers?name=");
    ctl_escape(&path, name);
    struct ctl_request request = {.method = "POST", .path = path.data, .content_type = "application/octet-stream",
                                  .upload = file,
                                  .upload_bytes = is_regular ? (int64_t)info.st_size : CTL_UNKNOWN_BYTES};
    ctl_send(ctl->client, &request, &answer);
    int status = ctl_judge(ctl, &answer);
    json_t *made = status == CTL_OK ? json_loadb(answer.body.data, answer.body.length, 0, NULL) : NULL;
    if (status == CTL_OK)
        status = made ? ctl_see_through(ctl, &making, &made) : ctl_fail(CTL_FAILED, "the answer is no JSON");
    json_decref(made);
    ctl_answer_deinit(&answer);
    lag_strbuf_deinit(&path);
    ctl_close(file);
    return status;
}

int ctl_cmd_tokenizer_add(struct ctl *ctl) {
    const char *file = ctl_argument(ctl->call, "FILE"), *path = ctl_value(ctl->call, "path");
    const char *name = ctl_value(ctl->call, "name");
    if (!file == !path) return ctl_fail(CTL_USAGE, "'tokenizer add' needs FILE to upload, or --path PATH");
    if (!name) return ctl_fail(CTL_USAGE, "'tokenizer add' needs a --name");
    return file ? upload(ctl, name, file) : make(ctl, "/tokenizers", json_pack("{s:s, s:s}", "name", name, "path",
                                                                               path));
}

int ctl_cmd_tokenizer_train(struct ctl *ctl) {
    const char *dataset = ctl_argument(ctl->call, "DATASET"), *name = ctl_value(ctl->call, "name");
    const char *pattern = ctl_value(ctl->call, "pattern"), *from = ctl_value(ctl->call, "extend");
    const int64_t vocab_size = ctl_value_int(ctl->call, "vocab-size", 8192);
    struct lag_strbuf path = LAG_STRBUF_INIT;
    if (!name) return ctl_fail(CTL_USAGE, "'tokenizer train' needs a --name");
    if (!from) {
        json_t *train = json_pack("{s:s, s:I}", "dataset", dataset, "vocab_size", (json_int_t)vocab_size);
        if (train && pattern) (void)json_object_set_new(train, "pattern", json_string(pattern));
        return make(ctl, "/tokenizers", json_pack("{s:s, s:o}", "name", name, "train", train));
    }
    lag_strbuf_append(&path, "/tokenizers/");
    ctl_escape(&path, from);
    lag_strbuf_append(&path, "/extend");
    const int status = path.failed ? ctl_fail(CTL_FAILED, "out of memory")
                                   : make(ctl, path.data, json_pack("{s:s, s:s, s:I}", "name", name, "dataset", dataset,
                                                                    "vocab_size", (json_int_t)vocab_size));
    lag_strbuf_deinit(&path);
    return status;
}

/* --- coding ------------------------------------------------------------------------------------------------------- */

/* "1 2,3" as an array; NULL: that is not what it is. */
static json_t *ids_of(const char *text) {
    json_t *ids = json_array();
    char word[24];
    for (const char *p = text + strspn(text, " ,\n\t"); ids && *p; p += strspn(p, " ,\n\t")) {
        const size_t n = strcspn(p, " ,\n\t");
        int64_t id = -1;
        (void)snprintf(word, sizeof(word), "%.*s", (int)(n < sizeof(word) ? n : sizeof(word) - 1), p);
        if (n >= sizeof(word) || lag_parse_i64(word, &id) != 0 || id < 0) {
            json_decref(ids);
            return NULL;
        }
        (void)json_array_append_new(ids, json_integer(id));
        p += n;
    }
    return ids;
}

static int code(struct ctl *ctl, const char *verb, json_t *body) {
    struct lag_strbuf path = LAG_STRBUF_INIT;
    json_t *answer = NULL;
    lag_strbuf_append(&path, "/tokenizers/");
    ctl_escape(&path, ctl_argument(ctl->call, "TOKENIZER"));
    lag_strbuf_printf(&path, "/%s", verb);
    int status = path.failed ? ctl_fail(CTL_FAILED, "out of memory") : ctl_ask(ctl, "POST", path.data, body, &answer);
    if (status == CTL_OK) status = ctl_print(ctl, ctl->call->command->view, answer);
    json_decref(answer);
    json_decref(body);
    lag_strbuf_deinit(&path);
    return status;
}

int ctl_cmd_tokenizer_encode(struct ctl *ctl) {
    json_t *body = json_pack("{s:s}", "text", ctl_argument(ctl->call, "TEXT"));
    return body ? code(ctl, "encode", body) : ctl_fail(CTL_USAGE, "the text must be UTF-8");
}

int ctl_cmd_tokenizer_decode(struct ctl *ctl) {
    json_t *ids = ids_of(ctl_argument(ctl->call, "IDS"));
    if (!ids) return ctl_fail(CTL_USAGE, "IDS are whole numbers with ',' or a space between");
    return code(ctl, "decode", json_pack("{s:o}", "ids", ids));
}
