/* A study with planted losses: eight candidates whose order turns round at t = 1000 of 4000, and `none`. */
#pragma once
#include <lagd/daemon/study_report.h>

struct study_fixture {
    int n_seeds;
    bool scratch;   /* with a baseline from scratch that has ended */
    bool flat;      /* finals that differ by nothing but noise */
    bool ties_at_0; /* all but the last keep the parent's loss */
    const char *label; /* of the first candidate; NULL: its own */
};
/* Made as the daemon makes one, and freed as one; it ends the program where there is no memory. */
struct lagd_study_result *study_fixture_create(const struct study_fixture *fixture);
