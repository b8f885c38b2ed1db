/* The pool of a request as text: how a growth that waits keeps what it was asked to choose from. Its first word says
 * what a line is; then come key=value, and what was not said is not there:
 *     pool default
 *     rules optimizer=inherit seed=3
 *     strategy op=midas params/block=1 lr=rewarm rewarm_steps=20 */
#include "plan/pool_text_internal.h"

#include <lagd/base/check.h>
#include <lagd/base/error.h>
#include <lagd/base/mem.h>
#include <lagd/base/parse.h>
#include <lagd/base/strbuf.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { LINE_MAX_BYTES = 1024 };

/* --- to text ----------------------------------------------------------------------------------------------------- */

static void format_strategy(const struct lagd_strategy_request *strategy, struct lag_strbuf *out) {
    if (strategy->op[0]) lag_strbuf_printf(out, " op=%s", strategy->op);
    for (int i = 0; i < strategy->n_params; i++)
        lag_strbuf_printf(out, " params/%s=%.17g", strategy->params[i].name, strategy->params[i].value);
    if (strategy->with[0]) lag_strbuf_printf(out, " with=%s", strategy->with);
    for (int i = 0; i < strategy->n_with_params; i++)
        lag_strbuf_printf(out, " with_params/%s=%.17g", strategy->with_params[i].name, strategy->with_params[i].value);
    for (int i = 0; i < strategy->n_parents; i++)
        lag_strbuf_printf(out, "%s%s", i ? "+" : " parents=", strategy->parents[i]);
    if (strategy->optimizer[0]) lag_strbuf_printf(out, " optimizer=%s", strategy->optimizer);
    if (strategy->lr[0]) lag_strbuf_printf(out, " lr=%s", strategy->lr);
    if (strategy->rewarm_steps >= 0) lag_strbuf_printf(out, " rewarm_steps=%" PRId64, strategy->rewarm_steps);
    if (strategy->freeze_old != LAGD_FREEZE_UNSAID)
        lag_strbuf_printf(out, " freeze_old=%" PRId64, strategy->freeze_old);
    if (strategy->seed >= 0) lag_strbuf_printf(out, " seed=%" PRId64, strategy->seed);
    if (strategy->whole) lag_strbuf_printf(out, " whole=1");
    lag_strbuf_printf(out, "\n");
}

static bool says_anything(const struct lagd_strategy_request *rules) {
    return rules->optimizer[0] || rules->lr[0] || rules->rewarm_steps >= 0 || rules->seed >= 0 ||
           rules->freeze_old != LAGD_FREEZE_UNSAID;
}

int lagd_pool_format(const struct lagd_growth_request *request, char ret[LAG_ROW_POOL], struct lag_error *err) {
    struct lag_strbuf out = LAG_STRBUF_INIT;
    if (request->pool[0]) lag_strbuf_printf(&out, "pool %s\n", request->pool);
    if (says_anything(&request->rules)) {
        lag_strbuf_printf(&out, "rules");
        format_strategy(&request->rules, &out);
    }
    for (int i = 0; i < request->n_strategies; i++) {
        lag_strbuf_printf(&out, "strategy");
        format_strategy(&request->strategies[i], &out);
    }
    int rc = out.failed ? LAG_ENOMEM : 0;
    if (rc == 0 && out.length >= LAG_ROW_POOL) rc = LAG_ETOOBIG;
    if (rc == 0) (void)lag_copy(ret, LAG_ROW_POOL, out.data ? out.data : "");
    lag_strbuf_deinit(&out);
    if (rc == LAG_ETOOBIG)
        return lag_error_at(err, LAG_EINVAL, "/pool", "the pool is too long to be kept: name fewer strategies");
    return rc == 0 ? 0 : lag_error_set(err, rc, "out of memory for a pool");
}

/* --- from text --------------------------------------------------------------------------------------------------- */

static int refuse(const char *what, struct lag_error *err) {
    return lag_error_set(err, LAG_ECORRUPT, "the stored pool cannot be read at \"%.80s\"", what);
}

