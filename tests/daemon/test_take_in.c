/* Checkpoints on disk that no row lists, at a start: which are taken in, which set aside, which removed. */
#include "rows_fixture.h"

#include "records/unlisted_internal.h"
#include "supervisor/supervisor_internal.h"

#include <lagd/base/check.h>
#include <lagd/base/hash.h>
#include <lagd/base/ids.h>
#include <lagd/engine/checkpoint.h>
#include <lagd/engine/state.h>
#include <lagd/storage/checkpoints.h>
#include <lagd/storage/events.h>
#include <unistd.h>

#define A "0000000000000000000000000a"
#define B "0000000000000000000000000b"
#define STACK "stack a"

static struct fixture f;
static struct lag_store *store;
static char config[LAG_ROW_CONFIG];

static void put(lag_write_fn *fn, void *row) { rows_put(store, fn, row); }

static int set_up(void **state) {
    (void)state;
    rows_begin(&f, &store);
    rows_config("pause", config);
    rows_put_run(store, A, "paused", config);
    return 0;
}
static int tear_down(void **state) {
    (void)state;
    fixture_remove(&f);
    return 0;
}

static void start(void) {
    struct lag_error err = {0};
    rows_start(&f, &store);
    if (lag_store_open(f.config.state_dir, &store, &err) < 0) fail_msg("%s", err.text);
}

static const char *path_of(const char *name) {
    static char paths[8][1600];
    static int next;
    char *path = paths[next++ % 8];
    snprintf(path, sizeof(paths[0]), "%s/runs/run_" A "/%s", f.config.state_dir, name);
    return path;
}

static bool exists(const char *name) { return lag_fs_exists(path_of(name)); }

/* A sealed folder of the run, as its thread writes it. */
static struct lag_checkpoint_files seal(const char *name, int64_t step, int n_layer, struct lag_checkpoint_meta meta) {
    const struct lag_spec spec = {LAG_ARCH_GPT2, n_layer, 2, 16, 64, 16, 256, 1e-5};
    struct lag_state *state = NULL;
    struct lag_checkpoint_files files = {0};
    struct lag_error err = {0};
    assert_int_equal(lag_state_create(&spec, &state, &err), 0);
    lag_state_init(state, 7);
    state->step = step;
    if (!meta.run_id[0]) snprintf(meta.run_id, sizeof(meta.run_id), "run_" A);
    snprintf(meta.fingerprint, sizeof(meta.fingerprint), "of this machine");
    assert_int_equal(lag_fs_mkdirs(path_of("."), &err), 0);
    if (lag_checkpoint_write(path_of(name), state, &meta, &files, &err) != 0) fail_msg("%s", err.text);
    lag_state_destroy(state);
    return files;
}

static int insert_checkpoint(struct lag_db *db, void *arg, struct lag_error *err) {
    return lag_checkpoint_insert(db, arg, NULL, 0, err);
}

static void list(const char *id, const char *name, int64_t step) {
    struct lag_checkpoint_row row = {.kind = "periodic", .run_id = "run_" A, .step = step, .shape = {.n_layer = 2}};
    snprintf(row.id, sizeof(row.id), "%s", id);
    snprintf(row.path, sizeof(row.path), "runs/run_" A "/%s", name);
    put(insert_checkpoint, &row);
}

struct growth {
    const char *id, *state, *winner; /* op of the winner, NULL = not decided */
    int64_t at_step, start_step;
    bool current;
};

static int insert_growth(struct lag_db *db, void *arg, struct lag_error *err) {
    const struct growth *growth = arg;
    struct lag_growth_row row = {.run_id = "run_" A, .mode = "auto", .at_step = growth->at_step,
                                 .start_step = growth->start_step, .from = {2, 2, 16, 64, 16, 256},
                                 .to = {3, 2, 16, 64, 16, 256}, .probe_steps = 12, .parent_loss = 1};
    struct lag_candidate_row candidate = {.op = "stack", .strategy = STACK, .state = "completed"};
    struct lag_decision_row decision = {.decided_by = "auto"};
    snprintf(row.id, sizeof(row.id), "%s", growth->id);
    snprintf(row.state, sizeof(row.state), "%s", growth->state);
    snprintf(candidate.id, sizeof(candidate.id), "cand_%s", growth->id);
    snprintf(candidate.growth_id, sizeof(candidate.growth_id), "%s", growth->id);
    if (growth->winner) snprintf(candidate.op, sizeof(candidate.op), "%s", growth->winner);
    snprintf(decision.growth_id, sizeof(decision.growth_id), "%s", growth->id);
    snprintf(decision.candidate, sizeof(decision.candidate), "%s", candidate.id);
    int64_t number = 0;
    int rc = lag_growth_insert(db, &row, err);
    if (rc == 0) rc = lag_candidate_insert(db, &candidate, &number, err);
    if (rc == 0 && growth->winner) rc = lag_decision_put(db, &decision, err);
    if (rc == 0 && growth->current) rc = lag_run_set_growth(db, row.run_id, row.id, err);
    return rc;
}

