/* Checkpoints: round trips, damage, an independent reader. What fails while one is written: test_checkpoint_write.c. */
#include "format/safetensors_internal.h"
#include "checkpoint/manifest_internal.h"
#include "checkpoint_fixture.h"
#include <lagd/base/check.h>
#include <lagd/base/strbuf.h>
#include <lagd/engine/rng.h>
#include <math.h>
#include <sys/wait.h>
static void assert_same_meta(const struct lag_checkpoint_meta *a, const struct lag_checkpoint_meta *b) {
    assert_string_equal(a->run_id, b->run_id);
    assert_string_equal(a->growth_text, b->growth_text);
    assert_string_equal(a->parent_sha256, b->parent_sha256);
    assert_string_equal(a->fingerprint, b->fingerprint);
    assert_string_equal(a->version, b->version);
    assert_int_equal(a->tokens, b->tokens);
    assert_true(a->seed == b->seed);
    assert_string_equal(a->id, b->id);
    assert_string_equal(a->candidate_id, b->candidate_id);
    assert_string_equal(a->kind, b->kind);
}

static void round_trip_is_exact(void **state) {
    struct lag_state *s = fixture_state(), *back = NULL;
    const char *dir = fixture_path(state, "ckpt-4321");
    const struct lag_checkpoint_files files = write_fixture(dir, s);
    assert_int_equal(files.n_files, 4);
    assert_string_equal(files.file[3].name, "manifest.json");
    uint64_t total = 0;
    for (int i = 0; i < 4; i++) {
        char path[600], sha256[LAG_SHA256_HEX];
        struct stat st;
        snprintf(path, sizeof path, "%s/%s", dir, files.file[i].name);
        assert_int_equal(stat(path, &st), 0);
        assert_int_equal(st.st_size, files.file[i].n_bytes);
        assert_int_equal(lag_sha256_file(path, sha256, NULL), 0);
        assert_string_equal(sha256, files.file[i].sha256);
        total += files.file[i].n_bytes;
    }
    assert_int_equal(files.n_bytes, total);
    assert_true(total <= lag_checkpoint_bytes(&fixture_spec));
    struct lag_checkpoint_meta meta;
    struct lag_error err = {0};
    if (lag_checkpoint_read(dir, &back, &meta, &err) != 0) fail_msg("read: %s", err.text);
    assert_true(lag_state_equal(s, back));
    assert_int_equal(back->step, 4321);
    assert_int_equal(back->schedule_origin, 4000);
    assert_int_equal(back->n_segments, back->layout.n_tensors + 3);
    for (int i = 0; i < s->n_segments; i++) {
        const struct lag_segment *a = &s->segments[i], *b = &back->segments[i];
        assert_true(a->tensor == b->tensor && a->age == b->age && a->lr_factor == b->lr_factor &&
                    a->decay_factor == b->decay_factor && a->eps_factor == b->eps_factor &&
                    a->rewarm_from == b->rewarm_from && a->rewarm_steps == b->rewarm_steps &&
                    a->frozen_until == b->frozen_until &&
                    a->row_begin == b->row_begin && a->row_end == b->row_end && a->col_begin == b->col_begin &&
                    a->col_end == b->col_end);
    }
    assert_same_meta(&fixture_meta, &meta);
    assert_int_equal(n_entries(*state), 1);
    lag_state_destroy(s);
    lag_state_destroy(back);
}