/* "params/block=1": whether key begins with prefix, and is added to the list. */
static bool parse_param(const char *key, const char *value, const char *prefix, struct lagd_strategy_param *list,
                        int *n) {
    const size_t length = strlen(prefix);
    if (strncmp(key, prefix, length) != 0 || *n == LAGD_STRATEGY_PARAMS) return false;
    struct lagd_strategy_param *param = &list[(*n)++];
    return lag_copy(param->name, sizeof(param->name), key + length) >= 0 && lag_parse_double(value, &param->value) == 0;
}

/* "ckpt_…+ckpt_…" */
static bool parse_parents(const char *value, struct lagd_strategy_request *strategy) {
    for (const char *p = value; *p; p += *p == '+') {
        const size_t length = strcspn(p, "+");
        if (strategy->n_parents == LAGD_STRATEGY_PARENTS || length == 0 || length >= LAG_ROW_ID) return false;
        memcpy(strategy->parents[strategy->n_parents++], p, length);
        p += length;
    }
    return strategy->n_parents > 0;
}

static bool parse_word(const char *key, const char *value, struct lagd_strategy_request *strategy) {
    struct { const char *key; int64_t *number; } const numbers[] = {{"rewarm_steps", &strategy->rewarm_steps},
                                                                     {"freeze_old", &strategy->freeze_old},
                                                                     {"seed", &strategy->seed}};
    struct { const char *key; char *text; size_t size; } const texts[] = {
        {"op", strategy->op, sizeof(strategy->op)}, {"with", strategy->with, sizeof(strategy->with)},
        {"optimizer", strategy->optimizer, sizeof(strategy->optimizer)},
        {"lr", strategy->lr, sizeof(strategy->lr)}};
    for (size_t i = 0; i < LAG_COUNT(numbers); i++)
        if (strcmp(key, numbers[i].key) == 0) return lag_parse_i64(value, numbers[i].number) == 0;
    for (size_t i = 0; i < LAG_COUNT(texts); i++)
        if (strcmp(key, texts[i].key) == 0) return lag_copy(texts[i].text, texts[i].size, value) >= 0;
    if (strcmp(key, "parents") == 0) return parse_parents(value, strategy);
    if (strcmp(key, "whole") == 0) return strategy->whole = true;
    return parse_param(key, value, "params/", strategy->params, &strategy->n_params) ||
           parse_param(key, value, "with_params/", strategy->with_params, &strategy->n_with_params);
}

static int parse_strategy(char *words, struct lagd_strategy_request *strategy, struct lag_error *err) {
    char *rest = NULL;
    lagd_strategy_request_defaults(strategy);
    for (char *word = strtok_r(words, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
        char *value = strchr(word, '=');
        if (!value) return refuse(word, err);
        *value++ = '\0';
        if (!parse_word(word, value, strategy)) return refuse(word, err);
    }
    return 0;
}

static int parse_line(char *line, struct lagd_growth_request *request, struct lag_error *err) {
    char *words = strchr(line, ' ');
    if (words) *words++ = '\0';
    else words = line + strlen(line);
    if (strcmp(line, "pool") == 0)
        return lag_copy(request->pool, sizeof(request->pool), words) < 0 ? refuse(line, err) : 0;
    if (strcmp(line, "rules") == 0) {
        request->has_rules = true;
        return parse_strategy(words, &request->rules, err);
    }
    if (strcmp(line, "strategy") != 0 || request->n_strategies == LAGD_STRATEGIES_MAX) return refuse(line, err);
    return parse_strategy(words, &request->strategies[request->n_strategies++], err);
}

int lagd_pool_parse(const char *text, struct lagd_growth_request *request, struct lag_error *err) {
    char line[LINE_MAX_BYTES];
    request->pool[0] = '\0';
    request->has_rules = false;
    request->n_strategies = 0;
    lagd_strategy_request_defaults(&request->rules);
    for (const char *p = text; *p; p += strcspn(p, "\n"), p += *p == '\n') {
        const size_t length = strcspn(p, "\n");
        if (length >= sizeof(line)) return refuse(p, err);
        memcpy(line, p, length);
        line[length] = '\0';
        int rc = parse_line(line, request, err);
        if (rc < 0) return rc;
    }
    return 0;
}
