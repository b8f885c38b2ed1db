/* Tokenizers that stay loaded: read once, shared, few, and gone when they are deleted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "commands/loaded_internal.h"

#include <lagd/base/fs.h>
#include <lagd/base/strbuf.h>
#include <lagd/engine/token.h>

static struct lagd_deps deps;
static struct lagd_loaded *loaded;

/* The file of a tokenizer of bytes, with so many more tokens that are found before words are, at least so long. */
static void put_long(const char *id, int n_added, int length) {
    struct lag_tokenizer *tokenizer;
    struct lag_strbuf text = LAG_STRBUF_INIT, out = LAG_STRBUF_INIT;
    char path[1200];
    assert_int_equal(lag_tokenizer_of_bytes(&tokenizer, NULL), 0);
    assert_int_equal(lag_tokenizer_write(tokenizer, &text, NULL), 0);
    lag_tokenizer_destroy(tokenizer);
    const char *list = strstr(text.data, "\"added_tokens\": [");
    assert_non_null(list);
    list += strlen("\"added_tokens\": [");
    lag_strbuf_append_n(&out, text.data, (size_t)(list - text.data));
    for (int i = 0; i < n_added; i++)
        lag_strbuf_printf(&out, "%s{\"id\":%d,\"content\":\"<%0*d>\",\"single_word\":false,\"lstrip\":false,"
                                "\"rstrip\":false,\"normalized\":false,\"special\":true}",
                          i ? "," : "", 256 + i, length, i);
    lag_strbuf_append(&out, list);
    (void)snprintf(path, sizeof(path), "%s/tokenizers/%s", deps.state_dir, id);
    (void)mkdir(path, 0700);
    (void)snprintf(path, sizeof(path), "%s/tokenizers/%s/tokenizer.json", deps.state_dir, id);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(out.data, file) >= 0);
    assert_int_equal(fclose(file), 0);
    lag_strbuf_deinit(&text);
    lag_strbuf_deinit(&out);
}

static void put(const char *id, int n_added) { put_long(id, n_added, 1); }

static const struct lag_tokenizer *take(const char *id) {
    const struct lag_tokenizer *tokenizer = NULL;
    struct lag_error err = {0};
    if (lagd_loaded_take(loaded, id, &tokenizer, &err) != 0) fail_msg("%s: %s", id, err.text);
    assert_non_null(tokenizer);
    return tokenizer;
}

static int size_of(const struct lag_tokenizer *tokenizer) {
    struct lag_tokenizer_look look;
    lag_tokenizer_look(tokenizer, &look);
    return look.size;
}

