/* Hostile JSON, and decoding by tables of fields. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "json/json_in_internal.h"
#include "body/pool_body_internal.h"
#include <lagd/base/check.h>
#include <lagd/base/strbuf.h>
#include <lagd/daemon/run_config.h>

static json_t *parse(const char *text) {
    json_t *tree = NULL;
    struct lag_error err = {0};
    if (lagd_json_parse(text, strlen(text), &tree, &err) < 0) fail_msg("%s: %s", text, err.text);
    return tree;
}

/* Some editors write it; RFC 8259 lets a reader pass it over. Once. */
static void a_byte_order_mark_is_passed_over(void **state) {
    (void)state;
    json_t *tree = parse("\xef\xbb\xbf{\"a\": 1}");
    assert_int_equal(json_integer_value(json_object_get(tree, "a")), 1);
    json_decref(tree);
    static const char *const bad[] = {"\xef\xbb\xbf", "\xef\xbb\xbf\xef\xbb\xbf{}", "{}\xef\xbb\xbf"};
    for (size_t i = 0; i < 3; i++) assert_true(lagd_json_parse(bad[i], strlen(bad[i]), &tree, NULL) < 0);
}

static void hostile_texts_are_refused(void **state) {
    (void)state;
    static const char *const bad[] = {
        "",
        " ",
        "null",
        "[]",
        "1",
        "\"a\"",
        "{",
        "{}{}",
        "{} x",
        "{\"a\":1,\"a\":2}",
        "{\"a\":1e999}",
        "{\"a\":-1e999}",
        "{\"a\":99999999999999999999}",
        "{\"a\":9223372036854775808}",
        "{\"a\":NaN}",
        "{\"a\":Infinity}",
        "{\"a\":01}",
        "{\"a\":+1}",
        "{\"a\":.5}",
        "{'a':1}",
        "{a:1}",
        "{\"a\":1,}",
        "{\"a\":\"\xff\"}",
        "{\"a\":\"\xc0\x80\"}",
        "{\"a\":\"\\ud800\"}",
        "{\"a\":\"\\udc00\\ud800\"}",
        "{\"a\":\"\xed\xa0\x80\"}",
        "{\"a\":\"\x01\"}",
        "{\"a\":\"\\u0000\"}",
        "{\"\\u0000\":1}",
        "// x\n{}",
        "{\"a\":tru}",
        "{\"a\":\"\\x41\"}",
    };
    for (size_t i = 0; i < LAG_COUNT(bad); i++) {
        json_t *tree = NULL;
        struct lag_error err = {0};
        if (lagd_json_parse(bad[i], strlen(bad[i]), &tree, &err) == 0) fail_msg("accepted: %s", bad[i]);
        assert_int_equal(err.code, LAG_EINVAL);
        assert_true(err.text[0]);
        assert_null(tree);
    }
    struct lag_error err = {0};
    json_t *tree = NULL;
    assert_int_equal(lagd_json_parse("{", 0, &tree, &err), LAG_EINVAL);
    assert_non_null(strstr(err.text, "needs a JSON object"));
    assert_int_equal(lagd_json_parse("{", 1, &tree, &err), LAG_EINVAL);
    assert_non_null(strstr(err.text, "not valid JSON"));
    json_decref(parse("{\"a\":-0, \"b\":9223372036854775807, \"c\":\"\\ud83d\\ude00\"}"));
}

static void nesting_is_bounded(void **state) {
    (void)state;
    enum { DEEP = 100000 };
    char *text = malloc(2 * DEEP + 16);
    json_t *tree = NULL;
    struct lag_error err = {0};
    memset(text, '[', DEEP);
    assert_int_equal(lagd_json_parse(text, DEEP, &tree, &err), LAG_EINVAL);
    /* 31 arrays in an object are fine, 32 are not; brackets in texts do not count */
    for (int n = 31; n <= 32; n++) {
        size_t at = (size_t)snprintf(text, 32, "{\"[[{{\\\"[[[\":");
        memset(text + at, '[', (size_t)n);
        memset(text + at + n, ']', (size_t)n);
        text[at + 2 * (size_t)n] = '}';
        int status = lagd_json_parse(text, at + 2 * (size_t)n + 1, &tree, &err);
        assert_int_equal(status, n == 31 ? 0 : LAG_EINVAL);
        if (status == 0) json_decref(tree);
    }
    free(text);
    /* what follows the text is not looked at; what was closed does not count */
    static const char beyond[] = "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[["; /* 33 */
    assert_true(lagd_json_depth_ok(beyond, 32));
    assert_false(lagd_json_depth_ok(beyond, 33));
    char wide[200];
    for (size_t i = 0; i < sizeof(wide); i++) wide[i] = "[]{}"[i % 4];
    assert_true(lagd_json_depth_ok(wide, sizeof(wide)));
    struct lagd_faults faults = {.n = 1};
    faults.list[1].unknown_field = true; /* of an earlier body */
    assert_string_equal(lagd_faults_slug(&faults), "validation");
}