struct found {
    struct lag_checkpoint_row row;
    struct lag_checkpoint_file_row files[4];
    int n, n_files;
    const char *name;
    char message[LAG_ROW_VERDICT];
};

static int match_row(const struct lag_checkpoint_row *row, void *arg) {
    struct found *found = arg;
    if (strcmp(strrchr(row->path, '/') + 1, found->name) == 0) found->row = *row, found->n++;
    return 0;
}
static int match_file(const struct lag_checkpoint_file_row *row, void *arg) {
    struct found *found = arg;
    found->files[found->n_files++] = *row;
    return 0;
}
static int match_event(const struct lag_event_row *row, void *arg) {
    struct found *found = arg;
    if (strcmp(row->type, found->name) == 0 && strcmp(row->run_id, "run_" A) == 0) {
        found->n++;
        snprintf(found->message, sizeof(found->message), "%s", row->message);
    }
    return 0;
}

/* The row that lists the folder; n = 0: there is none. */
static struct found find(const char *name) {
    struct found found = {.name = name};
    struct lag_db *db = NULL;
    assert_int_equal(lag_reader_open(f.config.state_dir, &db, NULL), 0);
    assert_int_equal(lag_checkpoint_list(db, "run_" A, match_row, &found, NULL), 0);
    if (found.n) assert_int_equal(lag_checkpoint_files(db, found.row.id, match_file, &found, NULL), 0);
    lag_reader_close(db);
    return found;
}

static struct found events(const char *type) {
    struct found found = {.name = type};
    struct lag_db *db = NULL;
    assert_int_equal(lag_reader_open(f.config.state_dir, &db, NULL), 0);
    assert_int_equal(lag_event_list(db, 0, NULL, 1000, match_event, &found, NULL), 0);
    lag_reader_close(db);
    return found;
}

static void end(void) {
    lag_store_close(store);
    store = NULL;
}

#define NAME "ckpt-00000040-abcdefghjk"

static void a_whole_one_is_listed_as_it_was(void **state) {
    (void)state;
    const struct lag_checkpoint_files files =
        seal(NAME, 40, 2, (struct lag_checkpoint_meta){.id = "ckpt_0123456789012345abcdefghjk", .kind = "pre_growth"});
    start();
    const struct found found = find(NAME);
    assert_int_equal(found.n, 1);
    assert_string_equal(found.row.id, "ckpt_0123456789012345abcdefghjk");
    assert_string_equal(found.row.kind, "pre_growth");
    assert_string_equal(found.row.fingerprint, "of this machine");
    assert_true(found.row.keep && found.row.step == 40);
    assert_true(found.row.shape.n_layer == 2 && found.row.shape.n_inner == 64);
    assert_true(found.row.created_ms > 1600000000000 && found.row.n_bytes == (int64_t)files.n_bytes);
    assert_int_equal(found.n_files, 4);
    for (int i = 0; i < 4; i++)
        for (int k = 0; k < 4; k++)
            if (strcmp(found.files[i].name, files.file[k].name) == 0) {
                assert_string_equal(found.files[i].sha256, files.file[k].sha256);
                assert_int_equal(found.files[i].n_bytes, files.file[k].n_bytes);
            }
    assert_int_equal(events("checkpoint.adopted").n, 1);
    assert_non_null(strstr(events("system.warning").message, "no losses of the steps 1 to 40"));
    start(); /* nothing more */
    assert_int_equal(find(NAME).n, 1);
    assert_int_equal(events("checkpoint.adopted").n, 1);
    end();
}

/* A manifest of the first format has neither id nor kind. */
static void what_is_not_told_is_concluded(void **state) {
    (void)state;
    struct growth applied = {"gr_a", "applied", "stack", -1, 20, false};
    const struct lag_checkpoint_meta before = {.kind = ""}, after = {.growth_text = STACK};
    put(insert_growth, &applied);
    seal("ckpt-00000010-aaaaaaaaaa", 10, 2, before);
    seal("ckpt-00000020-bbbbbbbbbb", 20, 2, before);
    seal("ckpt-00000032-cccccccccc", 32, 3, after);
    seal("ckpt-00000100-dddddddddd", 100, 3, after);
    start();
    assert_string_equal(find("ckpt-00000010-aaaaaaaaaa").row.kind, "periodic");
    assert_string_equal(find("ckpt-00000020-bbbbbbbbbb").row.kind, "pre_growth");
    assert_true(find("ckpt-00000020-bbbbbbbbbb").row.keep);
    assert_string_equal(find("ckpt-00000032-cccccccccc").row.kind, "growth");
    const struct found last = find("ckpt-00000100-dddddddddd");
    assert_string_equal(last.row.kind, "final");
    assert_true(lag_id_is(last.row.id, "ckpt") && strcmp(last.row.id + strlen(last.row.id) - 10, "dddddddddd") == 0);
    end();
}

