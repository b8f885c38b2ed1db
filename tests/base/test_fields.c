/* A struct by its table: defaults, setters, texts that are refused, and the way there and back. */
#include "check_base.h"

#include <lagd/base/cleanup.h>
#include <lagd/base/fields.h>
#include <lagd/base/strbuf.h>
#include <math.h>

struct thing {
    int64_t n_layer, size_bytes;
    double rate, betas[2];
    bool tied;
    char name[16], act[8], roots[24], token[16], note[8];
};

static const char *const acts[] = {"gelu", "silu", NULL};
static const struct lag_field rows[] = {
    {"model/n_layer", LAG_FIELD_INT, LAG_FIELD_AT(struct thing, n_layer), 1, 512, "6", .unit = "", .help = "Layers."},
    {"size_bytes", LAG_FIELD_BYTES, LAG_FIELD_AT(struct thing, size_bytes), 0, 1e12, "64K"},
    {"optim/rate", LAG_FIELD_REAL, LAG_FIELD_AT(struct thing, rate), 0, 1, "6e-4", .flags = LAG_FIELD_OPEN_MIN},
    {"optim/betas/0", LAG_FIELD_REAL, LAG_FIELD_AT(struct thing, betas[0]), -INFINITY, 1, "0.1"},
    {"optim/betas/1", LAG_FIELD_REAL, LAG_FIELD_AT(struct thing, betas[1]), 0.5, INFINITY, "0.95"},
    {"model/tied", LAG_FIELD_BOOL, LAG_FIELD_AT(struct thing, tied), 0, 0, "yes"},
    {"name", LAG_FIELD_TEXT, LAG_FIELD_AT(struct thing, name), 2, 10, NULL, .flags = LAG_FIELD_REQUIRED},
    {"model/act", LAG_FIELD_CHOICE, LAG_FIELD_AT(struct thing, act), 0, 0, "gelu", .choices = acts},
    {"roots", LAG_FIELD_LIST, LAG_FIELD_AT(struct thing, roots), 0, 0, "/a, /b"},
    {"token", LAG_FIELD_TEXT, LAG_FIELD_AT(struct thing, token), 3, 0, NULL, .flags = LAG_FIELD_SECRET},
    {"note", LAG_FIELD_TEXT, LAG_FIELD_AT(struct thing, note), 0, 0, NULL},
};
static const struct lag_fields table = {rows, LAG_COUNT(rows)};

static const struct lag_field *field(const char *path) {
    const struct lag_field *found = lag_fields_find(&table, path);
    assert_non_null(found);
    return found;
}

static void test_defaults(void **state) {
    struct thing thing;
    memset(&thing, 0xff, sizeof(thing));
    lag_fields_defaults(&table, &thing);
    assert_int_equal(thing.n_layer, 6);
    assert_int_equal(thing.size_bytes, 65536);
    assert_true(thing.rate == 6e-4 && thing.betas[0] == 0.1 && thing.betas[1] == 0.95);
    assert_true(thing.tied);
    assert_string_equal(thing.name, "");
    assert_string_equal(thing.act, "gelu");
    assert_string_equal(thing.roots, "/a,/b");
    assert_null(lag_fields_find(&table, "model/n_layers"));
}

