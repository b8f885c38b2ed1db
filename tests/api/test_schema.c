/* Shapes: one table is what a struct is written by, and what the schema of the answer is made of. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "json/schema_internal.h"
#include "openapi/schemas_internal.h"

#include <lagd/base/check.h>
#include <lagd/base/error.h>
#include <lagd/base/fields.h>

struct inner {
    int64_t whole;
};
struct row {
    char text[16], maybe[16], list[32];
    const char *pointed;
    int64_t whole, large, time_ms;
    int small, count;
    double real;
    bool truth;
    struct inner inner;
    struct lagd_span rows;
};

static int write_one(struct lagd_json *json, const char *key, const void *object, void *context) {
    lagd_json_int(json, key, ((const struct row *)object)->whole + *(const int *)context);
    return 0;
}

static int write_failing(struct lagd_json *json, const char *key, const void *object, void *context) {
    lagd_json_null(json, key);
    return LAG_EIO;
}

static const char *word(int i, const char **ret_help) {
    static const char *const words[] = {"one", "two"};
    if (i >= 2) return NULL;
    *ret_help = i ? "the second" : "the first";
    return words[i];
}

static const struct lag_field field_rows[] = {
    {"deep/whole", LAG_FIELD_INT, LAG_FIELD_AT(struct row, whole), 1, 9, "1", NULL, 0, "steps", "A number."},
    {"other", LAG_FIELD_INT, LAG_FIELD_AT(struct row, large), 0, 0, NULL, NULL, 0, "", "Not told."},
};
static const struct lag_fields fields = {field_rows, LAG_COUNT(field_rows)};

#define ROW(name, type, member) LAGD_MEMBER(struct row, name, type, member, NULL)
static const struct lagd_member inner_members[] = {LAGD_MEMBER(struct inner, "whole", "i", whole, NULL)};
static const struct lagd_schema inner_schema = LAGD_SCHEMA("Inner", inner_members);
static const struct lagd_member members[] = {
    LAGD_CONSTANT("which", "row", NULL),
    LAGD_CHOICE(struct row, "text", "s", text, word, "A word."),
    ROW("maybe", "s?", maybe),
    ROW("left_out", "s~", maybe),
    LAGD_POINTED(struct row, "pointed", "s?", pointed, NULL),
    ROW("list", "[s]", list),
    ROW("small", "i", small),
    ROW("count", "c?", count),
    ROW("large", "i?", large),
    ROW("real", "n?", real),
    ROW("truth", "b", truth),
    ROW("time", "t?", time_ms),
    {.name = "inner", .type = "@", .of = &inner_schema, .offset = offsetof(struct row, inner)},
    {.name = "rows", .type = "[@]", .of = &inner_schema, .offset = offsetof(struct row, rows)},
    {.fields = &fields, .only = "deep"},
    LAGD_WRITTEN("one", "i", write_one, NULL),
};
static const struct lagd_schema schema = LAGD_SCHEMA("Row", members);

static void expect(const struct lagd_schema *by, const void *object, void *context, int want, const char *text) {
    struct lagd_json json;
    size_t length = 0;
    lagd_json_init(&json, false);
    assert_int_equal(lagd_write_object(&json, NULL, by, object, context), want);
    char *got = lagd_json_take(&json, &length);
    assert_non_null(got);
    assert_string_equal(got, text);
    free(got);
}

static void values_lie_where_the_table_says(void **state) {
    (void)state;
    const struct inner inner[] = {{8}, {9}};
    const struct row row = {.text = "two", .maybe = "m", .list = "a,b", .pointed = "p", .whole = 5, .large = INT64_MAX,
                            .time_ms = 1000, .small = -3, .count = 2, .real = 0.5, .truth = true, .inner = {7},
                            .rows = {inner, 2, sizeof(inner[0])}};
    int more = 10;
    expect(&schema, &row, &more, 0,
           "{\"which\":\"row\",\"text\":\"two\",\"maybe\":\"m\",\"left_out\":\"m\",\"pointed\":\"p\","
           "\"list\":[\"a\",\"b\"],"
           "\"small\":-3,\"count\":2,\"large\":9223372036854775807,\"real\":0.5,\"truth\":true,"
           "\"time\":\"1970-01-01T00:00:01.000Z\",\"inner\":{\"whole\":7},\"rows\":[{\"whole\":8},{\"whole\":9}],"
           "\"deep\":{\"whole\":5},\"one\":15}\n");
}

static void nothing_is_null_or_left_out(void **state) {
    (void)state;
    const struct row row = {.large = -1, .real = NAN};
    int more = 0;
    expect(&schema, &row, &more, 0,
           "{\"which\":\"row\",\"text\":\"\",\"maybe\":null,\"pointed\":null,\"list\":[],\"small\":0,\"count\":null,"
           "\"large\":null,\"real\":null,\"truth\":false,\"time\":null,\"inner\":{\"whole\":0},\"rows\":[],"
           "\"deep\":{\"whole\":0},\"one\":0}\n");
}

/* 0 is a number, and false is an answer. */
static void zero_is_told(void **state) {
    (void)state;
    static const struct lagd_member zeros[] = {
        ROW("large", "i?", large), ROW("small", "i~", small), ROW("truth", "b~", truth)};
    static const struct lagd_schema zeros_schema = LAGD_SCHEMA("Zeros", zeros);
    const struct row row = {.large = 0};
    expect(&zeros_schema, &row, NULL, 0, "{\"large\":0,\"small\":0,\"truth\":false}\n");
}

