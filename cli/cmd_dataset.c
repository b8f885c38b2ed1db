/* dataset add: a file is uploaded or named, and the daemon's reading of it is waited for. */
#include "ctl_internal.h"
#include "draw_internal.h"

#include <lagd/base/mem.h>
#include <lagd/base/parse.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define POLL_MS 250
#define BAR_WIDTH 24

/* --- waiting ----------------------------------------------------------------------------------------------------- */

/* One line that is drawn over itself. */
static void draw(struct ctl *ctl, json_t *dataset) {
    struct lag_strbuf line = LAG_STRBUF_INIT;
    char done[16], all[16];
    double n_done = ctl_json_number(dataset, "n_bytes_done"), n_bytes = ctl_json_number(dataset, "n_bytes");
    ctl_bytes_text(n_done, done);
    ctl_bytes_text(n_bytes, all);
    lag_strbuf_append(&line, "\r");
    ctl_say(&line, "{name} ", dataset);
    ctl_bar(&line, n_bytes > 0 ? n_done / n_bytes : 0, BAR_WIDTH, ctl->term.utf8);
    lag_strbuf_printf(&line, " %s of %s\033[K", done, all);
    if (!line.failed) (void)fputs(line.data, stderr);
    lag_strbuf_deinit(&line);
}

static int wait_for(struct ctl *ctl, json_t **dataset) {
    const bool draws = isatty(STDERR_FILENO) && !ctl->quiet;
    char id[64];
    int status = CTL_OK;
    (void)snprintf(id, sizeof(id), "%s", ctl_json_text(*dataset, "id"));
    while (status == CTL_OK && strcmp(ctl_json_text(*dataset, "state"), "registering") == 0) {
        if (draws) draw(ctl, *dataset);
        if (!ctl_sleep_ms(POLL_MS)) {
            status = CTL_INTERRUPTED;
            break;
        }
        json_decref(*dataset);
        *dataset = NULL;
        status = ctl_get(ctl, dataset, "/datasets/%s", id);
    }
    if (draws) (void)fputs("\r\033[K", stderr);
    if (status == CTL_INTERRUPTED && !ctl->quiet)
        ctl_tell("the daemon reads on; see how far by: lagctl dataset show %s", id);
    return status;
}

/* Until it is ready, unless nobody waits. One that failed was refused as a whole: it leaves no name behind. */
static int see_through(struct ctl *ctl, json_t **dataset) {
    struct lag_strbuf path = LAG_STRBUF_INIT;
    struct ctl_view view = *ctl->call->command->view;
    json_t *answer = NULL;
    int status = ctl_value(ctl->call, "no-wait") ? CTL_OK : wait_for(ctl, dataset);
    if (status != CTL_OK) return status;
    const char *state = ctl_json_text(*dataset, "state");
    if (strcmp(state, "registering") == 0) view.say = "{name}: {state}, {n_bytes_done} of {n_bytes} bytes are read";
    if (strcmp(state, "failed") != 0) return ctl_print(ctl, &view, *dataset);
    status = ctl_fail(CTL_FAILED, "%s", ctl_json_text(*dataset, "reason"));
    lag_strbuf_printf(&path, "/datasets/%s", ctl_json_text(*dataset, "id"));
    (void)ctl_ask(ctl, "DELETE", path.data, NULL, &answer);
    json_decref(answer);
    lag_strbuf_deinit(&path);
    return status;
}

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
    if (status == CTL_OK) status = see_through(ctl, &answer);
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
    if (status == CTL_OK) status = made ? see_through(ctl, &made) : ctl_fail(CTL_FAILED, "the answer is no JSON");
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
