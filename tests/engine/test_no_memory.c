/* Reading and writing a checkpoint while one allocation after the other is refused: that is a shortage and never
 * damage. The linker leads the program's allocations through here. */
#include "checkpoint_fixture.h"

#include <errno.h>

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *old, size_t n);
int __real_posix_memalign(void **ret, size_t alignment, size_t n);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *old, size_t n);
int __wrap_posix_memalign(void **ret, size_t alignment, size_t n);

static long n_asked, refused_at; /* the how manieth is refused; 0: none */

static bool refuses(void) { return ++n_asked == refused_at; }

void *__wrap_malloc(size_t n) { return refuses() ? NULL : __real_malloc(n); }
void *__wrap_calloc(size_t n, size_t size) { return refuses() ? NULL : __real_calloc(n, size); }
void *__wrap_realloc(void *old, size_t n) { return refuses() ? NULL : __real_realloc(old, n); }
int __wrap_posix_memalign(void **ret, size_t alignment, size_t n) {
    return refuses() ? ENOMEM : __real_posix_memalign(ret, alignment, n);
}

static int read_one(const char *dir, struct lag_error *err) {
    struct lag_state *back = NULL;
    struct lag_checkpoint_meta meta;
    int rc = lag_checkpoint_read(dir, &back, &meta, err);
    lag_state_destroy(back);
    return rc;
}

static struct lag_state *written;

static int write_one(const char *dir, struct lag_error *err) {
    struct lag_checkpoint_files files;
    return lag_checkpoint_write(dir, written, &fixture_meta, &files, err);
}

/* Refuses the first allocation, then the next, … until the work needs no more: each one of those that differ, a part of
 * the many like ones behind them. */
static void walk(int (*work)(const char *dir, struct lag_error *err), const char *dir, long each) {
    long n = 0;
    int rc;
    do {
        struct lag_error err = {0};
        n_asked = 0;
        n += n < each ? 1 : 1 + n / 8;
        refused_at = n;
        rc = work(dir, &err);
        refused_at = 0;
        if (rc != 0 && rc != LAG_ENOMEM) fail_msg("allocation %ld: %s (%s)", n, lag_code_name(rc), err.text);
    } while (n_asked >= n);
    assert_int_equal(rc, 0);
    assert_true(n > 20);
    assert_int_equal(lag_checkpoint_verify(dir, NULL), 0);
}

static void no_memory_is_no_damage(void **state) {
    const char *dir = fixture_path(state, "ckpt");
    written = fixture_state();
    assert_int_equal(write_one(dir, NULL), 0);
    walk(read_one, dir, 200);
    walk(write_one, dir, 25);
    lag_state_destroy(written);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(no_memory_is_no_damage, fixture_folder, fixture_remove),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