struct expected {
    const char *body, *pointer;
    bool unknown;
};

static void faults_point_to_the_field(void **state) {
    (void)state;
    static const struct expected list[] = {
        {"{\"dataset\":\"d\",\"schedule\":{\"max_steps\":5},\"modle\":{}}", "/modle", true},
        {"{\"dataset\":\"d\",\"schedule\":{\"max_steps\":5},\"model\":{\"n_layers\":2}}", "/model/n_layers", true},
        {"{\"dataset\":\"d\",\"schedule\":{\"max_steps\":5},\"model/n_layer\":2}", "/model~1n_layer", true},
        {"{\"dataset\":\"d\",\"schedule\":{\"max_steps\":5},\"optim\":{\"betas\":[0.9,0.9,0.9]}}", "/optim/betas/2",
         true},
        {"{\"dataset\":\"d\",\"schedule\":{\"max_steps\":5},\"\":1}", "/", true},
        {"{\"dataset\":\"d\",\"schedule\":{\"max_steps\":5},\"a~b\":1}", "/a~0b", true},
        {"{\"dataset\":\"d\",\"schedule\":{\"max_steps\":5},\"model\":3}", "/model", false},
        {"{\"dataset\":\"d\",\"schedule\":{\"max_steps\":5},\"model\":[]}", "/model", false},
        {"{\"dataset\":\"d\",\"schedule\":{\"max_steps\":5},\"optim\":{\"betas\":{\"0\":0.5}}}", "/optim/betas", false},
        {"{\"dataset\":\"d\",\"schedule\":{\"max_steps\":5},\"model\":{\"n_layer\":{}}}", "/model/n_layer", false},
        {"{\"dataset\":\"d\",\"schedule\":{\"max_steps\":5},\"model\":{\"n_layer\":\"2\"}}", "/model/n_layer", false},
        {"{\"dataset\":\"d\",\"schedule\":{\"max_steps\":5},\"model\":{\"n_layer\":null}}", "/model/n_layer", false},
        {"{\"dataset\":\"d\",\"schedule\":{\"max_steps\":5},\"model\":{\"n_layer\":2.5}}", "/model/n_layer", false},
        {"{\"dataset\":\"d\",\"schedule\":{\"max_steps\":5},\"model\":{\"n_layer\":-1}}", "/model/n_layer", false},
        {"{\"dataset\":\"d\",\"schedule\":{\"max_steps\":5},\"model\":{\"n_layer\":9223372036854775807}}",
         "/model/n_layer", false},
        {"{\"dataset\":\"d\",\"schedule\":{\"max_steps\":5},\"optim\":{\"lr\":0}}", "/optim/lr", false},
        {"{\"dataset\":\"d\",\"schedule\":{\"max_steps\":5},\"start\":1}", "/start", false},
        {"{\"dataset\":\"d\",\"schedule\":{\"max_steps\":5},\"tags\":\"a\"}", "/tags", false},
        {"{\"dataset\":\"d\",\"schedule\":{\"max_steps\":5},\"tags\":[\"a\",1]}", "/tags/1", false},
        {"{\"dataset\":\"d\",\"schedule\":{\"max_steps\":5},\"tags\":[\"a,b\"]}", "/tags/0", false},
        {"{\"dataset\":\"d\",\"schedule\":{\"kind\":\"linear\",\"max_steps\":5}}", "/schedule/kind", false},
        {"{\"dataset\":7,\"schedule\":{\"max_steps\":5}}", "/dataset", false},
        {"{\"schedule\":{\"max_steps\":5}}", "/dataset", false},
        {"{\"dataset\":\"d\"}", "/schedule/max_steps", false},
    };
    struct lagd_run_config config;
    for (size_t i = 0; i < LAG_COUNT(list); i++) {
        struct lagd_faults faults = {0};
        json_t *tree = parse(list[i].body);
        lag_fields_defaults(&lagd_run_fields, &config);
        assert_int_equal(lagd_json_decode(tree, &lagd_run_fields, NULL, "", &config, &faults), LAG_EINVAL);
        if (faults.n != 1 || strcmp(faults.list[0].pointer, list[i].pointer) != 0) {
            fail_msg("%s: %d faults, first at %s (%s)", list[i].body, faults.n, faults.list[0].pointer,
                     faults.list[0].detail);
        }
        assert_int_equal(faults.list[0].unknown_field, list[i].unknown);
        assert_string_equal(lagd_faults_slug(&faults), list[i].unknown ? "unknown-field" : "validation");
        assert_true(strlen(faults.list[0].detail) > 5);
        json_decref(tree);
    }
}