static void test_texts_are_accepted_or_refused(void **state) {
    static const struct {
        const char *path, *text, *error; /* error NULL: accepted */
    } cases[] = {
        {"model/n_layer", "1", NULL},
        {"model/n_layer", "512", NULL},
        {"model/n_layer", "0", "model/n_layer must be between 1 and 512 (got 0)"},
        {"model/n_layer", "513", "model/n_layer must be between 1 and 512 (got 513)"},
        {"model/n_layer", "2.5", "model/n_layer must be a whole number (got 2.5)"},
        {"model/n_layer", "", "model/n_layer must be a whole number (got nothing)"},
        {"size_bytes", "2G", NULL},
        {"size_bytes", "2 G", "size_bytes must be a number of bytes, such as 65536, 64K, 2G or 1T (got 2 G)"},
        {"size_bytes", "2T", "size_bytes must be between 0 and 1000000000000 (got 2199023255552)"},
        {"size_bytes", "16777215T",
         "size_bytes must be a number of bytes, such as 65536, 64K, 2G or 1T (got 16777215T)"},
        {"optim/rate", "1", NULL},
        {"optim/rate", "1e-300", NULL},
        {"optim/rate", "0", "optim/rate must be above 0 and at most 1 (got 0)"},
        {"optim/rate", "nan", "optim/rate must be a number (got nan)"},
        {"optim/betas/0", "-1e300", NULL},
        {"optim/betas/0", "1.5", "optim/betas/0 must be at most 1 (got 1.5)"},
        {"optim/betas/1", "1e300", NULL},
        {"optim/betas/1", "0.25", "optim/betas/1 must be at least 0.5 (got 0.25)"},
        {"model/tied", "off", NULL},
        {"model/tied", "maybe", "model/tied must be true or false (got maybe)"},
        {"name", "ab", NULL},
        {"name", "0123456789", NULL},
        {"name", "a", "name must have between 2 and 10 bytes (got 1 bytes)"},
        {"name", "", "name must have between 2 and 10 bytes (got 0 bytes)"},
        {"name", "0123456789a", "name must have between 2 and 10 bytes (got 11 bytes)"},
        {"name", "a\nb=c", "name must not contain line breaks or other control characters"},
        {"name", "a\x7f", "name must not contain line breaks or other control characters"},
        {"name", "a\xff", "name must be valid UTF-8"},
        {"model/act", "silu", NULL},
        {"model/act", "relu", "model/act must be one of gelu, silu (got relu)"},
        {"model/act", "", "model/act must be one of gelu, silu (got nothing)"},
        {"roots", "", NULL},
        {"roots", " /x , /y ", NULL},
        {"roots", "/x,,/y", "roots must not contain empty items"},
        {"roots", "/x,", "roots must not contain empty items"},
        {"roots", "/0123456789,/0123456789,/0", "roots must have at most 23 bytes in all its items"},
        {"roots", "/x\t", "roots must not contain line breaks or other control characters"},
        {"token", "", NULL},
        {"token", "ab", "token must have between 3 and 15 bytes (got another value)"},
        {"note", "1234567", NULL},
        {"note", "12345678", "note must have between 0 and 7 bytes (got 8 bytes)"},
    };
    for (size_t i = 0; i < LAG_COUNT(cases); i++) {
        struct thing thing, before;
        struct lag_error err = {0};
        memset(&thing, 0, sizeof(thing));
        lag_fields_defaults(&table, &thing);
        memcpy(&before, &thing, sizeof(thing));
        int status = lag_field_set_text(field(cases[i].path), &thing, cases[i].text, &err);
        if (!cases[i].error) {
            if (status != 0) fail_msg("%s=%s: %s", cases[i].path, cases[i].text, err.text);
            continue;
        }
        assert_int_equal(status, LAG_EINVAL);
        assert_string_equal(err.text, cases[i].error);
        assert_int_equal(err.pointer[0], '/');
        assert_string_equal(err.pointer + 1, cases[i].path);
        assert_memory_equal(&before, &thing, sizeof(thing)); /* refused: nothing changed */
    }
}

