/* What moves files and streams: ckpt list, pull, export and keep; export; generate; api. */
#include "ctl_internal.h"
#include "draw_internal.h"

#include <lagd/base/cleanup.h>
#include <lagd/base/error.h>
#include <lagd/base/fs.h>
#include <lagd/base/hash.h>
#include <lagd/base/mem.h>
#include <lagd/base/parse.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>


int ctl_cmd_ckpt_list(struct ctl *ctl) {
    struct lag_strbuf path = LAG_STRBUF_INIT;
    const char *run = ctl_argument(ctl->call, "RUN");
    json_t *items = NULL;
    if (run) {
        lag_strbuf_append(&path, "/runs/");
        ctl_escape(&path, run);
    }
    lag_strbuf_append(&path, "/checkpoints");
    int status = ctl_get_all(ctl, path.data, -1, &items);
    if (status == CTL_OK) status = ctl_print(ctl, ctl->call->command->view, items);
    json_decref(items);
    lag_strbuf_deinit(&path);
    return status;
}

int ctl_cmd_ckpt_keep(struct ctl *ctl) {
    struct lag_strbuf path = LAG_STRBUF_INIT;
    json_t *answer = NULL, *body = json_pack("{s:b}", "keep", ctl_value(ctl->call, "off") == NULL);
    int status = ctl_path_of(ctl, &path);
    if (status == CTL_OK) status = ctl_ask(ctl, "PATCH", path.data, body, &answer);
    if (status == CTL_OK) status = ctl_print(ctl, ctl->call->command->view, answer);
    json_decref(answer);
    json_decref(body);
    lag_strbuf_deinit(&path);
    return status;
}

static int write_bytes(void *arg, const char *content_type, const char *data, size_t length) {
    return fwrite(data, 1, length, arg) == length ? 0 : -1;
}

/* The body of a 2xx answer to a file; body is JSON or NULL. */
static int fetch(struct ctl *ctl, const struct ctl_request *request, FILE *file) {
    struct ctl_request with_file = *request;
    struct ctl_answer answer;
    with_file.take = write_bytes;
    with_file.arg = file;
    ctl_send(ctl->client, &with_file, &answer);
    int status = ctl_judge(ctl, &answer);
    if (status == CTL_OK && (fflush(file) != 0 || ferror(file)))
        status = ctl_fail(CTL_FAILED, "cannot write: %s", strerror(errno));
    ctl_answer_deinit(&answer);
    return status;
}

/* Names come from the daemon: they must stay in the folder. */
static bool name_is_plain(const char *name) {
    return *name && *name != '.' && !strchr(name, '/') && strlen(name) < 200;
}

static int pull_file(struct ctl *ctl, const char *folder, json_t *row) {
    const char *name = ctl_json_text(row, "name"), *href = ctl_json_text(row, "href");
    struct ctl_request request = {.method = "GET", .path = href, .accept = "*/*"};
    struct lag_error err = {0};
    char hex[LAG_SHA256_HEX];
    if (!name_is_plain(name)) return ctl_fail(CTL_FAILED, "the file name '%s' is not acceptable", name);
    LAG_CLEANUP(lag_free_p) char *path = lag_asprintf("%s/%s", folder, name);
    LAG_CLEANUP(lag_free_p) char *part = lag_asprintf("%s/%s.part", folder, name);
    FILE *file = part ? fopen(part, "wb") : NULL;
    if (!path || !file) return ctl_fail(CTL_FAILED, "cannot write %s: %s", part ? part : name, strerror(errno));
    int status = fetch(ctl, &request, file);
    if (fclose(file) != 0 && status == CTL_OK) status = ctl_fail(CTL_FAILED, "cannot write %s", part);
    if (status == CTL_OK && lag_sha256_file(part, hex, &err) < 0) status = ctl_fail(CTL_FAILED, "%s", err.text);
    if (status == CTL_OK && strcmp(hex, ctl_json_text(row, "sha256")) != 0)
        status = ctl_fail(CTL_FAILED, "%s has another SHA-256 than the daemon says; pull it again", part);
    if (status == CTL_OK && rename(part, path) != 0) status = ctl_fail(CTL_FAILED, "cannot rename %s", part);
    if (status != CTL_OK) (void)remove(part);
    return status;
}