/* Bit flips and truncations anywhere, found by verify and by read. */
static void damage_is_detected(void **state) {
    const char *dir = fixture_path(state, "c");
    struct lag_state *s = fixture_state();
    const struct lag_checkpoint_files files = write_fixture(dir, s);
    lag_state_destroy(s);
    for (int i = 0; i < 400; i++) {
        const bool at_seal = i % 8 == 0; /* the manifest's last line */
        const uint64_t which = at_seal ? 3 : lag_rng_below(1, LAG_RNG_NOISE, 0, (uint64_t)i, 4);
        const struct lag_checkpoint_file *file = &files.file[which];
        char path[600];
        snprintf(path, sizeof path, "%s/%s", dir, file->name);
        char *data;
        size_t length;
        assert_int_equal(lag_fs_read_file(path, 1 << 20, &data, &length, NULL), 0);
        const uint64_t below = at_seal ? 8 * 78 : 8 * length;
        const uint64_t bit = 8 * length - 1 - lag_rng_below(1, LAG_RNG_NOISE, 1, (uint64_t)i, below);
        const bool cut = i % 4 == 3;
        data[bit / 8] = (char)(data[bit / 8] ^ 1 << bit % 8);
        fixture_put(path, data, cut ? bit / 8 : length);
        struct lag_error err = {0};
        struct lag_state *back = NULL;
        if (lag_checkpoint_verify(dir, &err) != LAG_ECORRUPT || !strstr(err.text, file->name) ||
            lag_checkpoint_read(dir, &back, NULL, NULL) != LAG_ECORRUPT)
            fail_msg("%s at bit %llu of %s: '%s'", cut ? "cut" : "flip", (unsigned long long)bit, file->name, err.text);
        assert_null(back);
        data[bit / 8] = (char)(data[bit / 8] ^ 1 << bit % 8);
        fixture_put(path, data, length);
        free(data);
    }
    assert_int_equal(lag_checkpoint_verify(dir, NULL), 0);
}

/* Rewrites the manifest with one text replaced by another, and a right seal. */
static void reseal(const char *dir, const char *from, const char *to) {
    char path[600];
    char *text;
    size_t length, n_body;
    snprintf(path, sizeof path, "%s/manifest.json", dir);
    assert_int_equal(lag_fs_read_file(path, 1 << 20, &text, &length, NULL), 0);
    assert_int_equal(lag_manifest_unseal(text, length, &n_body, NULL), 0);
    text[n_body] = '\0';
    struct lag_strbuf out = LAG_STRBUF_INIT;
    const char *at = strstr(text, from);
    if (!at) fail_msg("no '%s'", from);
    lag_strbuf_append_n(&out, text, (size_t)(at - text));
    lag_strbuf_printf(&out, "%s%s", to, at + strlen(from));
    char sha256[LAG_SHA256_HEX];
    lag_sha256_bytes(out.data, out.length, sha256);
    lag_strbuf_printf(&out, ",\n\"sha256\":\"%s\"}\n", sha256);
    fixture_put(path, out.data, out.length);
    lag_strbuf_deinit(&out);
    free(text);
}

#define QKV "\"transformer.h.1.attn.c_attn.weight\","
struct manifest_case {
    const char *from, *to;
    int code;
    const char *says;
};

