/* Which events people are told of, how long a sink is left alone, and what may be a webhook's address. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include <lagd/base/check.h>
#include <lagd/base/error.h>
#include <lagd/base/mem.h>
#include <lagd/daemon/config.h>
#include <lagd/daemon/outbox.h>
#include <lagd/daemon/states.h>
#include <lagd/storage/events.h>

static struct lag_event_row event_of(const char *type, const char *state) {
    struct lag_event_row row = {.seq = 7, .ts_ms = 1700000000000, .step = -1};
    (void)lag_copy(row.type, sizeof(row.type), type);
    (void)lag_copy(row.state, sizeof(row.state), state);
    return row;
}

static void test_rules(void **state) {
    static const struct {
        const char *type, *state;
        int rule;
    } cases[] = {
        {"growth.state", "awaiting_approval", LAGD_RULE_WAITING}, {"growth.state", "probing", LAGD_NO_RULE},
        {"growth.state", "decided", LAGD_RULE_DECIDED},           {"growth.state", "applied", LAGD_NO_RULE},
        {"growth.state", "rejected", LAGD_NO_RULE},               {"growth.state", "failed", LAGD_RULE_FAILED},
        {"growth.decision", "", LAGD_NO_RULE},                    {"run.state", "failed", LAGD_RULE_FAILED},
        {"run.state", "completed", LAGD_RULE_COMPLETED},          {"run.state", "paused", LAGD_NO_RULE},
        {"run.state", "cancelled", LAGD_NO_RULE},                 {"run.trouble", "paused", LAGD_RULE_TROUBLE},
        {"run.rollback", "", LAGD_RULE_ROLLBACK},                 {"run.stalled", "", LAGD_RULE_STALLED},
        {"study.state", "completed", LAGD_RULE_COMPLETED},        {"study.state", "failed", LAGD_RULE_FAILED},
        {"study.state", "running", LAGD_NO_RULE},                 {"dataset.state", "failed", LAGD_NO_RULE},
        {"candidate.state", "failed", LAGD_NO_RULE},              {"system.warning", "", LAGD_NO_RULE},
        {"run.created", "completed", LAGD_NO_RULE},               {"run.diverged", "", LAGD_RULE_DIVERGED},
    };
    unsigned seen = 0;
    for (size_t i = 0; i < LAG_COUNT(cases); i++) {
        const struct lag_event_row row = event_of(cases[i].type, cases[i].state);
        int rule = lagd_rule_of(&row);
        if (rule != cases[i].rule) fail_msg("%s %s: %d, not %d", cases[i].type, cases[i].state, rule, cases[i].rule);
        if (rule != LAGD_NO_RULE) seen |= 1u << rule;
    }
    assert_int_equal(seen, (1u << LAGD_N_RULES) - 1);
    /* states that the table names are states */
    assert_non_null(lagd_state_find(LAGD_MACHINE_GROWTH, "awaiting_approval"));
    assert_non_null(lagd_state_find(LAGD_MACHINE_GROWTH, "decided"));
}

static void test_ids_are_of_the_event(void **state) {
    struct lag_event_row one = event_of("run.rollback", ""), other = event_of("run.state", "failed");
    char a[LAGD_NOTICE_ID], b[LAGD_NOTICE_ID];
    lagd_notice_id(&one, a);
    lagd_notice_id(&other, b);
    assert_string_equal(a, b);
    assert_string_equal(a, "ntf_7_18bcfe56800");
    other.ts_ms++;
    lagd_notice_id(&other, b);
    assert_string_not_equal(a, b);
    one.seq = other.seq = INT64_MAX;
    one.ts_ms = INT64_MAX;
    lagd_notice_id(&one, a);
    assert_int_equal(strlen(a), 40);
}

static void test_lists_of_rules(void **state) {
    unsigned rules = 99;
    struct lag_error err = {0};
    assert_int_equal(lagd_rules_parse("", &rules, &err), 0);
    assert_int_equal(rules, 0);
    assert_int_equal(lagd_rules_parse("failed,waiting", &rules, &err), 0);
    assert_int_equal(rules, 1u << LAGD_RULE_FAILED | 1u << LAGD_RULE_WAITING);
    assert_int_equal(lagd_rules_parse(LAGD_RULES_ALL, &rules, &err), 0);
    assert_int_equal(rules, (1u << LAGD_N_RULES) - 1); /* the text of all names all */
    assert_int_equal(lagd_rules_parse("failed,wait", &rules, &err), LAG_EINVAL);
    assert_string_equal(err.text, "no rule is called wait; did you mean waiting? There are " LAGD_RULES_ALL);
    assert_int_equal(lagd_rules_parse("fail", &rules, &err), LAG_EINVAL);
    assert_int_equal(lagd_rules_parse("rolback", &rules, &err), LAG_EINVAL);
    assert_non_null(strstr(err.text, "did you mean rollback? "));
}

