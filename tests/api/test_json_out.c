/* JSON out: escapes, numbers, nesting; problem bodies; tables of fields as JSON. */
#include <jansson.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "encode/encode_internal.h"
#include "door/problem_internal.h"
#include <lagd/base/check.h>
#include <lagd/base/mem.h>
#include <lagd/daemon/config.h>

static char *take(struct lagd_json *json) {
    size_t length = 0;
    char *text = lagd_json_take(json, &length);
    assert_non_null(text);
    assert_int_equal(strlen(text), length);
    assert_int_equal(text[length - 1], '\n');
    text[length - 1] = '\0';
    return text;
}

static void texts_are_escaped(void **state) {
    (void)state;
    struct lagd_json json;
    lagd_json_init(&json, false);
    lagd_json_open_array(&json, NULL);
    lagd_json_text(&json, NULL, "a\"b\\c\n\t\r\x01\x7f/</script>");
    lagd_json_text(&json, NULL, "h\xc3\xa9 \xf0\x9f\x98\x80 \xff\xc3");
    lagd_json_text_n(&json, NULL, "a\0b\xe2\x82", 5);
    lagd_json_close_array(&json);
    char *text = take(&json);
    assert_string_equal(
        text,
        "[\"a\\\"b\\\\c\\n\\t\\r\\u0001\\u007f/</script>\",\"h\xc3\xa9 \xf0\x9f\x98\x80 \xef\xbf\xbd\xef\xbf\xbd\","
        "\"a\\u0000b\xef\xbf\xbd\xef\xbf\xbd\"]");
    json_t *tree = json_loads(text, JSON_ALLOW_NUL, NULL);
    assert_non_null(tree);
    json_decref(tree);
    free(text);
}

static void numbers_read_back_as_they_are(void **state) {
    (void)state;
    static const double values[] = {0.1,  1.0 / 3, 1e300, 5e-324, -0.0, 123456789.123456789, 2.2250738585072014e-308,
                                    1e22, 3};
    for (size_t i = 0; i < LAG_COUNT(values); i++) {
        char digits[32];
        lagd_json_format_real(values[i], digits);
        double back = strtod(digits, NULL);
        assert_memory_equal(&back, &values[i], sizeof(back));
    }
    char digits[32];
    lagd_json_format_real(0.1, digits);
    assert_string_equal(digits, "0.1");
    lagd_json_format_real(NAN, digits);
    assert_string_equal(digits, "null");
    lagd_json_format_real(-INFINITY, digits);
    assert_string_equal(digits, "null");
}

static void structure_is_right_compact_and_pretty(void **state) {
    (void)state;
    for (int pretty = 0; pretty < 2; pretty++) {
        struct lagd_json json;
        lagd_json_init(&json, pretty);
        lagd_json_open_object(&json, NULL);
        lagd_json_open_object(&json, "empty");
        lagd_json_close_object(&json);
        lagd_json_list(&json, "list", "a, b,c");
        lagd_json_list(&json, "none", "");
        lagd_json_text_or_null(&json, "no", "");
        lagd_json_bool(&json, "yes", true);
        lagd_json_time(&json, "at", 1700000000123);
        lagd_json_int(&json, "n", INT64_MIN);
        lagd_json_close_object(&json);
        char *text = take(&json);
        static const char *const wanted[] = {
            "{\"empty\":{},\"list\":[\"a\",\"b\",\"c\"],\"none\":[],\"no\":null,\"yes\":true,"
            "\"at\":\"2023-11-14T22:13:20.123Z\",\"n\":-9223372036854775808}",
            "{\n  \"empty\": {},\n  \"list\": [\n    \"a\",\n    \"b\",\n    \"c\"\n  ],\n  \"none\": [],\n"
            "  \"no\": null,\n  \"yes\": true,\n  \"at\": \"2023-11-14T22:13:20.123Z\",\n"
            "  \"n\": -9223372036854775808\n}"};
        assert_string_equal(text, wanted[pretty]);
        json_t *tree = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
        assert_non_null(tree);
        json_decref(tree);
        free(text);
    }
}

