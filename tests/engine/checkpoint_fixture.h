/* What the checkpoint tests share: a temporary folder, a small state with divided tensors, byte-level damage. */
#pragma once
#include <lagd/base/error.h>
#include <lagd/base/fs.h>
#include <lagd/base/mem.h>
#include <lagd/engine/checkpoint.h>

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static inline int fixture_folder(void **state) {
    char *folder = lag_strdup("/tmp/lagd-test-XXXXXX");
    *state = folder;
    return folder && mkdtemp(folder) ? 0 : -1;
}
static inline int fixture_remove(void **state) {
    const int rc = lag_fs_remove_tree(*state, NULL);
    free(*state);
    return rc;
}

/* A path below the folder, in one of 32 rotating buffers. */
static inline const char *fixture_path(void **state, const char *name) {
    static char paths[32][512];
    static int next;
    char *path = paths[next++ % 32];
    snprintf(path, sizeof paths[0], "%s/%s", (const char *)*state, name);
    return path;
}

static inline void fixture_put(const char *path, const void *data, size_t length) {
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, length, file), length);
    assert_int_equal(fclose(file), 0);
}

static const struct lag_spec fixture_spec = {LAG_ARCH_GPT2, 2, 2, 6, 10, 7, 11, 1e-5};
static const struct lag_checkpoint_meta fixture_meta = {
    .run_id = "run_01abc", .growth_text = "{\"operator\":\"stack\",\"note\":\"tab\\t, é, \\\\\"}",
    .parent_sha256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    .fingerprint = "test", .version = "0.1.0", .tokens = 123456789012, .seed = 18446744073709551615u,
    .id = "ckpt_01abc", .candidate_id = "cand_01abc", .kind = "periodic",
};

/* Initialised weights, moments of all kinds of numbers, and c_attn of layer 1 divided into four parts. */
static inline struct lag_state *fixture_state(void) {
    struct lag_state *state = NULL;
    assert_int_equal(lag_state_create(&fixture_spec, &state, NULL), 0);
    lag_state_init(state, 5);
    for (int i = 0; i < state->layout.n_tensors; i++) {
        const struct lag_tensor *t = &state->layout.tensors[i];
        for (size_t k = 0; k < (size_t)t->n_rows * (size_t)t->n_cols; k++) {
            state->m[t->offset + k] = (lag_real)(k % 3 == 0 ? -0.0 : 1e-38 / (double)(k + 1)); /* -0 and subnormal */
            state->v[t->offset + k] = (lag_real)(1.0 / (double)(3 + k + (size_t)i));
        }
    }
    const int divided = (int)(lag_layout_tensor(&state->layout, LAG_ROLE_QKV_W, 1) - state->layout.tensors);
    const int n_cols = state->layout.tensors[divided].n_cols, n_rows = state->layout.tensors[divided].n_rows;
    struct lag_segment *segments = calloc((size_t)state->n_segments + 3, sizeof *segments);
    assert_non_null(segments);
    int n = 0;
    for (int i = 0; i < state->n_segments; i++) {
        for (int part = 0; part < (i == divided ? 4 : 1); part++) {
            struct lag_segment *s = &segments[n++];
            *s = state->segments[i];
            s->age = 1000000007ll * i + part;
            s->lr_factor = 1 / (3.0 + part);
            s->decay_factor = 5e-324 * part;
            s->eps_factor = 0.1 + i;
            s->rewarm_from = part;
            s->rewarm_steps = part * 10;
            if (i != divided) continue;
            s->row_begin = part / 2 ? 4 : 0;
            s->row_end = part / 2 ? n_rows : 4;
            s->col_begin = part % 2 ? 5 : 0;
            s->col_end = part % 2 ? n_cols : 5;
        }
    }
    free(state->segments);
    state->segments = segments;
    state->n_segments = n;
    state->step = 4321;
    state->schedule_origin = 4000;
    return state;
}

static inline struct lag_checkpoint_files write_fixture(const char *dir, const struct lag_state *s) {
    struct lag_checkpoint_files files = {0};
    struct lag_error err = {0};
    const int rc = lag_checkpoint_write(dir, s, &fixture_meta, &files, &err);
    if (rc != 0) fail_msg("write: %d %s", rc, err.text);
    return files;
}

/* In a folder. */
static inline int n_entries(const char *path) {
    DIR *dir = opendir(path);
    assert_non_null(dir);
    int n = -2;
    while (readdir(dir)) n++;
    closedir(dir);
    return n;
}