/* Each of them is put into the manifest of a checkpoint of s that is whole but for that. */
static void refuse_all(const char *dir, const struct lag_state *s, const struct manifest_case *cases, size_t n) {
    struct lag_state *back;
    for (size_t i = 0; i < n; i++) {
        struct lag_error err = {0};
        write_fixture(dir, s);
        reseal(dir, cases[i].from, cases[i].to);
        if (lag_checkpoint_read(dir, &back, NULL, &err) != cases[i].code || !strstr(err.text, cases[i].says))
            fail_msg("'%s': %s", cases[i].to, err.text);
    }
}
static const struct manifest_case manifests[] = {
    {"\"format\":2", "\"format\":8", LAG_EVERSION, "newer lagd"},
    {"\"format\":2", "\"format\":4", LAG_ECORRUPT, "meta: the key origin_run is missing"},
    {"\"format\":2", "\"format\":3", LAG_ECORRUPT, "meta: the key origin_run is missing"},
    {"\"format\":2", "\"format\":0", LAG_ECORRUPT, "unknown format"},
    {"\"format\":2", "\"format\":1", LAG_ECORRUPT, "meta: unknown key"},
    {"\"format\":2", "\"farmat\":2", LAG_ECORRUPT, "format: expected an integer"},
    {",\"kind\":\"periodic\"", "", LAG_ECORRUPT, "meta: the key kind is missing"},
    {"\"step\":4321", "\"step\":-1", LAG_ECORRUPT, "negative"},
    {"\"step\":4321", "\"step\":4321.0", LAG_ECORRUPT, "step: expected an integer"},
    {"\"step\":4321", "\"step\":9223372036854775808", LAG_ECORRUPT, "too big integer"},
    {"\"step\":4321,", "\"step\":4321,\"step\":1,", LAG_ECORRUPT, "duplicate object key"},
    {"\"step\":4321,", "\"step\":4321,\"stop\":1,", LAG_ECORRUPT, "unknown key stop"},
    {"\"step\":4321,", "", LAG_ECORRUPT, "the key step is missing"},
    {"\"step\":4321,", "\"x\":[[[[[[[[0]]]]]]]],", LAG_ECORRUPT, "nested deeper than 8"},
    {"\"seed\":\"18446744073709551615\"", "\"seed\":\"18446744073709551616\"", LAG_ECORRUPT, "64 bits"},
    {"\"seed\":\"18446744073709551615\"", "\"seed\":5", LAG_ECORRUPT, "meta: seed: expected a text"},
    {"\"n_bytes\":", "\"n_bytes\":-", LAG_ECORRUPT, "files: n_bytes: an integer is negative"},
    {"\"segments\":[", "\"segments\":[7,", LAG_ECORRUPT, "segments: item 0: expected an object"},
    {"\"arch\":\"gpt2\"", "\"arch\":\"bert\"", LAG_EUNSUPPORTED, "unknown architecture bert"},
    {"\"n_layer\":2", "\"n_layer\":0", LAG_ECORRUPT, "n_layer"},
    {"\"n_layer\":2", "\"n_layer\":4294967298", LAG_ECORRUPT, "too large"},
    {"\"n_layer\":2", "\"n_layer\":3", LAG_ECORRUPT, "segment"},
    {"\"vocab_size\":11", "\"vocab_size\":1048576", LAG_ECORRUPT, "do not cover"},
    {"\"n_head\":2", "\"n_head\":4", LAG_ECORRUPT, "n_embd"},
    {"\"norm_eps\":1.0000000000000001e-5", "\"norm_eps\":1e999", LAG_ECORRUPT, "real number overflow"},
    {"\"tokens\":123456789012", "\"tokens\":-5", LAG_ECORRUPT, "tokens"},
    {"\"run_id\":\"run_01abc\"", "\"run_id\":\"0123456789012345678901234567890123456789\"", LAG_ECORRUPT, "too long"},
    {"\"config.json\"", "\"../../etc/passwd\"", LAG_ECORRUPT, "unexpected file name"},
    {"\"sha256\":\"", "\"sha256\":\"X", LAG_ECORRUPT, "too long"},
    {QKV "\"row_begin\":0,\"row_end\":4", QKV "\"row_begin\":0,\"row_end\":5", LAG_ECORRUPT, "overlap"},
    {QKV "\"row_begin\":0,\"row_end\":4", QKV "\"row_begin\":0,\"row_end\":3", LAG_ECORRUPT, "do not cover"},
    {QKV "\"row_begin\":0,\"row_end\":4", QKV "\"row_begin\":0,\"row_end\":7", LAG_ECORRUPT, "outside"},
    {QKV "\"row_begin\":0,\"row_end\":4", QKV "\"row_begin\":-1,\"row_end\":4", LAG_ECORRUPT, "outside"},
    {QKV "\"row_begin\":0,\"row_end\":4", QKV "\"row_begin\":0,\"row_end\":0", LAG_ECORRUPT, "empty"},
    {"\"row_begin\":4,\"row_end\":6,\"col_begin\":0", "\"row_begin\":0,\"row_end\":6,\"col_begin\":0",
     LAG_ECORRUPT, "order"},
    {"\"lr_factor\":0.33333333333333331", "\"lr_factor\":-1", LAG_ECORRUPT, "out of range"},
    {"\"lr_factor\":0.33333333333333331", "\"lr_factor\":NaN", LAG_ECORRUPT, "invalid token"},
    {"\"lr_factor\":0.33333333333333331", "\"lr_factor\":null", LAG_ECORRUPT,
     "segments: item 0: lr_factor: expected a number"},
    {"\"age\":0", "\"age\":-1", LAG_ECORRUPT, "out of range"},
    {"\"rewarm_steps\":0", "\"rewarm_steps\":0,\"frozen_until\":0", LAG_ECORRUPT, "unknown key frozen_until"},
    {"\"transformer.wpe.weight\"", "\"transformer.wqe.weight\"", LAG_ECORRUPT, "unknown tensor"},
    {"\"transformer.wpe.weight\"", "\"transformer.wte.weight\"", LAG_ECORRUPT, "not in order"},
};

