/* What stored orders say of a new one: by hand, against scipy, and on orders whose chance is known. */
#include "study_fixture.h"
#include <lagd/engine/calibration.h>

enum { MOST_ROWS = 4000 };
static struct lag_kept_row rows[MOST_ROWS];
static struct lag_calibration calibration;

static const struct lag_order likely = {.z = 5, .share = 0.2, .phase = LAG_PHASE_CONSTANT, .beyond_none = true};

/* n rows of a study behind the first *size, of which so many were kept. */
static void add(size_t *size, int study, int n, int n_kept, struct lag_order order) {
    for (int i = 0; i < n; i++)
        rows[(*size)++] = (struct lag_kept_row){.study = study, .order = order, .kept = i < n_kept};
}

static void test_few_studies(void **state) {
    (void)state;
    size_t n = 0;
    lag_calibrate(rows, 0, -1, &calibration);
    assert_true(isnan(lag_p_end(&calibration, &likely).p));
    add(&n, 1, 100, 90, likely);
    add(&n, 2, 100, 90, likely);
    lag_calibrate(rows, n, -1, &calibration);
    struct lag_kept kept = lag_p_end(&calibration, &likely);
    assert_true(isnan(kept.p) && isnan(kept.low) && isnan(kept.high) && kept.n_studies == 0);
    assert_true(isnan(lag_brier_of(rows, n).score));
    add(&n, 7, 1, 1, likely);
    lag_calibrate(rows, n, -1, &calibration);
    kept = lag_p_end(&calibration, &likely);
    assert_true(kept.n_studies == 3 && kept.n_pairs == 201);
    close_to(kept.p, 181.0 / 201, 1e-12);
    lag_calibrate(rows, n, 7, &calibration);
    assert_true(isnan(lag_p_end(&calibration, &likely).p));
    n = 0; /* three studies, but too few pairs */
    for (int study = 0; study < 3; study++) add(&n, study, 9, 9, likely);
    lag_calibrate(rows, n, -1, &calibration);
    assert_true(isnan(lag_p_end(&calibration, &likely).p));
}

/* Three studies of 40 that kept 20, 30, 40. p = 3/4, V = 3/2 · 200/120² = 1/48, so 9 independent orders:
 * Wilson's interval of 6.75 of 9. Where all agree, as many as there are studies: scipy's interval of 4 of 4. */
static void test_wilson(void **state) {
    (void)state;
    size_t n = 0;
    for (int study = 0; study < 3; study++) add(&n, study, 40, 20 + 10 * study, likely);
    lag_calibrate(rows, n, -1, &calibration);
    struct lag_kept kept = lag_p_end(&calibration, &likely);
    close_to(kept.p, 0.75, 1e-12);
    close_to(kept.low, 0.42685375, 1e-7);
    close_to(kept.high, 0.92357372, 1e-7);
    n = 0;
    for (int study = 0; study < 4; study++) add(&n, study, 40, 40, likely);
    lag_calibrate(rows, n, -1, &calibration);
    kept = lag_p_end(&calibration, &likely);
    assert_true(kept.p == 1 && kept.high == 1);
    close_to(kept.low, 0.51010916, 1e-7); /* of 4 of 4 */
    n = 0; /* all differences are those of a coin: never more than the pairs */
    for (int study = 0; study < 4; study++) add(&n, study, 100, 50 + (study % 2), likely);
    lag_calibrate(rows, n, -1, &calibration);
    kept = lag_p_end(&calibration, &likely);
    close_to((kept.high - kept.low) / 2, 1.96 * 0.5 / sqrt(400), 5e-4);
}