int ctl_cmd_ckpt_pull(struct ctl *ctl) {
    struct lag_strbuf path = LAG_STRBUF_INIT, out = LAG_STRBUF_INIT;
    json_t *checkpoint = NULL, *file;
    struct lag_error err = {0};
    char size[16];
    size_t i;
    int status = ctl_path_of(ctl, &path);
    if (status == CTL_OK) status = ctl_ask(ctl, "GET", path.data, NULL, &checkpoint);
    const char *folder = ctl_value(ctl->call, "dir");
    if (!folder) folder = ctl_json_text(checkpoint, "id");
    if (status == CTL_OK && lag_fs_mkdirs(folder, &err) < 0) status = ctl_fail(CTL_FAILED, "%s", err.text);
    json_array_foreach(json_object_get(checkpoint, "files"), i, file) {
        if (status != CTL_OK) break;
        status = pull_file(ctl, folder, file);
        if (status != CTL_OK || ctl->quiet || ctl->form != CTL_FORM_TABLE) continue;
        ctl_bytes_text(ctl_json_number(file, "n_bytes"), size);
        lag_strbuf_printf(&out, "%s/", folder);
        ctl_say(&out, "{name}  ", file);
        lag_strbuf_printf(&out, "%s\n", size);
        status = ctl_put(&out);
    }
    if (status == CTL_OK && ctl->form != CTL_FORM_TABLE) status = ctl_print(ctl, ctl->call->command->view, checkpoint);
    json_decref(checkpoint);
    lag_strbuf_deinit(&out);
    lag_strbuf_deinit(&path);
    return status;
}

/* An answer to standard output as it comes. */
static int stream_out(struct ctl *ctl, const char *query) {
    struct lag_strbuf path = LAG_STRBUF_INIT;
    int status = ctl_path_of(ctl, &path);
    lag_strbuf_append(&path, query);
    struct ctl_request request = {.method = "GET", .path = path.data, .accept = "*/*"};
    if (status == CTL_OK) status = fetch(ctl, &request, stdout);
    lag_strbuf_deinit(&path);
    return status;
}

int ctl_cmd_export(struct ctl *ctl) { return stream_out(ctl, ""); }

/* The command's path is that of the archive; a GGUF file lies beside it. */
int ctl_cmd_ckpt_export(struct ctl *ctl) {
    const char *format = ctl_value(ctl->call, "format"), *dtype = ctl_value(ctl->call, "dtype");
    const bool gguf = format && strcmp(format, "gguf") == 0;
    struct lag_strbuf path = LAG_STRBUF_INIT;
    if (ctl->term.tty && gguf) return ctl_fail(CTL_USAGE, "a model is nothing for a terminal: add '> FILE.gguf'");
    if (ctl->term.tty)
        return ctl_fail(CTL_USAGE, "an archive is nothing for a terminal: add '| tar x', or '> FILE.tar'");
    if (!gguf) return stream_out(ctl, "");
    lag_strbuf_append(&path, "/checkpoints/");
    ctl_escape(&path, ctl->call->arguments[0]);
    lag_strbuf_printf(&path, "/model.gguf?dtype=%s", dtype ? dtype : "f32");
    struct ctl_request request = {.method = "GET", .path = path.data, .accept = "*/*"};
    const int status = path.failed ? ctl_fail(CTL_FAILED, "out of memory") : fetch(ctl, &request, stdout);
    lag_strbuf_deinit(&path);
    return status;
}

int ctl_cmd_report(struct ctl *ctl) {
    const char *format = ctl_value(ctl->call, "format");
    bool json = format ? strcmp(format, "json") == 0 : ctl->form == CTL_FORM_JSON;
    return stream_out(ctl, json ? "?format=json" : "?format=md");
}