static void manifests_are_validated(void **state) {
    const char *dir = fixture_path(state, "c");
    struct lag_state *s = fixture_state(), *back = NULL;
    for (size_t i = 0; i < LAG_COUNT(manifests); i++) {
        write_fixture(dir, s);
        reseal(dir, manifests[i].from, manifests[i].to);
        struct lag_error err = {0};
        const int rc = lag_checkpoint_read(dir, &back, NULL, &err);
        if (rc != manifests[i].code || !strstr(err.text, manifests[i].says) || !strstr(err.text, "manifest.json"))
            fail_msg("'%s' for '%s': code %d, text '%s'", manifests[i].to, manifests[i].from, rc, err.text);
    }
    assert_null(back);
    lag_state_destroy(s);
}

/* Told to the last bit, and never what no run can have. */
static void the_factor_of_the_rate_is_told(void **state) {
    static const char *const bad[] = {"0.0", "-0.125", "1.5", "null", "\"0.125\""};
    const char *dir = fixture_path(state, "c");
    struct lag_state *s = fixture_state(), *back = NULL;
    struct lag_checkpoint_meta meta = fixture_meta, read;
    struct lag_checkpoint_files files;
    for (size_t i = 0; i <= LAG_COUNT(bad); i++) {
        char text[40];
        meta.lr_scale = 0.125;
        assert_int_equal(lag_checkpoint_write(dir, s, &meta, &files, NULL), 0);
        if (i < LAG_COUNT(bad)) {
            (void)snprintf(text, sizeof text, "\"lr_scale\":%s", bad[i]);
            reseal(dir, "\"lr_scale\":0.125", text);
            if (lag_checkpoint_read(dir, &back, &read, NULL) != LAG_ECORRUPT) fail_msg("%s is read", text);
        } else {
            assert_int_equal(lag_checkpoint_read(dir, &back, &read, NULL), 0);
            assert_true(read.lr_scale == 0.125 && read.origin_run[0] == '\0');
        }
    }
    lag_state_destroy(s);
    lag_state_destroy(back);
}

/* A manifest as earlier versions wrote it: what it does not say is "", and nothing is frozen. */
static void the_first_format_is_read(void **state) {
    const char *dir = fixture_path(state, "c");
    struct lag_state *s = fixture_state(), *back = NULL;
    struct lag_checkpoint_meta meta;
    struct lag_checkpoint_look look;
    write_fixture(dir, s);
    assert_int_equal(lag_checkpoint_look(dir, &look, NULL), 0);
    assert_string_equal(look.meta.id, fixture_meta.id);
    assert_string_equal(look.meta.kind, "periodic");
    reseal(dir, ",\"id\":\"ckpt_01abc\",\"candidate_id\":\"cand_01abc\",\"kind\":\"periodic\"", "");
    reseal(dir, "\"format\":2", "\"format\":1");
    assert_int_equal(lag_checkpoint_read(dir, &back, &meta, NULL), 0);
    assert_true(lag_state_equal(s, back));
    assert_string_equal(meta.id, "");
    assert_string_equal(meta.candidate_id, "");
    assert_string_equal(meta.kind, "");
    assert_string_equal(meta.run_id, fixture_meta.run_id);
    assert_true(meta.seed == fixture_meta.seed);
    lag_state_destroy(s);
    lag_state_destroy(back);
}

