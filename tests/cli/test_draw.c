/* Bars, sparks and plots as text. */
#include "check_cli.h"
#include "draw_internal.h"

#include <lagd/base/parse.h>
#include <math.h>

static void test_bars(void **state) {
    struct lag_strbuf out = LAG_STRBUF_INIT;
    ctl_bar(&out, 0, 4, true);
    assert_holds(&out, "░░░░");
    ctl_bar(&out, 0.5, 4, true);
    assert_holds(&out, "██░░");
    ctl_bar(&out, 0.40625, 4, true); /* 13 of 32 eighths */
    assert_holds(&out, "█▋░░");
    ctl_bar(&out, 1, 4, true);
    assert_holds(&out, "████");
    ctl_bar(&out, 7, 4, true);
    assert_holds(&out, "████");
    ctl_bar(&out, (double)NAN, 2, true);
    assert_holds(&out, "░░");
    ctl_bar(&out, 0.5, 4, false);
    assert_holds(&out, "##..");
}

static void test_sparks(void **state) {
    struct lag_strbuf out = LAG_STRBUF_INIT;
    const double up[] = {0, 1, 2, 3, 4, 5, 6, 7}, gap[] = {1, (double)NAN, 0}, flat[] = {3, 3, 3};
    ctl_spark(&out, up, 8, 8, true);
    assert_holds(&out, "▁▂▃▄▅▆▇█");
    ctl_spark(&out, up, 8, 2, true); /* means 1.5 and 5.5 */
    assert_holds(&out, "▂▇");
    ctl_spark(&out, up, 8, 8, false);
    assert_holds(&out, "_.,-=+*#");
    ctl_spark(&out, gap, 3, 8, false);
    assert_holds(&out, "# _");
    ctl_spark(&out, flat, 3, 8, true);
    assert_holds(&out, "▁▁▁");
    ctl_spark(&out, up, 0, 8, true);
    assert_null(out.data);
}

/* Lines are as long as they should be, corners are where they belong, nothing but ASCII without UTF-8. */
static void test_plots(void **state) {
    struct lag_strbuf out = LAG_STRBUF_INIT;
    const double x[] = {0, 50, 100}, y[] = {2, (double)NAN, 1};
    ctl_plot(&out, "loss", x, y, 3, 32, 4, false);
    assert_holds(&out, "loss\n"
                       "         2 +*\n"
                       "           |\n"
                       "           |\n"
                       "         1 +                   *\n"
                       "           +--------------------\n"
                       "            0                100\n");
    const double line[] = {1, 2, 3};
    ctl_plot(&out, "t", line, line, 3, 16, 4, false);
    assert_non_null(strstr(out.data, "         3 +        **\n"));
    assert_non_null(strstr(out.data, "         1 +**\n"));
    lag_strbuf_deinit(&out);
    ctl_plot(&out, "t", line, line, 3, 16, 4, true); /* a diagonal of Braille dots */
    for (const char *p = out.data; *p; p += lag_utf8_length(p)) assert_true(lag_utf8_length(p) > 0);
    assert_non_null(strstr(out.data, "┤⡠⠒⠁\n"));
    lag_strbuf_deinit(&out);
    ctl_plot(&out, "t", x, y + 1, 1, 40, 4, true);
    assert_holds(&out, "t\n  no points\n");
    ctl_plot(&out, "t", x, x, 1, 24, 2, false); /* one point */
    assert_non_null(strstr(out.data, "*\n"));
    lag_strbuf_deinit(&out);
}

static void test_numbers(void **state) {
    char text[48];
    const struct {
        double value;
        const char *text;
    } counts[] = {{0, "0"},          {999, "999"},    {1000, "1.00k"}, {34688, "34.7k"},
                  {999999, "1.00M"}, {124e9, "124G"}, {0.5, "0.50"},
                  {7e12, "7.00T"},   {7e15, "7.00P"}, {7e18, "7.00E"}, {7e21, "7000E"}},
      sizes[] = {{512, "512 B"}, {1536, "1.5 KiB"}, {589591, "576 KiB"}, {24.5e9, "22.8 GiB"},
               {3299e9, "3.0 TiB"}, {1.2e16, "10.7 PiB"}, {1.2e20, "106581 PiB"}},
      times[] = {{0, "0 s"},    {0.34, "0.3 s"},     {59.7, "1 min"},    {75, "1 min 15 s"},
                 {3600, "1 h"}, {3661, "1 h 1 min"}, {200000, "2 d 7 h"}};
    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        ctl_count_text(counts[i].value, text);
        assert_string_equal(text, counts[i].text);
    }
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        ctl_bytes_text(sizes[i].value, text);
        assert_string_equal(text, sizes[i].text);
    }
    for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
        ctl_seconds_text(times[i].value, text);
        assert_string_equal(text, times[i].text);
    }
    assert_int_equal(ctl_width("a–ö█"), 4);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_bars), cmocka_unit_test(test_sparks),
                                       cmocka_unit_test(test_plots), cmocka_unit_test(test_numbers)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
