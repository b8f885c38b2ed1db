/* A checkpoint as one of another run: the same state under another manifest, or nothing. */
#include "checkpoint_fixture.h"
#include "checkpoint/manifest_internal.h"
#include <lagd/base/check.h>

static const struct lag_checkpoint_meta other = {
    .run_id = "run_01other", .fingerprint = "test", .version = "0.2.0", .tokens = 7, .seed = 3, .id = "ckpt_01other",
    .kind = "fork", .origin_run = "run_01abc", .origin_checkpoint = "ckpt_01abc", .origin_step = 4321,
};

static int format_of(const char *dir) {
    char path[600], *text = NULL;
    size_t n = 0;
    int format = 0;
    snprintf(path, sizeof path, "%s/manifest.json", dir);
    assert_int_equal(lag_fs_read_file(path, LAG_MANIFEST_MAX_BYTES, &text, &n, NULL), 0);
    assert_int_equal(sscanf(strstr(text, "\"format\":"), "\"format\":%d", &format), 1);
    free(text);
    return format;
}

static void the_state_is_the_same(void **state) {
    const char *from = fixture_path(state, "a"), *to = fixture_path(state, "b"), *third = fixture_path(state, "c");
    struct lag_state *s = fixture_state(), *back = NULL;
    const struct lag_checkpoint_files before = write_fixture(from, s);
    struct lag_checkpoint_files files = {0};
    struct lag_checkpoint_meta meta;
    struct lag_error err = {0};
    assert_int_equal(lag_checkpoint_copy(from, to, &other, NULL, &files, &err), 0);
    assert_int_equal(lag_checkpoint_read(to, &back, &meta, NULL), 0);
    assert_true(lag_state_equal(s, back));
    assert_memory_equal(&meta, &other, sizeof meta);
    assert_int_equal(files.n_files, 4);
    for (int i = 0; i < 3; i++) assert_memory_equal(&files.file[i], &before.file[i], sizeof files.file[i]);
    assert_string_equal(files.file[3].name, "manifest.json");
    assert_string_not_equal(files.file[3].sha256, before.file[3].sha256);
    assert_int_equal(files.n_bytes, files.file[0].n_bytes + files.file[1].n_bytes + files.file[2].n_bytes +
                                        files.file[3].n_bytes);
    assert_int_equal(n_entries(*state), 2);

    /* Neither needs the other. A manifest has the newest format only where it has to. */
    assert_int_equal(lag_fs_remove_tree(from, NULL), 0);
    assert_int_equal(lag_checkpoint_copy(to, third, &fixture_meta, NULL, &files, NULL), 0);
    assert_int_equal(lag_checkpoint_verify(third, NULL), 0);
    assert_int_equal(format_of(to), 3);
    assert_int_equal(format_of(third), 2);
    lag_state_destroy(back);
    lag_state_destroy(s);
}

static int stop(void *arg, size_t n_bytes) {
    (void)n_bytes;
    return ++*(int *)arg > 1;
}

static void a_failure_leaves_nothing(void **state) {
    const char *from = fixture_path(state, "a"), *to = fixture_path(state, "b");
    struct lag_state *s = fixture_state();
    struct lag_checkpoint_files files = {0};
    struct lag_error err = {0};
    int n = 0;
    const struct lag_fs_watch watch = {stop, &n};
    write_fixture(from, s);
    assert_int_equal(lag_checkpoint_copy(from, to, &other, &watch, &files, &err), LAG_ECANCELED);
    assert_int_equal(lag_checkpoint_copy(from, from, &other, NULL, &files, &err), LAG_EEXIST);
    assert_int_equal(lag_checkpoint_copy(fixture_path(state, "none"), to, &other, NULL, &files, &err), LAG_ENOTFOUND);
    assert_int_equal(n_entries(*state), 1);

    /* A byte that has changed, a file that is longer, one that is a link, one that is missing. */
    char path[600], moved[610];
    snprintf(path, sizeof path, "%s/optimizer.safetensors", from);
    snprintf(moved, sizeof moved, "%s.moved", path);
    FILE *file = fopen(path, "r+b");
    assert_non_null(file);
    assert_int_equal(fseek(file, -1, SEEK_END), 0);
    const int last = fgetc(file);
    assert_int_equal(fseek(file, -1, SEEK_END), 0);
    fputc(last ^ 1, file);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(lag_checkpoint_copy(from, to, &other, NULL, &files, &err), LAG_ECORRUPT);
    assert_non_null(strstr(err.text, "SHA-256"));
    file = fopen(path, "ab");
    fputc('x', file);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(lag_checkpoint_copy(from, to, &other, NULL, &files, &err), LAG_ECORRUPT);
    assert_int_equal(rename(path, moved), 0);
    assert_int_equal(symlink(moved, path), 0);
    assert_int_equal(lag_checkpoint_copy(from, to, &other, NULL, &files, &err), LAG_ECORRUPT);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(lag_checkpoint_copy(from, to, &other, NULL, &files, &err), LAG_ENOTFOUND);
    assert_non_null(strstr(err.text, "optimizer.safetensors is missing"));
    assert_int_equal(n_entries(*state), 1);
    lag_state_destroy(s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_state_is_the_same, fixture_folder, fixture_remove),
        cmocka_unit_test_setup_teardown(a_failure_leaves_nothing, fixture_folder, fixture_remove),
    };
    return cmocka_run_group_tests_name("engine/checkpoint_copy", tests, NULL, NULL);
}