/* Only where something is frozen is the format that tells so written. */
static void frozen_segments_are_kept(void **state) {
    static const int64_t UNTIL[] = {1, 5000, LAG_FROZEN_FOR_GOOD};
    const char *dir = fixture_path(state, "c");
    struct lag_state *s = fixture_state(), *back = NULL;
    for (size_t i = 0; i < LAG_COUNT(UNTIL); i++) {
        s->segments[s->n_segments - 1].frozen_until = UNTIL[i];
        write_fixture(dir, s);
        assert_int_equal(lag_checkpoint_read(dir, &back, NULL, NULL), 0);
        assert_true(lag_state_equal(s, back));
        lag_state_destroy(back);
    }
    static const struct manifest_case cases[] = {
        {"\"format\":4", "\"format\":3", LAG_ECORRUPT, "segments: item 0: unknown key frozen_until"},
        {"\"frozen_until\":0", "\"frozen_until\":-1", LAG_ECORRUPT, "out of range"},
        {",\"frozen_until\":0", "", LAG_ECORRUPT, "the key frozen_until is missing"},
    };
    refuse_all(dir, s, cases, LAG_COUNT(cases));
    lag_state_destroy(s);
}

/* Heads as wide as no GPT-2's: only then is the format that tells so written, and no one takes it for a GPT-2. */
static void heads_apart_are_kept(void **state) {
    const char *dir = fixture_path(state, "c");
    struct lag_spec spec = fixture_spec;
    spec.head_dim = 5;
    struct lag_state *s = NULL, *back = NULL;
    assert_int_equal(lag_state_create(&spec, &s, NULL), 0);
    lag_state_init(s, 5);
    for (int i = 0; i < 2; i++) { /* with a factor of the rate, and without */
        struct lag_checkpoint_meta meta = fixture_meta, read;
        struct lag_checkpoint_files files;
        meta.lr_scale = i == 0 ? 0 : 0.5;
        assert_int_equal(lag_checkpoint_write(dir, s, &meta, &files, NULL), 0);
        assert_int_equal(lag_checkpoint_read(dir, &back, &read, NULL), 0);
        assert_true(lag_state_equal(s, back) && read.lr_scale == meta.lr_scale);
        assert_int_equal(lag_spec_attention(&back->layout.spec), 10);
        lag_state_destroy(back);
    }
    static const struct manifest_case cases[] = {
        {"\"format\":6", "\"format\":5", LAG_ECORRUPT, "spec: unknown key head_dim"},
        {"\"head_dim\":5", "\"head_dim\":-5", LAG_ECORRUPT, "head_dim"},
        {"\"head_dim\":5", "\"head_dim\":500000", LAG_ECORRUPT, "head_dim"},
        {"\"head_dim\":5", "\"head_dim\":4", LAG_ECORRUPT, "segment"},
    };
    refuse_all(dir, s, cases, LAG_COUNT(cases));
    write_fixture(dir, s);
    char path[600], *text = NULL;
    size_t length;
    snprintf(path, sizeof path, "%s/config.json", dir);
    assert_int_equal(lag_fs_read_file(path, 1 << 16, &text, &length, NULL), 0);
    assert_non_null(strstr(text, "\"model_type\": \"lagd_gpt2\""));
    assert_non_null(strstr(text, "\"head_dim\": 5"));
    assert_null(strstr(text, "\"GPT2LMHeadModel\""));
    free(text);
    lag_state_destroy(s);
}