static void test_back_off(void **state) {
    for (uint64_t salt = 0; salt < 200; salt++) {
        for (int n = 1; n < 60; n++) {
            int64_t longest = n > 9 ? 300000 : INT64_C(1000) << (n - 1), wait = lagd_backoff_ms(n, salt);
            longest = LAG_MIN(longest, 300000);
            if (wait > longest || wait < longest - longest / 4) fail_msg("%d %d: %d", (int)salt, n, (int)wait);
        }
    }
    assert_int_equal(lagd_backoff_ms(3, 5), lagd_backoff_ms(3, 5));
    int n_differ = 0;
    for (uint64_t salt = 1; salt < 20; salt++) n_differ += lagd_backoff_ms(9, salt) != lagd_backoff_ms(9, salt - 1);
    assert_true(n_differ > 10);
    assert_true(lagd_backoff_ms(INT32_MAX, 1) <= 300000);
}

static void test_addresses(void **state) {
    struct lagd_hook hook;
    struct lag_error err = {0};
    assert_int_equal(lagd_hook_parse("https://hooks.example.org/a/b?c=d", &hook, &err), 0);
    assert_true(hook.by_helper);
    assert_string_equal(hook.url, "https://hooks.example.org/a/b?c=d");
    assert_int_equal(lagd_hook_parse("http://127.0.0.1:8080/a?b", &hook, &err), 0);
    assert_false(hook.by_helper);
    assert_string_equal(hook.host, "127.0.0.1");
    assert_int_equal(hook.port, 8080);
    assert_string_equal(hook.target, "/a?b");
    assert_int_equal(lagd_hook_parse("http://localhost", &hook, &err), 0);
    assert_string_equal(hook.host, "127.0.0.1");
    assert_int_equal(hook.port, 80);
    assert_string_equal(hook.target, "/");
    assert_int_equal(lagd_hook_parse("http://[::1]:99?q", &hook, &err), 0);
    assert_string_equal(hook.host, "::1");
    assert_int_equal(hook.port, 99);
    assert_string_equal(hook.target, "/?q");
    assert_int_equal(lagd_hook_parse("unix:/run/hook.sock:/in", &hook, &err), 0);
    assert_string_equal(hook.socket, "/run/hook.sock");
    assert_string_equal(hook.target, "/in");
    assert_int_equal(lagd_hook_parse("unix:/run/hook.sock", &hook, &err), 0);
    assert_string_equal(hook.target, "/");
}

static void test_what_is_no_address(void **state) {
    static const char *const wrong[] = {
        "", "hooks.example.org", "http://example.org/", "http://127.0.0.1.example.org/", "http://127.0.0.1:0/",
        "http://127.0.0.1:70000/", "http://127.1/", "http://", "https://", "https:///x", "https://a b/",
        "https://x/\r\nA: b", "https://user@x/", "http://u:p@localhost/", "unix:relative", "unix:/s:nothing", "unix:",
        "https://x/#a", "https://x/\"", "ftp://x/", "http://[::2]/", "http://127.0.0.256/",
    };
    for (size_t i = 0; i < LAG_COUNT(wrong); i++) {
        struct lagd_hook hook = {.port = 1234};
        struct lag_error err = {0};
        if (lagd_hook_parse(wrong[i], &hook, &err) != LAG_EINVAL) fail_msg("%s was taken", wrong[i]);
        assert_int_equal(hook.port, 1234);
        assert_true(strlen(wrong[i]) < 9 || !strstr(err.text, wrong[i])); /* it may be a secret */
    }
    char longer[1200];
    struct lagd_hook hook;
    memset(longer, 'a', sizeof(longer));
    memcpy(longer, "https://", 8);
    longer[sizeof(longer) - 1] = '\0';
    assert_int_equal(lagd_hook_parse(longer, &hook, NULL), LAG_EINVAL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rules),          cmocka_unit_test(test_ids_are_of_the_event),
        cmocka_unit_test(test_lists_of_rules), cmocka_unit_test(test_back_off),
        cmocka_unit_test(test_addresses),      cmocka_unit_test(test_what_is_no_address),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