static void good_bodies_are_taken(void **state) {
    (void)state;
    struct lagd_run_config config;
    struct lagd_faults faults = {0};
    lag_fields_defaults(&lagd_run_fields, &config);
    json_t *tree =
        parse("{\"name\":\"ts-6L\",\"dataset\":\"words\",\"seed\":3,\"model\":{\"arch\":\"gpt2\",\"n_layer\":6.0},"
              "\"optim\":{\"lr\":1,\"betas\":[0.8,0.99]},\"schedule\":{\"max_steps\":2e4},\"start\":false,\"tags\":["
              "\"a\",\"b c\"]}");
    assert_int_equal(lagd_json_decode(tree, &lagd_run_fields, NULL, "", &config, &faults), 0);
    assert_int_equal(config.shape.n_layer, 6);
    assert_int_equal(config.max_steps, 20000);
    assert_true(config.beta1 == 0.8 && config.beta2 == 0.99 && config.lr == 1);
    assert_false(config.start);
    assert_string_equal(config.tags, "a,b c");
    json_decref(tree);
    /* several faults are told together, and no more than there is room for */
    tree = parse("{\"a\":1,\"b\":1,\"c\":1,\"d\":1,\"e\":1,\"f\":1,\"g\":1,\"h\":1,\"i\":1,\"j\":1}");
    assert_int_equal(lagd_json_decode(tree, &lagd_run_fields, NULL, "", &config, &faults), LAG_EINVAL);
    assert_int_equal(faults.n, LAGD_FAULTS_MAX);
    json_decref(tree);
}

/* --- by a table of this test's own ------------------------------------------------------------------------------ */

struct thing {
    int64_t one, two[2], deeper, n, bytes;
    double x;
    bool b;
    char text[16], choice[8], list[24];
};
static const char *const choices[] = {"left", "right", NULL};
static const struct lag_field rows[] = {
    {"deep/one", LAG_FIELD_INT, LAG_FIELD_AT(struct thing, one), 0, 9, "1"},
    {"deep/two/0", LAG_FIELD_INT, LAG_FIELD_AT(struct thing, two[0]), 0, 9, "1"},
    {"deep/two/1", LAG_FIELD_INT, LAG_FIELD_AT(struct thing, two[1]), 0, 9, "1"},
    {"deeper", LAG_FIELD_INT, LAG_FIELD_AT(struct thing, deeper), 0, 9, "1"},
    {"alpha", LAG_FIELD_INT, LAG_FIELD_AT(struct thing, n), 0, 9, "1"},
    {"alphabet", LAG_FIELD_REAL, LAG_FIELD_AT(struct thing, x), 0, 9, "1"},
    {"betb", LAG_FIELD_BOOL, LAG_FIELD_AT(struct thing, b), 0, 0, "no"},
    {"beta", LAG_FIELD_BYTES, LAG_FIELD_AT(struct thing, bytes), 0, 1e9, "1"},
    {"text", LAG_FIELD_TEXT, LAG_FIELD_AT(struct thing, text), 0, 0, NULL},
    {"choice", LAG_FIELD_CHOICE, LAG_FIELD_AT(struct thing, choice), 0, 0, "left", .choices = choices},
    {"list", LAG_FIELD_LIST, LAG_FIELD_AT(struct thing, list), 0, 0, NULL},
};
static const struct lag_fields table = {rows, LAG_COUNT(rows)};