/* The manifest alone is looked at: its hash is that which the writer told, and the other files may be anything. */
static void a_look_tells_what_was_written(void **state) {
    const char *dir = fixture_path(state, "c");
    struct lag_state *s = fixture_state();
    struct lag_checkpoint_look look;
    struct lag_error err = {0};
    const struct lag_checkpoint_files files = write_fixture(dir, s);
    char path[600];
    snprintf(path, sizeof path, "%s/model.safetensors", dir);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(lag_checkpoint_look(dir, &look, &err), 0);
    assert_true(look.step == s->step && lag_spec_equal(&look.spec, &fixture_spec));
    assert_same_meta(&look.meta, &fixture_meta);
    assert_int_equal(look.files.n_files, files.n_files);
    assert_true(look.files.n_bytes == files.n_bytes);
    for (int i = 0; i < files.n_files; i++) {
        assert_string_equal(look.files.file[i].name, files.file[i].name);
        assert_string_equal(look.files.file[i].sha256, files.file[i].sha256);
        assert_true(look.files.file[i].n_bytes == files.file[i].n_bytes);
    }
    assert_int_equal(lag_checkpoint_look(fixture_path(state, "none"), &look, &err), LAG_ENOTFOUND);
    lag_state_destroy(s);
}

/* Files that are whole and rightly hashed, but not what the spec promises. */
static void contents_must_fit_the_spec(void **state) {
    const char *dir = fixture_path(state, "c"), *other = fixture_path(state, "o");
    struct lag_state *s = fixture_state(), *back = NULL;
    struct lag_spec spec = fixture_spec;
    spec.n_positions = 8;
    struct lag_state *larger = NULL;
    assert_int_equal(lag_state_create(&spec, &larger, NULL), 0);
    const struct lag_checkpoint_files mine = write_fixture(dir, s), theirs = write_fixture(other, larger);
    char from[300], to[300], a[600], b[600];
    snprintf(from, sizeof from, "\"n_bytes\":%llu,\"sha256\":\"%s\"", (unsigned long long)mine.file[0].n_bytes,
             mine.file[0].sha256);
    snprintf(to, sizeof to, "\"n_bytes\":%llu,\"sha256\":\"%s\"", (unsigned long long)theirs.file[0].n_bytes,
             theirs.file[0].sha256);
    snprintf(a, sizeof a, "%s/model.safetensors", dir);
    snprintf(b, sizeof b, "%s/model.safetensors", other);
    assert_int_equal(rename(b, a), 0);
    reseal(dir, from, to);
    struct lag_error err = {0};
    assert_int_equal(lag_checkpoint_verify(dir, &err), 0);
    assert_int_equal(lag_checkpoint_read(dir, &back, NULL, &err), LAG_ECORRUPT);
    assert_non_null(strstr(err.text, "tensor transformer.wpe.weight does not have the shape"));
    /* Non-finite weights with right hashes. */
    write_fixture(dir, s);
    char *data;
    size_t length;
    assert_int_equal(lag_fs_read_file(a, 1 << 20, &data, &length, NULL), 0);
    const lag_real bad = INFINITY;
    memcpy(data + length - sizeof bad, &bad, sizeof bad);
    fixture_put(a, data, length);
    lag_sha256_bytes(data, length, to);
    reseal(dir, mine.file[0].sha256, to);
    assert_int_equal(lag_checkpoint_read(dir, &back, NULL, &err), LAG_ENONFINITE);
    assert_non_null(strstr(err.text, "model.safetensors"));
    assert_null(back);
    free(data);
    lag_state_destroy(s);
    lag_state_destroy(larger);
}

