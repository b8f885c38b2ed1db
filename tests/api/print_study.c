/* Prints what the report of a planted study says: print_study md|text|svg [FIGURE] [SEEDS] [OPTION …]. */
#include "daemon/study_fixture.h"

#include "encode/study_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(int argc, char **argv) {
    struct study_fixture fixture = {.n_seeds = argc > 3 ? atoi(argv[3]) : 3};
    struct lag_strbuf out = LAG_STRBUF_INIT;
    bool there = true;
    for (int i = 4; i < argc; i++) {
        fixture.scratch = fixture.scratch || strcmp(argv[i], "scratch") == 0;
        fixture.flat = fixture.flat || strcmp(argv[i], "flat") == 0;
        fixture.ties_at_0 = fixture.ties_at_0 || strcmp(argv[i], "ties") == 0;
        if (strcmp(argv[i], "label") == 0) fixture.label = "<b>&\"it's\"\x01";
    }
    struct lagd_study_result *result = study_fixture_create(&fixture);
    if (argc > 1 && strcmp(argv[1], "svg") == 0)
        there = lagd_study_write_svg(result, argc > 2 && *argv[2] ? argv[2] : NULL, &out);
    else if (argc > 1 && strcmp(argv[1], "md") == 0)
        lagd_study_write_markdown(result, &out);
    else
        lagd_study_read_out(result, &out);
    if (out.failed) return 1;
    if (there) (void)fputs(out.data, stdout);
    lag_strbuf_deinit(&out);
    lagd_study_result_destroy(result);
    return there ? 0 : 2;
}