int ctl_cmd_study_report(struct ctl *ctl) {
    const char *format = ctl_value(ctl->call, "format"), *figure = ctl_value(ctl->call, "figure");
    struct lag_strbuf query = LAG_STRBUF_INIT;
    if (figure && format && strcmp(format, "svg") != 0)
        return ctl_fail(CTL_USAGE, "--figure is for --format svg");
    if (!format) format = figure ? "svg" : ctl->form == CTL_FORM_JSON ? "json" : "md";
    lag_strbuf_printf(&query, "?format=%s%s%s", format, figure ? "&figure=" : "", figure ? figure : "");
    int status = query.failed ? ctl_fail(CTL_FAILED, "out of memory") : stream_out(ctl, query.data);
    lag_strbuf_deinit(&query);
    return status;
}

int ctl_cmd_generate(struct ctl *ctl) {
    struct lag_strbuf path = LAG_STRBUF_INIT, out = LAG_STRBUF_INIT;
    json_t *body = NULL, *sample = NULL, *prompt = json_string(ctl->call->arguments[1]);
    int status = ctl_path_of(ctl, &path);
    if (status == CTL_OK) status = ctl_body_of(ctl, &body);
    if (status == CTL_OK && !body) body = json_object();
    if (status == CTL_OK && (!prompt || json_object_set(body, "prompt", prompt) < 0))
        status = ctl_fail(CTL_USAGE, "the prompt must be UTF-8");
    if (status == CTL_OK) status = ctl_ask(ctl, "POST", path.data, body, &sample);
    if (status == CTL_OK && ctl->form == CTL_FORM_TABLE) {
        ctl_clean(&out, ctl_json_text(sample, "prompt"), true);
        ctl_clean(&out, ctl_json_text(sample, "text"), true);
        lag_strbuf_append(&out, "\n");
        status = ctl_put(&out);
    } else if (status == CTL_OK) {
        status = ctl_print(ctl, ctl->call->command->view, sample);
    }
    json_decref(prompt);
    json_decref(sample);
    json_decref(body);
    lag_strbuf_deinit(&path);
    return status;
}

/* --- api --------------------------------------------------------------------------------------------------------- */

/* The text itself, or what the file behind '@' holds. */
static int read_data(const char *data, char **ret, size_t *ret_length) {
    if (*data == '@') return ctl_read(data + 1, CTL_BODY_MAX, ret, ret_length);
    *ret_length = strlen(data);
    *ret = lag_strdup(data);
    return *ret ? CTL_OK : ctl_fail(CTL_FAILED, "out of memory");
}

int ctl_cmd_api(struct ctl *ctl) {
    const char *method = ctl->call->arguments[0], *path = ctl->call->arguments[1], *data = ctl_value(ctl->call, "data");
    LAG_CLEANUP(lag_free_p) char *body = NULL;
    size_t length = 0;
    struct ctl_answer answer;
    if (*path != '/') return ctl_fail(CTL_USAGE, "PATH begins with '/', as in /runs");
    if (strspn(method, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != strlen(method))
        return ctl_fail(CTL_USAGE, "METHOD is a word such as GET or POST");
    int status = data ? read_data(data, &body, &length) : CTL_OK;
    if (status != CTL_OK) return status;
    bool at_root = strcmp(path, "/metrics") == 0 || strcmp(path, "/healthz") == 0 || strcmp(path, "/livez") == 0 ||
                   strcmp(path, "/readyz") == 0;
    struct ctl_request request = {.method = method,
                                  .path = path,
                                  .is_root = at_root,
                                  .accept = "*/*",
                                  .body = body,
                                  .body_length = length,
                                  .take = write_bytes,
                                  .arg = stdout};
    ctl_send(ctl->client, &request, &answer);
    if (answer.failure == 0 && answer.status >= 400) { /* an error is printed as it came, too: api shows what the daemon
    says */
        (void)fwrite(answer.body.data, 1, answer.body.length, stdout);
        (void)fputc('\n', stdout);
        ctl->form = CTL_FORM_TABLE;
    }
    status = ctl_judge(ctl, &answer);
    if (fflush(stdout) != 0 && status == CTL_OK) status = ctl_fail(CTL_FAILED, "cannot write: %s", strerror(errno));
    ctl_answer_deinit(&answer);
    return status;
}