/* What is not known for orders just like it is taken from orders that are like it in less. */
static void test_levels(void **state) {
    (void)state;
    size_t n = 0;
    struct lag_order other = likely, asked = likely;
    other.kinds_differ = true;
    for (int study = 0; study < 3; study++) add(&n, study, 50, 40, likely);
    for (int study = 3; study < 6; study++) add(&n, study, 50, 10, other);
    lag_calibrate(rows, n, -1, &calibration);
    close_to(lag_p_end(&calibration, &asked).p, 0.8, 1e-12);
    asked.kinds_differ = true;
    close_to(lag_p_end(&calibration, &asked).p, 0.2, 1e-12);
    asked.phase = LAG_PHASE_DECAY; /* by share, z and `none` */
    close_to(lag_p_end(&calibration, &asked).p, 0.5, 1e-12);
    asked.beyond_none = false;     /* by share and z */
    close_to(lag_p_end(&calibration, &asked).p, 0.5, 1e-12);
    asked.z = 0;                   /* by share alone */
    close_to(lag_p_end(&calibration, &asked).p, 0.5, 1e-12);
    asked = likely;
    asked.share = 0.299;
    close_to(lag_p_end(&calibration, &asked).p, 0.8, 1e-12);
    asked.share = 0.3;             /* nothing is known so late */
    assert_true(isnan(lag_p_end(&calibration, &asked).p));
    assert_true(lag_kept_bin(&calibration, 3, 2).n_pairs == 300 && lag_kept_bin(&calibration, 3, 2).n_studies == 6);
    assert_true(lag_kept_bin(&calibration, 2, 2).n_pairs == 0 && isnan(lag_kept_bin(&calibration, 2, 2).p));
    asked = likely;
    asked.z = 8; /* a bin holds its lower edge */
    add(&n, 6, 7, 7, asked);
    asked.z = INFINITY;
    add(&n, 6, 1, 1, asked);
    lag_calibrate(rows, n, -1, &calibration);
    assert_true(lag_kept_bin(&calibration, 4, 2).n_pairs == 8 && lag_kept_bin(&calibration, 3, 2).n_pairs == 300);
}

/* Each bin holds what lies from its lower edge on, and no two of them share a cell. */
static void test_bins(void **state) {
    (void)state;
    static const double z[] = {0, 1, 2, 4, 8, INFINITY}, share[] = {0, 0.03, 0.1, 0.3, 0.6, 1};
    size_t n = 0;
    for (int i = 0; i < LAG_Z_BINS; i++) {
        for (int j = 0; j < LAG_SHARE_BINS; j++) {
            struct lag_order low = likely, high = likely;
            low.z = z[i];
            low.share = share[j];
            high.z = i + 1 < LAG_Z_BINS ? nextafter(z[i + 1], 0) : INFINITY;
            high.share = nextafter(share[j + 1], 0);
            add(&n, 0, 1 + 5 * i + j, 0, low);
            add(&n, 0, 1, 1, high);
        }
    }
    lag_calibrate(rows, n, -1, &calibration);
    for (int i = 0; i < LAG_Z_BINS; i++)
        for (int j = 0; j < LAG_SHARE_BINS; j++) {
            const struct lag_kept kept = lag_kept_bin(&calibration, i, j);
            assert_true(kept.n_pairs == 2 + 5 * i + j && kept.n_studies == 1);
            close_to(kept.p, 1 / kept.n_pairs, 1e-12);
        }
    /* nor do two of the finest */
    n = 0;
    for (int i = 0; i < 12; i++) {
        const struct lag_order order = {.z = 0, .share = 0.7, .phase = (enum lag_phase)(i % 3),
                                        .beyond_none = i / 3 % 2, .kinds_differ = i / 6};
        for (int study = 0; study < 3; study++) add(&n, 12 * study + i, 20 + i, 10, order);
    }
    lag_calibrate(rows, n, -1, &calibration);
    for (int i = 0; i < 12; i++) {
        const struct lag_order order = {.z = 0.9, .share = 0.9, .phase = (enum lag_phase)(i % 3),
                                        .beyond_none = i / 3 % 2, .kinds_differ = i / 6};
        const struct lag_kept kept = lag_p_end(&calibration, &order);
        assert_true(kept.n_pairs == 3 * (20 + i) && kept.n_studies == 3);
    }
}

/* Of three studies with shares 1, 1 and ½: by the others ¾, ¾ and 1. */
static void test_brier(void **state) {
    (void)state;
    size_t n = 0;
    for (int study = 0; study < 3; study++) add(&n, study, 40, study < 2 ? 40 : 20, likely);
    struct lag_brier brier = lag_brier_of(rows, n);
    close_to(brier.score, (1.0 / 16 + 1.0 / 16 + 0.5) / 3, 1e-12);
    close_to(brier.of_share, brier.score, 1e-12); /* there is one kind of order only */
    assert_int_equal(brier.n_studies, 3);
    n = 0; /* two kinds: knowing them is better than one share */
    struct lag_order unlikely = likely;
    unlikely.z = 0.5;
    for (int study = 0; study < 4; study++) {
        add(&n, study, 40, 36, likely);
        add(&n, study, 40, 20, unlikely);
    }
    brier = lag_brier_of(rows, n);
    close_to(brier.score, (0.9 * 0.1 + 0.25) / 2, 1e-12);
    close_to(brier.of_share, 0.7 * 0.3, 1e-12);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_few_studies),
        cmocka_unit_test(test_wilson),
        cmocka_unit_test(test_levels),
        cmocka_unit_test(test_bins),
        cmocka_unit_test(test_brier),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