/* The only fault of a body. */
static struct lagd_fault fault_of(const char *body) {
    struct thing thing;
    struct lagd_faults faults = {0};
    json_t *tree = parse(body);
    lag_fields_defaults(&table, &thing);
    assert_int_equal(lagd_json_decode(tree, &table, NULL, "", &thing, &faults), LAG_EINVAL);
    json_decref(tree);
    if (faults.n != 1) fail_msg("%s: %d faults", body, faults.n);
    return faults.list[0];
}

static void wrong_types_are_told_by_name(void **state) {
    (void)state;
    static const struct {
        const char *body, *pointer, *detail;
    } list[] = {
        {"{\"alpha\":null}", "/alpha", "must be a whole number, not null"},
        {"{\"alphabet\":\"1\"}", "/alphabet", "must be a number, not a text"},
        {"{\"betb\":[]}", "/betb", "must be true or false, not an array"},
        {"{\"text\":{}}", "/text", "must be a text, not an object"},
        {"{\"choice\":[]}", "/choice", "must be a text, not an array"},
        {"{\"beta\":null}", "/beta", "must be a number of bytes, or a text such as \"64K\", not null"},
        {"{\"list\":\"a\"}", "/list", "must be an array of texts"},
        {"{\"list\":[\"a\",null]}", "/list/1", "must be a text without NUL bytes"},
        {"{\"deep\":[1]}", "/deep", "must be an object"},
        {"{\"deep\":{\"two\":{}}}", "/deep/two", "must be an array"},
        {"{\"deep\":{\"two\":[1,null]}}", "/deep/two/1", "must be a whole number, not null"},
    };
    for (size_t i = 0; i < LAG_COUNT(list); i++) {
        struct lagd_fault fault = fault_of(list[i].body);
        assert_string_equal(fault.pointer, list[i].pointer);
        assert_string_equal(fault.detail, list[i].detail);
        assert_false(fault.unknown_field);
    }
    struct lagd_faults faults = {0};
    json_t *number = json_integer(3);
    assert_int_equal(lagd_json_decode(number, &table, NULL, "/pool/1", NULL, &faults), LAG_EINVAL);
    assert_string_equal(faults.list[0].pointer, "/pool/1");
    assert_string_equal(faults.list[0].detail, "must be an object");
    json_decref(number);
}

/* What lag_names_distance finds near, and the nearest; of equals the first in the table. */
static void near_names_are_proposed(void **state) {
    (void)state;
    static const struct {
        const char *key, *proposed;
    } list[] = {
        {"alpa", "alpha"},       {"alpphha", "alpha"},     {"xalpha", "alpha"}, {"alphx", "alpha"},
        {"xlpha", "alpha"},      {"lpha", "alpha"},        {"alph", "alpha"},   {"alphab", "alpha"},
        {"alphabe", "alphabet"}, {"alpahbet", "alphabet"}, {"betx", "betb"},    {"bet", "betb"},
        {"b", NULL},             {"gamma", NULL},          {"alphxyz", NULL},   {"xxxalpha", "alpha"},
    };
    for (size_t i = 0; i < LAG_COUNT(list); i++) {
        char body[64], wanted[128];
        snprintf(body, sizeof(body), "{\"%s\":1}", list[i].key);
        snprintf(wanted, sizeof(wanted), "unknown field %s; did you mean %s?", list[i].key,
                 list[i].proposed);
        if (!list[i].proposed) {
            snprintf(wanted, sizeof(wanted), "unknown field %s; there are %s", list[i].key,
                     "deep, deeper, alpha, alphabet, betb, beta, text, choice, list");
        }
        struct lagd_fault fault = fault_of(body);
        assert_true(fault.unknown_field);
        if (strcmp(fault.detail, wanted) != 0) fail_msg("%s: \"%s\", not \"%s\"", body, fault.detail, wanted);
    }
    assert_string_equal(fault_of("{\"deep\":{\"xyzzy\":1}}").detail, "unknown field deep.xyzzy; there are one, two");
    assert_string_equal(fault_of("{\"deep\":{\"tw\":1}}").detail, "unknown field deep.tw; did you mean two?");
    assert_string_equal(fault_of("{\"deep\":{\"two\":[1,2,3]}}").detail, "there is no item 2; give at most 2 items");
}