static void test_setters_convert_numbers_only(void **state) {
    struct thing thing = {0};
    assert_int_equal(lag_field_set_int(field("optim/rate"), &thing, 1, NULL), 0);
    assert_true(thing.rate == 1);
    assert_int_equal(lag_field_set_real(field("model/n_layer"), &thing, 8.0, NULL), 0);
    assert_int_equal(thing.n_layer, 8);
    assert_int_equal(lag_field_set_real(field("model/n_layer"), &thing, 8.5, NULL), LAG_EINVAL);
    assert_int_equal(lag_field_set_real(field("model/n_layer"), &thing, NAN, NULL), LAG_EINVAL);
    assert_int_equal(lag_field_set_real(field("model/n_layer"), &thing, 1e300, NULL), LAG_EINVAL);
    assert_int_equal(lag_field_set_real(field("optim/rate"), &thing, NAN, NULL), LAG_EINVAL);
    assert_int_equal(lag_field_set_real(field("optim/betas/1"), &thing, INFINITY, NULL), LAG_EINVAL);
    assert_int_equal(lag_field_set_int(field("model/tied"), &thing, 1, NULL), LAG_EINVAL);
    assert_int_equal(lag_field_set_int(field("name"), &thing, 1, NULL), LAG_EINVAL);
    assert_int_equal(lag_field_set_bool(field("model/n_layer"), &thing, true, NULL), LAG_EINVAL);
    assert_int_equal(lag_field_set_bool(field("model/tied"), &thing, true, NULL), 0);
    assert_true(thing.tied);
}

static void test_list_items(void **state) {
    struct thing thing = {0};
    const struct lag_field *roots = field("roots");
    assert_int_equal(lag_field_add_item(roots, &thing, "/x y", NULL), 0);
    assert_int_equal(lag_field_add_item(roots, &thing, "/z", NULL), 0);
    static const char *const bad[] = {"", "a,b", "a\n", " a", "a ", "\xff"};
    for (size_t i = 0; i < LAG_COUNT(bad); i++) {
        struct lag_error err = {0};
        assert_int_equal(lag_field_add_item(roots, &thing, bad[i], &err), LAG_EINVAL);
        assert_string_equal(err.pointer, "/roots");
    }
    assert_string_equal(thing.roots, "/x y,/z");
    assert_int_equal(lag_field_add_item(roots, &thing, "0123456789abcde", NULL), 0);
    assert_int_equal(strlen(thing.roots), 23); /* full to the last byte */
    assert_int_equal(lag_field_add_item(roots, &thing, "x", NULL), LAG_EINVAL);
    assert_int_equal(lag_field_add_item(field("name"), &thing, "x", NULL), LAG_EINVAL);
}

static void test_text_form_round_trip(void **state) {
    struct thing thing = {0}, again;
    struct lag_strbuf text = LAG_STRBUF_INIT, text_again = LAG_STRBUF_INIT;
    struct lag_error err;
    lag_fields_defaults(&table, &thing);
    (void)strncpy(thing.name, "a=b c", sizeof(thing.name) - 1);
    thing.rate = 0.1 + 0.2;
    thing.n_layer = 33;
    lag_fields_format(&table, &thing, &text);
    assert_non_null(strstr(text.data, "model/n_layer=33\n"));
    assert_non_null(strstr(text.data, "optim/rate=0.30000000000000004\n"));
    assert_non_null(strstr(text.data, "model/tied=true\nname=a=b c\n"));
    assert_int_equal(lag_fields_parse(&table, &again, text.data, &err), 0);
    assert_true(again.rate == thing.rate);
    lag_fields_format(&table, &again, &text_again);
    assert_string_equal(text.data, text_again.data);
    lag_strbuf_deinit(&text);
    lag_strbuf_deinit(&text_again);
}

static void test_parse_refuses(void **state) {
    static const struct {
        const char *text, *pointer, *error;
    } cases[] = {
        {"", "/name", "name is required"},
        {"name=ab\nmodel/n_layers=3\n", "/model/n_layers", "unknown field model/n_layers"},
        {"name=ab\nname=cd\n", "/name", "name is given twice"},
        {"name\n", "", "expected path=value (got 'name')"},
        {"name=ab\nmodel/n_layer=0", "/model/n_layer", "model/n_layer must be between 1 and 512 (got 0)"},
    };
    for (size_t i = 0; i < LAG_COUNT(cases); i++) {
        struct thing thing;
        struct lag_error err = {0};
        assert_int_equal(lag_fields_parse(&table, &thing, cases[i].text, &err), LAG_EINVAL);
        assert_string_equal(err.text, cases[i].error);
        assert_string_equal(err.pointer, cases[i].pointer);
    }
    struct thing thing;
    memset(&thing, 0xff, sizeof(thing));
    assert_int_equal(lag_fields_parse(&table, &thing, "name=ab\n\nmodel/n_layer=9", NULL), 0);
    assert_int_equal(thing.n_layer, 9);
    assert_int_equal(thing.size_bytes, 65536); /* the rest is the default */
}

