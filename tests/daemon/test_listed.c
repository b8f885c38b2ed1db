/* Jobs that a row each stands for: they are counted, found by id, and taken out once, whatever ends them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <time.h>

#include "exec/listed_internal.h"

struct entry {
    struct lagd_listed listed;
    struct lagd_list *list;
    _Atomic bool started, was_gone;
    _Atomic int n_dones;
};

static void nap(void) {
    const struct timespec time = {.tv_nsec = 200000};
    (void)nanosleep(&time, NULL);
}

/* Works until it is cancelled. */
static void run(struct lagd_job *base) {
    struct entry *entry = (struct entry *)base;
    atomic_store(&entry->started, true);
    while (!atomic_load(&base->cancelled)) nap();
    atomic_store(&entry->was_gone, lagd_list_take_out(entry->list, &entry->listed));
}

static void done(struct lagd_job *base) {
    struct entry *entry = (struct entry *)base;
    if (!base->ran) atomic_store(&entry->was_gone, lagd_list_take_out(entry->list, &entry->listed));
    atomic_fetch_add(&entry->n_dones, 1);
}

static void put(struct lagd_list *list, struct entry *entry, const char *id) {
    *entry = (struct entry){.listed = {.job = {.run = run, .done = done}, .id = id}, .list = list};
    assert_int_equal(lagd_list_submit(list, &entry->listed, NULL), 0);
}

static void wait_until(_Atomic bool *flag) {
    for (int i = 0; i < 50000 && !atomic_load(flag); i++) nap();
    assert_true(atomic_load(flag));
}

static void a_deleted_row_ends_its_job_alone(void **state) {
    struct lagd_list list;
    static struct entry one, two, three;
    assert_int_equal(lagd_list_init(&list, "test", NULL), 0);
    assert_int_equal(lagd_list_count(&list), 0);
    put(&list, &one, "a");
    put(&list, &two, "b"); /* waits, as there is one worker */
    put(&list, &three, "c");
    wait_until(&one.started);
    assert_int_equal(lagd_list_count(&list), 3);
    assert_false(lagd_list_cancel(&list, "d"));
    assert_true(lagd_list_cancel(&list, "b"));
    assert_false(atomic_load(&one.was_gone));
    assert_true(lagd_list_cancel(&list, "a"));
    wait_until(&one.was_gone);
    wait_until(&two.was_gone);
    wait_until(&three.started);
    assert_int_equal(lagd_list_count(&list), 1);
    lagd_list_stop(&list); /* the row of the last one stays */
    assert_false(atomic_load(&three.was_gone));
    assert_int_equal(lagd_list_count(&list), 0);
    lagd_list_deinit(&list);
    assert_true(one.n_dones == 1 && two.n_dones == 1 && three.n_dones == 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_deleted_row_ends_its_job_alone)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