/* What the caller decodes itself is a name like any other. */
static void other_names_are_proposed(void **state) {
    (void)state;
    static const char *const others[] = {"seeds", "pool", NULL};
    static const char *const details[][2] = {
        {"{\"seed\":1}", "unknown field seed; did you mean seeds?"},
        {"{\"xyzzy\":1}", "unknown field xyzzy; there are seeds, pool, deep, deeper, alpha, alphabet, betb, beta, "
                          "text, choice, list"}};
    for (size_t i = 0; i < LAG_COUNT(details); i++) {
        struct thing thing = {0};
        struct lagd_faults faults = {0};
        json_t *tree = json_loads(details[i][0], 0, NULL);
        assert_int_equal(lagd_json_decode(tree, &table, others, "", &thing, &faults), LAG_EINVAL);
        assert_string_equal(faults.list[0].detail, details[i][1]);
        json_decref(tree);
    }
}

static void long_names_are_cut(void **state) {
    (void)state;
    char body[400], key[300];
    memset(key, 'k', sizeof(key));
    snprintf(body, sizeof(body), "{\"%.*s\":1}", (int)sizeof(key), key);
    struct lagd_fault fault = fault_of(body);
    assert_true(fault.unknown_field);
    assert_int_equal(strlen(fault.pointer), sizeof(fault.pointer) - 1);
    /* more names than there is room for: as many whole ones as fit */
    enum { MANY = 12 };
    static char names[MANY][32];
    static struct lag_field many[MANY];
    for (int i = 0; i < MANY; i++) {
        snprintf(names[i], sizeof(names[i]), "a_name_of_20_bytes_%c", 'a' + i);
        many[i] = (struct lag_field){names[i], LAG_FIELD_INT, LAG_FIELD_AT(struct thing, one), 0, 9, "1"};
    }
    struct thing thing;
    struct lagd_faults faults = {0};
    json_t *tree = parse("{\"x\":1}");
    assert_int_equal(lagd_json_decode(tree, &(struct lag_fields){many, MANY}, NULL, "", &thing, &faults), LAG_EINVAL);
    json_decref(tree);
    const char *last = strrchr(faults.list[0].detail, ' ');
    assert_string_equal(last, " a_name_of_20_bytes_i"); /* 9 × 22 - 2 bytes */
}

static void lists_replace_what_was_there(void **state) {
    (void)state;
    struct thing thing = {.list = "old"};
    struct lagd_faults faults = {0};
    json_t *tree = parse("{\"list\":[\"a\",\"b\"],\"deep\":{\"one\":7,\"two\":[3,4]},\"beta\":\"2K\"}");
    assert_int_equal(lagd_json_decode(tree, &table, NULL, "", &thing, &faults), 0);
    json_decref(tree);
    assert_string_equal(thing.list, "a,b");
    assert_true(thing.one == 7 && thing.two[0] == 3 && thing.two[1] == 4 && thing.bytes == 2048);
}

static void pointers_are_escaped_and_cut(void **state) {
    (void)state;
    static const struct {
        size_t size;
        const char *before, *key, *after;
    } list[] = {
        {16, "", "abc", "/abc"},     {16, "/a", "b c", "/a/b c"}, {16, "", "~", "/~0"}, {16, "", "a/b", "/a~1b"},
        {16, "", "\x1f\n", "/??"}, {16, "", "", "/"},           {6, "", "abcdef", "/abc"}, {5, "", "abcdef", "/ab"},
        {4, "", "abcdef", "/a"},     {2, "", "a", "/"},           {1, "", "a", ""},     {5, "/ab", "c", "/ab/"},
        {4, "/ab", "c", "/ab"},      {5, "", "a~", "/a~0"},       {4, "", "~~", "/~0"},
    };
    for (size_t i = 0; i < LAG_COUNT(list); i++) {
        char *pointer = malloc(list[i].size);
        memset(pointer, 'x', list[i].size);
        memcpy(pointer, list[i].before, strlen(list[i].before) + 1);
        lagd_pointer_append(pointer, list[i].size, list[i].key);
        if (strcmp(pointer, list[i].after) != 0) fail_msg("case %zu: %s, not %s", i, pointer, list[i].after);
        free(pointer);
    }
}