static void problems_are_of_one_schema(void **state) {
    (void)state;
    size_t n;
    const struct lagd_problem_type *types = lagd_problem_types(&n);
    for (size_t i = 0; i < n; i++) {
        struct lagd_json json;
        lagd_json_init(&json, false);
        const struct lagd_problem problem = {
            .type = &types[i], .detail = i % 2 ? "say \"so\"" : "", .instance = "/api/v1/x", .request_id = "req_1"};
        assert_int_equal(lagd_write_object(&json, NULL, &lagd_problem_schema, &problem, NULL), 0);
        char *text = take(&json);
        json_t *tree = json_loads(text, 0, NULL);
        const char *type = json_string_value(json_object_get(tree, "type"));
        assert_string_equal(strrchr(type, '/') + 1, types[i].slug);
        assert_int_equal(json_integer_value(json_object_get(tree, "status")), types[i].status);
        assert_string_equal(json_string_value(json_object_get(tree, "title")), types[i].title);
        assert_true(json_string_length(json_object_get(tree, "detail")) > 5);
        assert_true(types[i].status >= 400 && types[i].status < 600);
        for (size_t j = 0; j < i; j++) assert_string_not_equal(types[i].slug, types[j].slug);
        json_decref(tree);
        free(text);
    }
    for (int code = LAG_EINTERNAL; code < 0; code++) {
        const char *slug = lagd_problem_slug(code);
        assert_string_equal(lagd_problem_find(slug)->slug, slug); /* every code leads to a type that exists */
    }
    assert_string_equal(lagd_problem_find("no-such")->slug, "internal");
    assert_int_equal(lagd_problem_find(lagd_problem_slug(LAG_EEXIST))->status, 409);
    assert_int_equal(lagd_problem_find(lagd_problem_slug(LAG_EFIT))->status, 422);
    assert_int_equal(lagd_problem_find(lagd_problem_slug(LAG_ENOMEM))->status, 503); /* not the caller's fault */
}

static void tables_become_nested_objects(void **state) {
    (void)state;
    struct lagd_run_config config;
    struct lagd_json json;
    lag_fields_defaults(&lagd_run_fields, &config);
    (void)lag_copy(config.tags, sizeof(config.tags), "a,b");
    lagd_json_init(&json, false);
    lagd_json_open_object(&json, NULL);
    lagd_write_fields(&json, &lagd_run_fields, &config, "model,optim,tags");
    lagd_json_close_object(&json);
    char *text = take(&json);
    json_t *tree = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(tree);
    assert_int_equal(json_object_size(tree), 3);
    assert_int_equal(json_integer_value(json_object_get(json_object_get(tree, "model"), "n_layer")),
                     config.shape.n_layer);
    json_t *betas = json_object_get(json_object_get(tree, "optim"), "betas");
    assert_int_equal(json_array_size(betas), 2);
    assert_true(json_real_value(json_array_get(betas, 0)) == config.beta1);
    assert_int_equal(json_array_size(json_object_get(tree, "tags")), 2);
    json_decref(tree);
    free(text);
}

/* The members of "Shape" are the axes that the daemon knows, in its order; head_dim, the last, is always told. */
static void shapes_have_every_axis(void **state) {
    (void)state;
    const struct lag_shape shape = {1, 2, 3, 4, 5, 6, 7};
    size_t n = 0;
    for (const char *name; (name = lagd_axis_name((int)n)) != NULL; n++) {
        assert_true(n < lagd_model_schema.n);
        const struct lagd_member *member = &lagd_model_schema.members[n];
        assert_string_equal(member->name, name);
        if (strcmp(name, "head_dim") == 0) continue;
        int64_t value = *(const int64_t *)(const void *)((const char *)&shape + member->offset);
        assert_int_equal(value, lagd_axis_get(&shape, (int)n));
    }
    assert_int_equal(n, lagd_model_schema.n);
    const struct { struct lag_shape shape; int64_t head_dim; } cases[] = {
        {{.n_embd = 32, .n_head = 4}, 8}, {{.n_embd = 32, .n_head = 4, .head_dim = 9}, 9}};
    for (size_t i = 0; i < LAG_COUNT(cases); i++) {
        struct lagd_json json;
        lagd_json_init(&json, false);
        assert_int_equal(lagd_write_object(&json, NULL, &lagd_model_schema, &cases[i].shape, NULL), 0);
        char *text = take(&json);
        json_t *tree = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
        assert_int_equal(json_integer_value(json_object_get(tree, "head_dim")), cases[i].head_dim);
        json_decref(tree);
        free(text);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_are_escaped),
        cmocka_unit_test(numbers_read_back_as_they_are),
        cmocka_unit_test(structure_is_right_compact_and_pretty),
        cmocka_unit_test(problems_are_of_one_schema),
        cmocka_unit_test(tables_become_nested_objects),
        cmocka_unit_test(shapes_have_every_axis),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
