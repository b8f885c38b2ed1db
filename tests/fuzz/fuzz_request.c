/* A request: its head through guard and router, its body through JSON and the tables of fields. The input is the
 * request line, header lines, an empty line, and the body; lines end with a line feed. */
#include "door/admit_internal.h"
#include "json/json_in_internal.h"
#include "json/json_out_internal.h"
#include "body/pool_body_internal.h"
#include "door/problem_internal.h"
#include "door/range_internal.h"
#include "fuzz.h"
#include <lagd/api/server.h>
#include <lagd/base/check.h>
#include <lagd/daemon/run_config.h>
#include <string.h>

/* The line at *at, terminated; *at moves behind it. */
static char *take_line(char **at) {
    char *line = *at, *end = strchr(line, '\n');
    if (end) *end = '\0';
    *at = end ? end + 1 : line + strlen(line);
    return line;
}

static char *take_word(char **at) {
    char *word = *at, *end = strchr(word, ' ');
    if (end) *end = '\0';
    *at = end ? end + 1 : word + strlen(word);
    return word;
}

static void read_head(char **at, struct lagd_head *head) {
    char *line = take_line(at);
    head->method = take_word(&line);
    head->raw_target = take_word(&line);
    head->version = line;
    while (*(line = take_line(at))) {
        char *colon = strchr(line, ':');
        if (head->n_headers == LAGD_HEADERS_MAX) {
            head->too_many_headers = true;
            continue;
        }
        if (colon) *colon = '\0';
        head->headers[head->n_headers++] = (struct lagd_header){line, colon ? colon + 1 : ""};
    }
}

/* Whatever was asked, the answer is well-formed JSON. */
static void write_problem(const char *slug, const char *detail, const char *path) {
    struct lagd_json json;
    size_t length = 0;
    lagd_json_init(&json, false);
    const struct lagd_problem problem = {
        .type = lagd_problem_find(slug), .detail = detail, .instance = path, .request_id = "req"};
    (void)lagd_write_object(&json, NULL, &lagd_problem_schema, &problem, NULL);
    char *text = lagd_json_take(&json, &length);
    FUZZ_CHECK(text);
    json_t *tree = json_loadb(text, length, JSON_REJECT_DUPLICATES, NULL);
    FUZZ_CHECK(tree);
    json_decref(tree);
    free(text);
}

static void decode(json_t *body) {
    static const char *const others[] = {"pool", NULL};
    struct lagd_run_config run;
    struct lagd_faults faults = {0};
    lag_fields_defaults(&lagd_run_fields, &run);
    if (lagd_json_decode(body, &lagd_run_fields, NULL, "", &run, &faults) == 0) {
        FUZZ_CHECK(faults.n == 0 && run.shape.n_layer >= 1 && run.max_steps >= 1 && run.lr > 0);
    } else {
        FUZZ_CHECK(faults.n > 0 && faults.list[0].detail[0]);
        write_problem(lagd_faults_slug(&faults), faults.list[0].detail, faults.list[0].pointer);
    }
    struct lagd_growth_request *growth = calloc(1, sizeof(*growth));
    FUZZ_CHECK(growth);
    memset(&faults, 0, sizeof(faults));
    lagd_growth_request_defaults(growth);
    (void)lagd_json_decode(body, &lagd_growth_fields, others, "", growth, &faults);
    lagd_pool_decode(json_object_get(body, "pool"), growth, &faults);
    FUZZ_CHECK(growth->n_strategies >= 0 && growth->n_strategies <= LAGD_STRATEGIES_MAX);
    for (int i = 0; i < growth->n_strategies; i++) FUZZ_CHECK(growth->strategies[i].n_params <= LAGD_STRATEGY_PARAMS);
    free(growth);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const struct lagd_host_policy policy = {"a.example", "", "https://a.example"};
    static const struct lagd_limits limits = {65536, 1 << 20};
    struct lagd_head head = {0};
    struct lagd_target target;
    struct lagd_framing framing;
    struct lagd_refusal verdict;
    struct lagd_admitted admission;
    struct lagd_auth auth = {0};
    struct lag_error err = {0};
    json_t *body = NULL;
    char *text = malloc(size + 1), *at = text;
    FUZZ_CHECK(text);
    if (size > 0) memcpy(text, data, size);
    text[size] = '\0';
    read_head(&at, &head);
    lagd_guard(&head, &policy, &target, &framing, &verdict);
    if (!verdict.slug) {
        FUZZ_CHECK(lagd_head_count(&head, "Host") == 1 && framing.content_length >= 0);
        FUZZ_CHECK(head.raw_target[0] == '/' || strcmp(head.raw_target, "*") == 0);
        lagd_admit(lagd_routes.rows, lagd_routes.n, &head, &target, &framing, &auth, &limits, &admission);
        FUZZ_CHECK(admission.verdict.slug || admission.options || admission.match.route);
        verdict = admission.verdict;
        struct lagd_range range;
        const char *asked = lagd_head_find(&head, "Range");
        if (asked && lagd_range_parse(asked, 1000, &range) == 1)
            FUZZ_CHECK(range.length > 0 && range.first + range.length <= 1000);
    }
    if (verdict.slug) write_problem(verdict.slug, verdict.detail, target.path);
    if (lagd_json_parse(at, strlen(at), &body, &err) == 0)
        decode(body);
    else
        FUZZ_CHECK(err.text[0]);
    json_decref(body);
    free(text);
    return 0;
}

size_t lag_fuzz_seed(size_t index, uint8_t **ret) {
    static const char *const seeds[] = {
        "POST /api/v1/runs?dry_run=true HTTP/1.1\nHost: localhost:7437\nContent-Type: "
        "application/json\nContent-Length: 9\n\n"
        "{\"name\":\"ts-6L\",\"dataset\":\"d\",\"seed\":1,\"model\":{\"arch\":\"gpt2\",\"n_layer\":6,\"n_head\":6},"
        "\"optim\":{\"name\":\"adamw\","
        "\"lr\":6e-4,\"betas\":[0.9,0.95]},\"schedule\":{\"kind\":\"cosine\",\"max_steps\":20000},\"tags\":[\"a\","
        "\"\\ud83d\\ude00\"]}",
        "POST /api/v1/runs/a/growths HTTP/1.1\nHost: [::1]:1\nTransfer-Encoding: chunked\nContent-Type: "
        "application/json\nOrigin: https://a.example\n\n"
        "{\"target\":{\"n_layer\":6},\"pool\":[\"stack\",{\"operator\":\"midas\",\"params\":{\"block\":2},\"lr\":"
        "\"rewarm\"},\"midas block=1 optimizer=reset\"],"
        "\"probe\":{\"steps\":50,\"eval_every\":10},\"mode\":\"auto\"}",
        "GET /api/v1/runs/a%2Fb/series?key=val%2Floss&key=a+b&from=0&to=100&max_points=10 HTTP/1.1\nHost: "
        "a.example.\nSec-Fetch-Site: same-origin\n\n",
        "GET /api/v1/checkpoints/ckpt_1/files/model.safetensors HTTP/1.1\nHost: 127.0.0.1\nRange: "
        "bytes=0-99\nAuthorization: Bearer abc\n\n",
        "OPTIONS * HTTP/1.1\nHost: localhost\n\n",
    };
    if (index >= LAG_COUNT(seeds)) return 0;
    return lag_fuzz_copy(seeds[index], strlen(seeds[index]), ret);
}