static int begin(void **state) {
    char path[1200];
    (void)snprintf(deps.state_dir, sizeof(deps.state_dir), "%s/lagd-loaded-XXXXXX",
                   getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
    if (!mkdtemp(deps.state_dir)) return -1;
    (void)snprintf(path, sizeof(path), "%s/tokenizers", deps.state_dir);
    if (mkdir(path, 0700) != 0) return -1;
    return lagd_loaded_create(&deps, &loaded, NULL);
}

static int end(void **state) {
    lagd_loaded_destroy(loaded);
    return lag_fs_remove_tree(deps.state_dir, NULL);
}

static void one_is_read_once_and_shared(void **state) {
    put("tok_a", 1);
    const struct lag_tokenizer *first = take("tok_a"), *second = take("tok_a");
    assert_ptr_equal(first, second);
    assert_int_equal(size_of(first), 257);
    lagd_loaded_give(loaded, first);
    lagd_loaded_give(loaded, second);
    put("tok_a", 2); /* nobody looks */
    assert_int_equal(size_of(take("tok_a")), 257);
    lagd_loaded_give(loaded, first);
    assert_int_equal(lagd_loaded_count(loaded), 1);
    const struct lag_tokenizer *bytes = take("");
    assert_int_equal(size_of(bytes), 256);
    lagd_loaded_give(loaded, bytes);
    assert_int_equal(lagd_loaded_count(loaded), 2);
    lagd_loaded_give(loaded, NULL);
}

static void what_is_deleted_is_not_kept(void **state) {
    put("tok_a", 1);
    const struct lag_tokenizer *before = take("tok_a");
    put("tok_a", 2);
    lagd_loaded_drop(loaded, "tok_a");
    assert_int_equal(lagd_loaded_count(loaded), 0);
    assert_int_equal(size_of(before), 257); /* who has it may go on */
    const struct lag_tokenizer *after = take("tok_a");
    assert_int_equal(size_of(after), 258);
    lagd_loaded_give(loaded, before);
    lagd_loaded_give(loaded, after);
    lagd_loaded_drop(loaded, "tok_a");
    lagd_loaded_drop(loaded, "tok_nobody");
    assert_int_equal(lagd_loaded_count(loaded), 0);
}

static void one_that_cannot_be_read_is_not_kept(void **state) {
    const struct lag_tokenizer *tokenizer = NULL;
    struct lag_error err = {0};
    assert_int_equal(lagd_loaded_take(loaded, "tok_none", &tokenizer, &err), LAG_EAWAY);
    assert_non_null(strstr(err.text, "put them back"));
    assert_null(tokenizer);
    assert_int_equal(lagd_loaded_count(loaded), 0);
    put("tok_none", 1);
    lagd_loaded_give(loaded, take("tok_none"));
    assert_int_equal(lagd_loaded_count(loaded), 1);
}

static void few_are_kept(void **state) {
    char id[32];
    for (int i = 0; i <= LAGD_LOADED_MAX; i++) {
        (void)snprintf(id, sizeof(id), "tok_%d", i);
        put(id, i + 1);
        lagd_loaded_give(loaded, take(id));
        lagd_loaded_give(loaded, take("tok_0")); /* used again and again: it stays */
    }
    assert_int_equal(lagd_loaded_count(loaded), LAGD_LOADED_MAX);
    put("tok_0", 50);
    put("tok_1", 50);
    put("tok_2", 50);
    const struct lag_tokenizer *used = take("tok_0"), *forgotten = take("tok_1");
    assert_int_equal(size_of(used), 257);
    assert_int_equal(size_of(forgotten), 256 + 50); /* the one that was used longest ago had gone */
    lagd_loaded_give(loaded, used);
    lagd_loaded_give(loaded, forgotten);
    assert_int_equal(lagd_loaded_count(loaded), LAGD_LOADED_MAX);
}

/* More than all may take together. */
static void large_ones_are_not_kept(void **state) {
    enum { N = 40, LENGTH = 1 << 20 };
    put("tok_small", 1);
    put_long("tok_large", N, LENGTH);
    lagd_loaded_give(loaded, take("tok_small"));
    const struct lag_tokenizer *large = take("tok_large");
    assert_true(lag_tokenizer_memory(large) > LAGD_LOADED_BYTES);
    assert_int_equal(size_of(large), 256 + N);
    lagd_loaded_give(loaded, large);
    assert_int_equal(lagd_loaded_count(loaded), 1);
    lagd_loaded_give(loaded, take("tok_small"));
}

static void *use(void *arg) {
    static const char *const ids[] = {"tok_0", "tok_1", "tok_2", "tok_3", "tok_4", "tok_5"};
    unsigned at = *(unsigned *)arg;
    for (int i = 0; i < 60; i++) {
        at = at * 1103515245u + 12345u;
        const char *id = ids[at >> 16 & 3];
        const struct lag_tokenizer *tokenizer = NULL;
        if (lagd_loaded_take(loaded, id, &tokenizer, NULL) != 0 || size_of(tokenizer) < 257) return arg;
        if (at >> 24 & 1) lagd_loaded_drop(loaded, ids[at >> 20 & 3]);
        lagd_loaded_give(loaded, tokenizer);
    }
    return NULL;
}

static void threads_share_them(void **state) {
    char id[32];
    pthread_t threads[4];
    unsigned seeds[4] = {1, 22, 333, 4444};
    for (int i = 0; i < 6; i++) {
        (void)snprintf(id, sizeof(id), "tok_%d", i);
        put(id, i + 1);
    }
    for (int i = 0; i < 4; i++) assert_int_equal(pthread_create(&threads[i], NULL, use, &seeds[i]), 0);
    for (int i = 0; i < 4; i++) {
        void *failed;
        assert_int_equal(pthread_join(threads[i], &failed), 0);
        assert_null(failed);
    }
    assert_true(lagd_loaded_count(loaded) <= LAGD_LOADED_MAX);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(one_is_read_once_and_shared, begin, end),
        cmocka_unit_test_setup_teardown(what_is_deleted_is_not_kept, begin, end),
        cmocka_unit_test_setup_teardown(one_that_cannot_be_read_is_not_kept, begin, end),
        cmocka_unit_test_setup_teardown(few_are_kept, begin, end),
        cmocka_unit_test_setup_teardown(large_ones_are_not_kept, begin, end),
        cmocka_unit_test_setup_teardown(threads_share_them, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