static void failures_come_back_and_the_text_is_whole(void **state) {
    (void)state;
    static const struct lagd_member failing[] = {
        LAGD_WRITTEN("first", "i?", write_failing, NULL),
        LAGD_WRITTEN("then", "i", write_one, NULL),
    };
    static const struct lagd_schema failing_schema = LAGD_SCHEMA("Failing", failing);
    const struct row row = {.whole = 1};
    int more = 1;
    expect(&failing_schema, &row, &more, LAG_EIO, "{\"first\":null,\"then\":2}\n");
}

static void schemas_are_of_the_same_table(void **state) {
    (void)state;
    struct lagd_schemas schemas = {.n = 0};
    struct lagd_json json;
    size_t length = 0;
    lagd_schemas_add(&schemas, &schema);
    lagd_schemas_add(&schemas, &inner_schema);
    lagd_schemas_add(&schemas, NULL);
    assert_int_equal(schemas.n, 2);
    lagd_json_init(&json, false);
    lagd_json_open_object(&json, NULL);
    lagd_schemas_write(&json, &schemas);
    lagd_json_close_object(&json);
    char *got = lagd_json_take(&json, &length);
    static const char *const parts[] = {
        "\"which\":{\"type\":\"string\",\"const\":\"row\"}",
        "\"text\":{\"type\":\"string\",\"enum\":[\"one\",\"two\"],"
        "\"x-lagd-meanings\":{\"one\":\"the first\",\"two\":\"the second\"},\"description\":\"A word.\"}",
        "\"maybe\":{\"type\":[\"string\",\"null\"]}",
        "\"left_out\":{\"type\":\"string\"}",
        "\"list\":{\"type\":\"array\",\"items\":{\"type\":\"string\"}}",
        "\"count\":{\"type\":[\"integer\",\"null\"],\"minimum\":1}",
        "\"time\":{\"type\":[\"string\",\"null\"],\"format\":\"date-time\"}",
        "\"inner\":{\"$ref\":\"#/components/schemas/Inner\"}",
        "\"rows\":{\"type\":\"array\",\"items\":{\"$ref\":\"#/components/schemas/Inner\"}}",
        "\"deep\":{\"type\":\"object\",\"properties\":{\"whole\":{\"type\":\"integer\",\"description\":\"A number. "
        "[steps]\"}},\"required\":[\"whole\"]}",
        "\"required\":[\"which\",\"text\",\"maybe\",\"pointed\",\"list\",\"small\",\"count\",\"large\",\"real\","
        "\"truth\",\"time\",\"inner\",\"rows\",\"deep\",\"one\"]",
        "\"Inner\":{\"type\":\"object\",\"properties\":{\"whole\":{\"type\":\"integer\"}},\"required\":[\"whole\"]}",
    };
    for (size_t i = 0; i < LAG_COUNT(parts); i++) {
        if (!strstr(got, parts[i])) fail_msg("%s\nis not in\n%s", parts[i], got);
    }
    assert_null(strstr(got, "other")); /* not among those of only */
    free(got);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_lie_where_the_table_says),
        cmocka_unit_test(nothing_is_null_or_left_out),
        cmocka_unit_test(zero_is_told),
        cmocka_unit_test(failures_come_back_and_the_text_is_whole),
        cmocka_unit_test(schemas_are_of_the_same_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