static void odd_folders(void **state) {
    struct lag_error err = {0};
    const char *dir = fixture_path(state, "c");
    assert_int_equal(lag_checkpoint_verify(dir, &err), LAG_ENOTFOUND);
    assert_int_equal(mkdir(dir, 0700), 0);
    assert_int_equal(lag_checkpoint_verify(dir, &err), LAG_ENOTFOUND);
    assert_non_null(strstr(err.text, "manifest.json is missing"));
    struct lag_state *s = fixture_state();
    write_fixture(dir, s);
    char path[600];
    snprintf(path, sizeof path, "%s/optimizer.safetensors", dir);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(lag_checkpoint_verify(dir, &err), LAG_ENOTFOUND);
    assert_non_null(strstr(err.text, "optimizer.safetensors is missing"));
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(lag_checkpoint_verify(dir, &err), LAG_ECORRUPT);
    assert_non_null(strstr(err.text, "not a regular file"));
    snprintf(path, sizeof path, "%s/manifest.json", dir);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(lag_checkpoint_verify(dir, &err), LAG_ECORRUPT);
    lag_state_destroy(s);
}

/* Python reads the same names, shapes and bytes that are in the state. */
static void an_independent_reader_agrees(void **state) {
    const char *script = getenv("LAGD_CHECK_SAFETENSORS");
    if (!script) skip();
    const char *dir = fixture_path(state, "c");
    struct lag_state *s = fixture_state();
    write_fixture(dir, s);
    char command[1200], line[400];
    snprintf(command, sizeof command, "python3 '%s' '%s'", script, dir);
    FILE *pipe = popen(command, "r");
    assert_non_null(pipe);
    int n = 0;
    while (fgets(line, sizeof line, pipe)) {
        char name[128], shape[64], digest[80], expected_name[96], expected[LAG_SHA256_HEX];
        assert_int_equal(sscanf(line, "%127s %63s %79s", name, shape, digest), 3);
        const lag_real *block = name[0] == 'm' ? s->m : name[0] == 'v' ? s->v : s->params;
        const char *plain = name[1] == '.' ? name + 2 : name;
        for (int i = 0; i < s->layout.n_tensors; i++) {
            const struct lag_tensor *t = &s->layout.tensors[i];
            lag_tensor_name(t, expected_name);
            if (strcmp(plain, expected_name) != 0) continue;
            lag_sha256_bytes(block + t->offset, (size_t)t->n_rows * (size_t)t->n_cols * sizeof(lag_real), expected);
            assert_string_equal(digest, expected);
            n++;
        }
    }
    assert_int_equal(pclose(pipe), 0);
    assert_int_equal(n, 3 * s->layout.n_tensors);
    lag_state_destroy(s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(round_trip_is_exact, fixture_folder, fixture_remove),
        cmocka_unit_test_setup_teardown(damage_is_detected, fixture_folder, fixture_remove),
        cmocka_unit_test_setup_teardown(manifests_are_validated, fixture_folder, fixture_remove),
        cmocka_unit_test_setup_teardown(the_factor_of_the_rate_is_told, fixture_folder, fixture_remove),
        cmocka_unit_test_setup_teardown(the_first_format_is_read, fixture_folder, fixture_remove),
        cmocka_unit_test_setup_teardown(frozen_segments_are_kept, fixture_folder, fixture_remove),
        cmocka_unit_test_setup_teardown(heads_apart_are_kept, fixture_folder, fixture_remove),
        cmocka_unit_test_setup_teardown(a_look_tells_what_was_written, fixture_folder, fixture_remove),
        cmocka_unit_test_setup_teardown(contents_must_fit_the_spec, fixture_folder, fixture_remove),
        cmocka_unit_test_setup_teardown(odd_folders, fixture_folder, fixture_remove),
        cmocka_unit_test_setup_teardown(an_independent_reader_agrees, fixture_folder, fixture_remove),
    };
    return cmocka_run_group_tests_name("engine/checkpoint", tests, NULL, NULL);
}
