/* dataset add: a file is uploaded or named, and the daemon's reading of it is waited for. */
#include "draw_internal.h"
#include "making_internal.h"

#include <lagd/base/mem.h>
#include <lagd/base/parse.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static double share(json_t *dataset) {
    const double n_bytes = ctl_json_number(dataset, "n_bytes");
    return n_bytes > 0 ? ctl_json_number(dataset, "n_bytes_done") / n_bytes : 0;
}

static void of_bytes(json_t *dataset, struct lag_strbuf *line) {
    char done[16], all[16];
    ctl_bytes_text(ctl_json_number(dataset, "n_bytes_done"), done);
    ctl_bytes_text(ctl_json_number(dataset, "n_bytes"), all);
    lag_strbuf_printf(line, " %s of %s", done, all);
}
static const struct ctl_making making = {
    "dataset", "registering", "{name}: {state}, {n_bytes_done} of {n_bytes} bytes are read", share, of_bytes};

/* --- adding ------------------------------------------------------------------------------------------------------ */

/* How the text becomes tokens, where a tokenizer is named. */
static void add_tokenizer(struct ctl *ctl, json_t *body) {
    const char *tokenizer = ctl_value(ctl->call, "tokenizer"), *kind = ctl_value(ctl->call, "documents");
    const char *field = ctl_value(ctl->call, "field");
    json_t *documents = kind || field ? json_pack("{s:s}", "kind", kind ? kind : "none") : NULL;
    if (tokenizer) (void)json_object_set_new(body, "tokenizer", json_string(tokenizer));
    if (documents && field) (void)json_object_set_new(documents, "field", json_string(field));
    if (documents) (void)json_object_set_new(body, "documents", documents);
}

static void add_query(struct lag_strbuf *path, const char *key, const char *value) {
    if (!value) return;
    lag_strbuf_printf(path, "&%s=", key);
    ctl_escape(path, value);
}

static int register_path(struct ctl *ctl, const char *name, const char *path) {
    const char *format = ctl_value(ctl->call, "format"), *vocabulary = ctl_value(ctl->call, "vocab-size");
    json_t *answer = NULL,
           *body = json_pack("{s:s, s:s, s:s}", "name", name, "path", path, "format", format ? format : "auto");
    const char *target = ctl_value(ctl->call, "no-wait") ? "/datasets?wait=0" : "/datasets";
    if (!body) return ctl_fail(CTL_USAGE, "name and path must be UTF-8");
    if (vocabulary)
        (void)json_object_set_new(body, "vocab_size", json_integer(ctl_value_int(ctl->call, "vocab-size", 0)));
    add_tokenizer(ctl, body);
    int status = ctl_ask(ctl, "POST", target, body, &answer);
    if (status == CTL_OK) status = ctl_see_through(ctl, &making, &answer);
    json_decref(answer);
    json_decref(body);
    return status;
}

static int upload(struct ctl *ctl, const char *name, const char *file_name, FILE *file, int64_t n_bytes) {
    struct lag_strbuf path = LAG_STRBUF_INIT;
    const char *format = ctl_value(ctl->call, "format");
    struct ctl_answer answer;
    lag_strbuf_append(&path, "/datasets?name=");
    ctl_escape(&path, name);
    lag_strbuf_append(&path, "&file_name=");
    ctl_escape(&path, file_name);
    if (ctl_value(ctl->call, "no-wait")) lag_strbuf_append(&path, "&wait=0");
    lag_strbuf_printf(&path, "&format=%s&vocab_size=%" PRId64, format ? format : "auto",
                      ctl_value_int(ctl->call, "vocab-size", 0));
    add_query(&path, "tokenizer", ctl_value(ctl->call, "tokenizer"));
    add_query(&path, "documents", ctl_value(ctl->call, "documents"));
    add_query(&path, "field", ctl_value(ctl->call, "field"));
    struct ctl_request request = {.method = "POST",
                                  .path = path.data,
                                  .content_type = "application/octet-stream",
                                  .upload = file,
                                  .upload_bytes = n_bytes};
    ctl_send(ctl->client, &request, &answer);
    int status = ctl_judge(ctl, &answer);
    json_t *made = status == CTL_OK ? json_loadb(answer.body.data, answer.body.length, 0, NULL) : NULL;
    if (status == CTL_OK)
        status = made ? ctl_see_through(ctl, &making, &made) : ctl_fail(CTL_FAILED, "the answer is no JSON");
    json_decref(made);
    ctl_answer_deinit(&answer);
    lag_strbuf_deinit(&path);
    return status;
}

/* "texts/my book.txt" → "my-book": what may be a name. */
static void name_of(const char *file_name, char ret[65]) {
    size_t n = 0;
    for (const char *p = file_name; *p && n < 64; p++) {
        char one[2] = {*p, '\0'};
        bool good = lag_name_valid(one) || (n > 0 && (*p == '.' || *p == '-'));
        if (good || n > 0) ret[n++] = good ? *p : '-';
    }
    ret[n] = '\0';
    char *dot = strrchr(ret, '.');
    if (dot && dot > ret) *dot = '\0';
}

int ctl_cmd_dataset_add(struct ctl *ctl) {
    const char *file_path = ctl_argument(ctl->call, "FILE"), *registered = ctl_value(ctl->call, "path");
    const char *source = registered ? registered : file_path, *name = ctl_value(ctl->call, "name");
    struct stat info;
    char made[65];
    if (!file_path == !registered) return ctl_fail(CTL_USAGE, "'dataset add' needs FILE to upload, or --path PATH");
    const char *file_name = strrchr(source, '/') ? strrchr(source, '/') + 1 : source;
    name_of(file_name, made);
    if (registered) return register_path(ctl, name ? name : made, registered);
    if (!name && !made[0]) return ctl_fail(CTL_USAGE, "what comes from standard input needs a --name");
    FILE *file = ctl_open(file_path);
    if (!file) return CTL_FAILED;
    const bool is_regular = fstat(fileno(file), &info) == 0 && S_ISREG(info.st_mode);
    int status = upload(ctl, name ? name : made, lag_name_valid(file_name) ? file_name : "upload.txt", file,
                        is_regular ? (int64_t)info.st_size : CTL_UNKNOWN_BYTES);
    ctl_close(file);
    return status;
}