/* What the database cannot explain is set aside, is told, and is never removed. */
static void what_does_not_fit_is_set_aside(void **state) {
    (void)state;
    static const struct {
        const char *why;
        struct growth growth; /* id NULL: none */
        int64_t step;
        int n_layer;
        struct lag_checkpoint_meta meta;
    } cases[] = {
        {"names the run run_" B, {0}, 40, 2, {.run_id = "run_" B}},
        {"a growth that the database does not know", {0}, 40, 3, {.growth_text = STACK}},
        {"a growth that the database does not know", {0}, 40, 2, {.growth_text = "none x"}},
        {"a growth that the database does not know", {"gr_a", "applied", "stack", -1, 20, false}, 40, 2, {.kind = ""}},
        {"a growth that the database does not know", {"gr_a", "applied", "stack", -1, 20, false}, 40, 3,
         {.growth_text = "another"}},
        {"behind the growth gr_a of step 20", {"gr_a", "queued", NULL, 20, -1, true}, 40, 2, {.kind = ""}},
        {"behind the growth gr_a of step 30", {"gr_a", "probing", NULL, -1, 30, true}, 40, 2, {.kind = ""}},
        {"the state of candidate cand_gr_a", {"gr_a", "probing", NULL, -1, 30, true}, 40, 3,
         {.candidate_id = "cand_gr_a", .growth_text = STACK}},
        {"the state of candidate cand_x", {0}, 40, 2, {.candidate_id = "cand_x"}},
        {"a copy of the checkpoint ckpt_0123456789012345aaaaaaaaaa", {0}, 10, 2,
         {.id = "ckpt_0123456789012345aaaaaaaaaa"}},
    };
    list("ckpt_0123456789012345aaaaaaaaaa", "ckpt-00000010-aaaaaaaaaa", 10);
    end();
    tear_down(NULL);
    for (size_t i = 0; i < LAG_COUNT(cases); i++) {
        set_up(NULL);
        seal("ckpt-00000010-aaaaaaaaaa", 10, 2, (struct lag_checkpoint_meta){.kind = "periodic"});
        list("ckpt_0123456789012345aaaaaaaaaa", "ckpt-00000010-aaaaaaaaaa", 10);
        struct growth growth = cases[i].growth;
        if (growth.id) put(insert_growth, &growth);
        seal(NAME, cases[i].step, cases[i].n_layer, cases[i].meta);
        start();
        const struct found told = events("system.warning");
        if (find(NAME).n || exists(NAME) || lag_checkpoint_verify(path_of(NAME ".aside"), NULL) != 0 || told.n != 1 ||
            !strstr(told.message, cases[i].why))
            fail_msg("case %zu (%s): '%s'", i, cases[i].why, told.message);
        assert_true(exists("ckpt-00000010-aaaaaaaaaa") && find("ckpt-00000010-aaaaaaaaaa").n == 1);
        list("ckpt_0123456789012345abcdefghjk", NAME, 40); /* a newer database is put back */
        start();
        assert_true(exists(NAME) && !exists(NAME ".aside"));
        end();
        if (i + 1 < LAG_COUNT(cases)) tear_down(NULL);
    }
}

struct listing {
    struct lag_checkpoint_row row;
    struct lag_checkpoint_file_row files[4];
};

static int insert_listing(struct lag_db *db, void *arg, struct lag_error *err) {
    const struct listing *listing = arg;
    return lag_checkpoint_insert(db, &listing->row, listing->files, 4, err);
}

static void list_with_files(const char *id, const char *name, int64_t step, const struct lag_checkpoint_files *files) {
    struct listing listing = {.row = {.kind = "growth", .run_id = "run_" A, .step = step, .shape = {.n_layer = 2}}};
    snprintf(listing.row.id, sizeof(listing.row.id), "%s", id);
    snprintf(listing.row.path, sizeof(listing.row.path), "runs/run_" A "/%s", name);
    for (int i = 0; i < 4; i++) {
        struct lag_checkpoint_file_row *file = &listing.files[i];
        snprintf(file->checkpoint_id, sizeof(file->checkpoint_id), "%s", id);
        snprintf(file->name, sizeof(file->name), "%s", files->file[i].name);
        snprintf(file->sha256, sizeof(file->sha256), "%s", files->file[i].sha256);
    }
    put(insert_listing, &listing);
}