/* --- pools ------------------------------------------------------------------------------------------------------ */

static void pool(const char *text, struct lagd_growth_request *growth, struct lagd_faults *faults) {
    json_t *tree = parse(text);
    memset(faults, 0, sizeof(*faults));
    lagd_growth_request_defaults(growth);
    lagd_pool_decode(json_object_get(tree, "pool"), growth, faults);
    json_decref(tree);
}

static void pools_are_decoded(void **state) {
    (void)state;
    struct lagd_growth_request *growth = calloc(1, sizeof(*growth));
    struct lagd_faults faults;
    pool("{}", growth, &faults);
    assert_int_equal(faults.n, 0);
    assert_string_equal(growth->pool, "default");
    pool("{\"pool\":[\"stack\",{\"operator\":\"midas\",\"params\":{\"block\":2},\"lr\":\"rewarm\",\"rewarm_steps\":7,"
         "\"seed\":9}]}",
         growth, &faults);
    assert_int_equal(faults.n, 0);
    assert_int_equal(growth->n_strategies, 2);
    assert_string_equal(growth->strategies[0].op, "stack");
    assert_int_equal(growth->strategies[0].rewarm_steps, -1);
    assert_int_equal(growth->strategies[0].seed, -1);
    assert_string_equal(growth->strategies[1].params[0].name, "block");
    assert_true(growth->strategies[1].params[0].value == 2);
    assert_int_equal(growth->strategies[1].rewarm_steps, 7);
    assert_int_equal(growth->strategies[0].freeze_old, LAGD_FREEZE_UNSAID);
    assert_int_equal(growth->strategies[1].freeze_old, LAGD_FREEZE_UNSAID);
    pool("{\"pool\":[{\"operator\":\"stack\",\"freeze_old\":\"keep\"},{\"operator\":\"stack\",\"freeze_old\":12},"
         "\"stack freeze_old=keep\",{\"operator\":\"stack\",\"freeze_old\":0}]}",
         growth, &faults);
    assert_int_equal(faults.n, 0);
    static const int64_t freezes[] = {LAGD_FREEZE_KEEP, 12, LAGD_FREEZE_KEEP, 0};
    for (int i = 0; i < 4; i++) assert_int_equal(growth->strategies[i].freeze_old, freezes[i]);
    free(growth);
}

static void pools_have_rules(void **state) {
    (void)state;
    struct lagd_growth_request *growth = calloc(1, sizeof(*growth));
    struct lagd_faults faults;
    pool("{\"pool\":{\"optimizer\":\"reset\",\"lr\":\"rewarm\",\"rewarm_steps\":9,\"freeze_old\":\"keep\"}}", growth,
         &faults);
    assert_int_equal(faults.n, 0);
    assert_true(growth->has_rules && growth->n_strategies == 0);
    assert_string_equal(growth->pool, "default");
    assert_string_equal(growth->rules.optimizer, "reset");
    assert_string_equal(growth->rules.lr, "rewarm");
    assert_int_equal(growth->rules.rewarm_steps, 9);
    assert_int_equal(growth->rules.freeze_old, LAGD_FREEZE_KEEP);
    assert_int_equal(growth->rules.seed, -1);
    pool("{\"pool\":{\"operators\":[\"stack\",\"stack noise=0.1\"],\"seed\":3}}", growth, &faults);
    assert_int_equal(faults.n, 0);
    assert_true(growth->has_rules && growth->n_strategies == 2 && growth->pool[0] == '\0');
    assert_true(!growth->strategies[0].whole && growth->strategies[1].whole);
    assert_int_equal(growth->rules.seed, 3);
    assert_int_equal(growth->rules.freeze_old, LAGD_FREEZE_UNSAID);
    pool("{\"pool\":{\"operators\":\"published\"}}", growth, &faults);
    assert_string_equal(growth->pool, "published");
    free(growth);
}