/* A sparse field that was not given is in no text, and a text without it leaves it not given. */
static void test_sparse(void **state) {
    struct pair {
        int64_t depth, width;
    } pair = {.depth = 6}, again = {1, 1};
    static const struct lag_field two[] = {
        {"depth", LAG_FIELD_INT, LAG_FIELD_AT(struct pair, depth), 1, 9, NULL},
        {"width", LAG_FIELD_INT, LAG_FIELD_AT(struct pair, width), 1, 9, NULL, .flags = LAG_FIELD_SPARSE},
    };
    static const struct lag_fields both = {two, 2};
    LAG_CLEANUP(lag_strbuf_deinit) struct lag_strbuf text = LAG_STRBUF_INIT;
    assert_true(lag_field_is_absent(&two[1], &pair) && !lag_field_is_absent(&two[0], &pair));
    lag_fields_format(&both, &pair, &text);
    assert_string_equal(text.data, "depth=6\n");
    assert_int_equal(lag_fields_parse(&both, &again, text.data, NULL), 0);
    assert_true(again.depth == 6 && again.width == 0);
    pair.width = 3;
    assert_false(lag_field_is_absent(&two[1], &pair));
    lag_fields_format(&both, &pair, &text);
    assert_string_equal(text.data, "depth=6\ndepth=6\nwidth=3\n");
    assert_int_equal(lag_field_set_text(&two[1], &pair, "0", NULL), LAG_EINVAL);
}

/* To be shown, a choice may be any text that fits; what cannot be read is told, and takes nothing else with it. */
static void test_shown_as_stored(void **state) {
    struct thing thing;
    assert_int_equal(lag_fields_parse(&table, &thing, "name=x1\nmodel/act=swish", NULL), LAG_EINVAL);
    assert_int_equal(lag_fields_parse_to_show(&table, &thing, "name=x1\nmodel/act=swish", NULL), 0);
    assert_string_equal(thing.act, "swish");
    static const struct {
        const char *text, *told;
    } damaged[] = {
        {"name=x1\nmodel/act=swishswish\nmodel/depth=2", "model/act "},
        {"model/n_layer=513\nname=x1", "model/n_layer "},
        {"model/n_layer=99999999999999999999\nname=x1", "model/n_layer "},
        {"model/depth=1\nname=x1", "unknown field model/depth"},
        {"noise\nname=x1", "expected path=value"},
        {"model/act=swish", "name is required"},
    };
    for (size_t i = 0; i < LAG_COUNT(damaged); i++) {
        struct lag_error err = {0};
        assert_int_equal(lag_fields_parse_to_show(&table, &thing, damaged[i].text, &err), 1);
        if (!strstr(err.text, damaged[i].told)) fail_msg("%zu: %s", i, err.text);
        assert_int_equal(lag_fields_parse_to_show(&table, &thing, damaged[i].text, NULL), 1);
        assert_string_equal(thing.name, i + 1 < LAG_COUNT(damaged) ? "x1" : "");
        assert_int_equal(lag_fields_parse(&table, &thing, damaged[i].text, &err), LAG_EINVAL);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shown_as_stored),
        cmocka_unit_test(test_sparse),
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_texts_are_accepted_or_refused),
        cmocka_unit_test(test_setters_convert_numbers_only),
        cmocka_unit_test(test_list_items),
        cmocka_unit_test(test_text_form_round_trip),
        cmocka_unit_test(test_parse_refuses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