/* Only of a state that the run lists once more, whole, and nothing that a newer database may list. */
static void what_was_made_once_more_goes(void **state) {
    (void)state;
#define TWIN "ckpt-00000040-bbbbbbbbbb"
#define LATER "ckpt-00000041-cccccccccc"
    enum { SAME, OTHER_STEP, OTHER_LAYERS, OTHER_RUN, CANDIDATE, ITSELF_LISTED, TWIN_DAMAGED, LATER_BESIDE, N };
    for (int i = 0; i < N; i++) {
        if (i > 0) set_up(NULL);
        struct lag_checkpoint_meta meta = {.id = "ckpt_0123456789012345abcdefghjk", .kind = "growth"};
        if (i == OTHER_RUN) snprintf(meta.run_id, sizeof(meta.run_id), "run_" B);
        if (i == CANDIDATE) snprintf(meta.candidate_id, sizeof(meta.candidate_id), "cand_x");
        if (i == ITSELF_LISTED) snprintf(meta.id, sizeof(meta.id), "ckpt_0123456789012345bbbbbbbbbb");
        seal(NAME ".aside", i == OTHER_STEP ? 39 : 40, i == OTHER_LAYERS ? 3 : 2, meta);
        const struct lag_checkpoint_files files =
            seal(TWIN, 40, 2, (struct lag_checkpoint_meta){.id = "ckpt_0123456789012345bbbbbbbbbb", .kind = "growth"});
        list_with_files("ckpt_0123456789012345bbbbbbbbbb", TWIN, 40, &files);
        if (i == TWIN_DAMAGED) assert_int_equal(truncate(path_of(TWIN "/model.safetensors"), 100), 0);
        if (i == LATER_BESIDE) seal(LATER ".aside", 41, 2, meta);
        start();
        if (exists(NAME ".aside") != (i != SAME) || !exists(TWIN) || find(TWIN).n != 1) fail_msg("case %d", i);
        if (i == LATER_BESIDE) assert_true(exists(LATER ".aside"));
        end();
        if (i + 1 < N) tear_down(NULL);
    }
}

/* Also where its run chose not to grow: manifests before and after tell the same, or name the choice. */
static void what_fits_is_listed(void **state) {
    (void)state;
    static const struct {
        struct growth growth;
        int64_t step;
        int n_layer;
        const char *growth_text;
    } cases[] = {
        {{"gr_a", "applied", "none", -1, 20, false}, 40, 2, ""},
        {{"gr_a", "applied", "none", -1, 20, false}, 40, 2, STACK},
        {{"gr_a", "applied", "stack", -1, 20, false}, 40, 3, STACK},
        {{"gr_a", "applied", "stack", -1, 40, false}, 40, 2, ""},
        {{"gr_a", "queued", NULL, 40, -1, true}, 40, 2, ""},
        {{"gr_a", "queued", NULL, -1, -1, true}, 40, 2, ""},
        {{"gr_a", "probing", NULL, -1, 40, true}, 40, 2, ""},
        {{"gr_a", "rejected", NULL, -1, 20, false}, 40, 2, ""},
        {{"gr_a", "cancelled", NULL, 20, -1, true}, 40, 2, ""},
    };
    for (size_t i = 0; i < LAG_COUNT(cases); i++) {
        struct growth growth = cases[i].growth;
        struct lag_checkpoint_meta meta = {.kind = "manual"};
        put(insert_growth, &growth);
        snprintf(meta.growth_text, sizeof(meta.growth_text), "%s", cases[i].growth_text);
        seal(NAME, cases[i].step, cases[i].n_layer, meta);
        start();
        if (find(NAME).n != 1 || strcmp(find(NAME).row.kind, "manual") != 0 || find(NAME).row.keep)
            fail_msg("case %zu: %s", i, events("system.warning").message);
        end();
        if (i + 1 == LAG_COUNT(cases)) break;
        tear_down(NULL);
        set_up(NULL);
    }
}