static void bad_pools_are_refused(void **state) {
    (void)state;
    struct lagd_growth_request *growth = calloc(1, sizeof(*growth));
    struct lagd_faults faults;
    static const struct expected list[] = {
        {"{\"pool\":{\"operators\":3}}", "/pool/operators", false},
        {"{\"pool\":{\"operators\":[]}}", "/pool/operators", false},
        {"{\"pool\":{\"operators\":[\"stack\",3]}}", "/pool/operators/1", false},
        {"{\"pool\":{\"operators\":[{\"operator\":\"x\",\"freeze_old\":-1}]}}", "/pool/operators/0/freeze_old", false},
        {"{\"pool\":{\"operator\":\"stack\"}}", "/pool/operator", true},
        {"{\"pool\":{\"lr\":3}}", "/pool/lr", false},
        {"{\"pool\":{\"freeze_old\":true}}", "/pool/freeze_old", false},
        {"{\"pool\":3}", "/pool", false},
        {"{\"pool\":[]}", "/pool", false},
        {"{\"pool\":\"\"}", "/pool", false},
        {"{\"pool\":[\"stack\",3]}", "/pool/1", false},
        {"{\"pool\":[{\"op\":\"x\",\"operator\":\"y\"}]}", "/pool/0/op", true},
        {"{\"pool\":[{}]}", "/pool/0/operator", false},
        {"{\"pool\":[{\"operator\":\"x\",\"params\":[]}]}", "/pool/0/params", false},
        {"{\"pool\":[{\"operator\":\"x\",\"params\":{\"a\":\"b\"}}]}", "/pool/0/params/a", false},
        {"{\"pool\":[{\"operator\":\"x\",\"params\":{\"a/b-and-a-name-that-is-long\":1}}]}",
         "/pool/0/params/a~1b-and-a-name-that-is-long", true},
        {"{\"pool\":[\"midas nonsense=1\"]}", "/pool/0", false},
        {"{\"pool\":[{\"operator\":\"x\",\"freeze_old\":-1}]}", "/pool/0/freeze_old", false},
        {"{\"pool\":[{\"operator\":\"x\",\"freeze_old\":1.5}]}", "/pool/0/freeze_old", false},
        {"{\"pool\":[{\"operator\":\"x\",\"freeze_old\":\"kept\"}]}", "/pool/0/freeze_old", false},
        {"{\"pool\":[{\"operator\":\"x\",\"freeze_old\":1000000001}]}", "/pool/0/freeze_old", false},
        {"{\"pool\":[{\"operator\":\"x\",\"params\":{\"a\":1,\"b\":1,\"c\":1,\"d\":1,\"e\":1}}]}", "/pool/0/params/e",
         false},
    };
    for (size_t i = 0; i < LAG_COUNT(list); i++) {
        pool(list[i].body, growth, &faults);
        if (faults.n != 1 || strcmp(faults.list[0].pointer, list[i].pointer) != 0 ||
            faults.list[0].unknown_field != list[i].unknown) {
            fail_msg("%s: %d faults, first at %s", list[i].body, faults.n, faults.list[0].pointer);
        }
    }
    struct lag_strbuf many = LAG_STRBUF_INIT;
    lag_strbuf_append(&many, "{\"pool\":[\"stack\"");
    for (int i = 0; i < LAGD_STRATEGIES_MAX; i++) lag_strbuf_append(&many, ",\"stack\"");
    lag_strbuf_append(&many, "]}");
    pool(many.data, growth, &faults);
    lag_strbuf_deinit(&many);
    assert_int_equal(faults.n, 1);
    free(growth);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_byte_order_mark_is_passed_over), cmocka_unit_test(hostile_texts_are_refused),
        cmocka_unit_test(nesting_is_bounded),
        cmocka_unit_test(faults_point_to_the_field),
        cmocka_unit_test(good_bodies_are_taken),
        cmocka_unit_test(wrong_types_are_told_by_name),
        cmocka_unit_test(near_names_are_proposed), cmocka_unit_test(other_names_are_proposed),
        cmocka_unit_test(long_names_are_cut),
        cmocka_unit_test(lists_replace_what_was_there),
        cmocka_unit_test(pointers_are_escaped_and_cut),
        cmocka_unit_test(pools_are_decoded), cmocka_unit_test(pools_have_rules),
        cmocka_unit_test(bad_pools_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