/* What is not whole, what is marked, and what a growth that has ended gave up. */
static void what_is_of_no_use_goes(void **state) {
    (void)state;
    struct growth rejected = {"gr_a", "rejected", NULL, -1, 20, false};
    const struct lag_checkpoint_meta plain = {.kind = "periodic"};
    put(insert_growth, &rejected);
    seal("ckpt-00000010-aaaaaaaaaa", 10, 2, plain); /* its removal had begun: no manifest any more */
    unlink(path_of("ckpt-00000010-aaaaaaaaaa/manifest.json"));
    seal("ckpt-00000020-bbbbbbbbbb", 20, 2, plain); /* retired; the row has gone */
    assert_int_equal(lagd_unlisted_mark(path_of("ckpt-00000020-bbbbbbbbbb"), NULL), 0);
    seal("ckpt-00000030-cccccccccc", 30, 2, plain); /* the row has not */
    assert_int_equal(lagd_unlisted_mark(path_of("ckpt-00000030-cccccccccc"), NULL), 0);
    list("ckpt_0123456789012345cccccccccc", "ckpt-00000030-cccccccccc", 30);
    seal("ckpt-00000032-dddddddddd", 32, 3, (struct lag_checkpoint_meta){.candidate_id = "cand_gr_a"});
    start();
    assert_false(exists("ckpt-00000010-aaaaaaaaaa"));
    assert_false(exists("ckpt-00000020-bbbbbbbbbb"));
    assert_true(exists("ckpt-00000030-cccccccccc/manifest.json"));
    assert_false(exists("ckpt-00000030-cccccccccc/.unlisted"));
    assert_false(exists("ckpt-00000032-dddddddddd"));
    assert_int_equal(events("checkpoint.adopted").n, 0);
    end();
}

static void damage_is_kept_for_a_person(void **state) {
    (void)state;
    const struct lag_checkpoint_meta plain = {.kind = "periodic"};
    const char *const names[] = {"ckpt-00000010-aaaaaaaaaa", "ckpt-00000020-bbbbbbbbbb", "ckpt-00000030-cccccccccc"};
    const char *const files[] = {"model.safetensors", "manifest.json"};
    for (int i = 0; i < 3; i++) {
        char path[1700];
        seal(names[i], 10 + 10 * i, 2, plain);
        snprintf(path, sizeof(path), "%s/%s", path_of(names[i]), files[i % 2]);
        if (i == 2) {
            assert_int_equal(unlink(path), 0);
            continue;
        }
        FILE *file = fopen(path, "r+b");
        assert_non_null(file);
        fseek(file, 700, SEEK_SET);
        int byte = fgetc(file);
        fseek(file, 700, SEEK_SET);
        fputc(byte ^ 1, file);
        fclose(file);
    }
    start();
    for (int i = 0; i < 3; i++) {
        char aside[100];
        snprintf(aside, sizeof(aside), "%s.damaged", names[i]);
        assert_true(exists(aside) && !exists(names[i]) && find(names[i]).n == 0);
    }
    assert_int_equal(events("checkpoint.damaged").n, 3);
    end();
}

/* Names that lagd does not give, links and files are not touched, whatever they hold. */
static void strangers_are_left_alone(void **state) {
    (void)state;
    const struct lag_checkpoint_meta plain = {.kind = "periodic"};
    const char *const names[] = {"ckpt-backup", "ckpt-40-abcdefghjk", "ckpt-00000040-abc", "ckpt-00000040-ABCDEFGHJK",
                                 "ckpt-00000040-abcdefghjk.old", "notes"};
    for (size_t i = 0; i < LAG_COUNT(names); i++) seal(names[i], 40, 2, plain);
    seal("elsewhere", 50, 2, plain);
    assert_int_equal(symlink(path_of("elsewhere"), path_of("ckpt-00000050-aaaaaaaaaa")), 0);
    FILE *file = fopen(path_of("ckpt-00000060-aaaaaaaaaa"), "w");
    assert_non_null(file);
    fclose(file);
    start();
    for (size_t i = 0; i < LAG_COUNT(names); i++)
        if (lag_checkpoint_verify(path_of(names[i]), NULL) != 0 || find(names[i]).n) fail_msg("%s", names[i]);
    assert_int_equal(lag_checkpoint_verify(path_of("elsewhere"), NULL), 0);
    assert_true(exists("ckpt-00000050-aaaaaaaaaa") && exists("ckpt-00000060-aaaaaaaaaa"));
    end();
}

int main(void) {
    struct lag_error err = {0};
    if (lag_engine_setup(&err) < 0) return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_whole_one_is_listed_as_it_was, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_not_told_is_concluded, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_does_not_fit_is_set_aside, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_was_made_once_more_goes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_fits_is_listed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_of_no_use_goes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(damage_is_kept_for_a_person, set_up, tear_down),
        cmocka_unit_test_setup_teardown(strangers_are_left_alone, set_up, tear_down)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
