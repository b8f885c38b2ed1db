/* Writing a checkpoint: a temporary folder, then a rename, then a look at what is really there. */
#include "checkpoint/manifest_internal.h"
#include "checkpoint/tensors_internal.h"
#include <lagd/base/check.h>
#include <lagd/base/cleanup.h>
#include <lagd/base/error.h>
#include <lagd/base/failpoint.h>
#include <lagd/base/fs.h>
#include <lagd/base/mem.h>
#include <lagd/base/strbuf.h>
#include <lagd/engine/hf.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { DIR_MODE = 0750 };

struct job {
    const char *dir;
    const struct lag_state *state;
    const struct lag_checkpoint_meta *meta;
    char *parent, *temporary, *aside; /* aside: where an old folder waits when the two cannot be exchanged */
    const char *old;                  /* where the replaced folder is; NULL when there was none */
    struct lag_checkpoint_files files;
    struct lag_error *err;
};

static void strbuf_deinit_p(struct lag_strbuf *buffer) { lag_strbuf_deinit(buffer); }

static int no_memory(struct job *job) {
    return lag_error_set(job->err, LAG_ENOMEM, "out of memory while writing checkpoint %s", job->dir);
}

uint64_t lag_tensors_header_bytes(int n_tensors) { return 4096 + 160 * (uint64_t)n_tensors; }

uint32_t lag_tensor_dims(const struct lag_tensor *tensor, uint64_t ret[2]) {
    const bool vector = lag_param_is_vector(tensor->row);
    ret[0] = (uint64_t)(vector ? tensor->n_cols : tensor->n_rows);
    ret[1] = (uint64_t)(vector ? 1 : tensor->n_cols);
    return vector ? 1 : 2;
}

/* An upper bound, with n_segments segments. */
static uint64_t bytes_needed(const struct lag_spec *spec, uint64_t n_segments) {
    size_t n_rows;
    (void)lag_param_rows(spec->arch, &n_rows);
    const int n_tensors = (int)n_rows * spec->n_layer;
    return 3 * lag_spec_params(spec) * sizeof(lag_real) + lag_tensors_header_bytes(n_tensors) +
           lag_tensors_header_bytes(2 * n_tensors) + 65536 + n_segments * LAG_SEGMENT_TEXT_BYTES;
}

uint64_t lag_checkpoint_bytes(const struct lag_spec *spec) {
    size_t n_rows;
    (void)lag_param_rows(spec->arch, &n_rows);
    return bytes_needed(spec, 8 * (uint64_t)n_rows * (uint64_t)spec->n_layer); /* growths divide tensors */
}

static int finish_file(struct job *job, struct lag_sink *sink, const char *name) {
    struct lag_checkpoint_file file = {.n_bytes = sink->n_bytes};
    const int rc = lag_sink_finish(sink, file.sha256, job->err);
    if (rc != 0) return rc;
    (void)lag_copy(file.name, sizeof file.name, name);
    job->files.file[job->files.n_files++] = file;
    job->files.n_bytes += file.n_bytes;
    return 0;
}

static void add_sources(const struct lag_layout *layout, const char *prefix, const lag_real *block,
                        struct lag_st_source *sources) {
    for (int i = 0; i < layout->n_tensors; i++) {
        const struct lag_tensor *tensor = &layout->tensors[i];
        char name[96];
        lag_tensor_name(tensor, name);
        snprintf(sources[i].name, sizeof sources[i].name, "%s%s", prefix, name);
        sources[i].n_dims = lag_tensor_dims(tensor, sources[i].dims);
        sources[i].data = block + tensor->offset;
    }
}

static int write_tensors(struct job *job, const char *name, const struct lag_st_pair *metadata, size_t n_metadata,
                         struct lag_st_source *sources, size_t n_sources) {
    struct lag_sink sink = {.fd = -1};
    uint64_t need = 0;
    for (size_t i = 0; i < n_sources; i++)
        need += sources[i].dims[0] * (sources[i].n_dims == 2 ? sources[i].dims[1] : 1) * sizeof(lag_real);
    int rc = lag_sink_open(job->temporary, name, need, &sink, job->err);
    if (rc == 0) rc = lag_st_write(&sink, metadata, n_metadata, sources, n_sources, job->err);
    if (rc == 0) rc = finish_file(job, &sink, name);
    lag_sink_deinit(&sink);
    return rc;
}

static int write_text(struct job *job, const char *name, const struct lag_strbuf *text) {
    if (text->failed) return no_memory(job);
    struct lag_sink sink = {.fd = -1};
    int rc = lag_sink_open(job->temporary, name, 0, &sink, job->err);
    if (rc == 0) rc = lag_sink_write(&sink, text->data, text->length, job->err);
    if (rc == 0) rc = finish_file(job, &sink, name);
    lag_sink_deinit(&sink);
    return rc;
}

static int write_model(struct job *job) {
    const struct lag_layout *layout = &job->state->layout;
    LAG_CLEANUP(lag_free_p) struct lag_st_source *sources = lag_calloc((size_t)layout->n_tensors, sizeof *sources);
    if (!sources) return no_memory(job);
    char step[24], tokens[24];
    snprintf(step, sizeof step, "%" PRId64, job->state->step);
    snprintf(tokens, sizeof tokens, "%" PRId64, job->meta->tokens);
    const struct lag_st_pair metadata[] = {
        {"format", "pt"}, {"lagd.run", job->meta->run_id}, {"lagd.step", step}, {"lagd.tokens", tokens},
        {"lagd.growth", job->meta->growth_text}, {"lagd.parent_sha256", job->meta->parent_sha256},
        {"lagd.version", job->meta->version},
    };
    add_sources(layout, "", job->state->params, sources);
    return write_tensors(job, lag_manifest_file_names[0], metadata, LAG_COUNT(metadata), sources,
                         (size_t)layout->n_tensors);
}

static int write_optimizer(struct job *job) {
    const struct lag_layout *layout = &job->state->layout;
    const size_t n = (size_t)layout->n_tensors;
    LAG_CLEANUP(lag_free_p) struct lag_st_source *sources = lag_calloc(2 * n, sizeof *sources);
    if (!sources) return no_memory(job);
    const struct lag_st_pair metadata[] = {{"format", "pt"}};
    add_sources(layout, "m.", job->state->m, sources);
    add_sources(layout, "v.", job->state->v, sources + n);
    return write_tensors(job, lag_manifest_file_names[2], metadata, LAG_COUNT(metadata), sources, 2 * n);
}

static int write_config(struct job *job) {
    LAG_CLEANUP(strbuf_deinit_p) struct lag_strbuf text = LAG_STRBUF_INIT;
    const char *dtype = sizeof(lag_real) == sizeof(double) ? "float64" : "float32";
    const int rc = lag_hf_config(&job->state->layout.spec, lag_state_is_masked(job->state), dtype, &text, job->err);
    return rc == 0 ? write_text(job, lag_manifest_file_names[1], &text) : rc;
}

static int write_manifest(struct job *job) {
    LAG_CLEANUP(strbuf_deinit_p) struct lag_strbuf text = LAG_STRBUF_INIT;
    const int rc = lag_manifest_format(job->state, job->meta, job->files.file, &text, job->err);
    return rc == 0 ? write_text(job, "manifest.json", &text) : rc;
}

static int write_folder(struct job *job) {
    int rc = lag_fs_remove_tree(job->temporary, job->err); /* of a process that died and had our number */
    if (rc == 0 && mkdir(job->temporary, DIR_MODE) != 0)
        rc = lag_error_errno(job->err, errno, "cannot create folder %s", job->temporary);
    if (rc == 0) rc = write_model(job);
    if (rc == 0) rc = write_config(job);
    if (rc == 0) rc = write_optimizer(job);
    if (rc == 0) rc = write_manifest(job);
    return rc == 0 ? lag_fs_fsync_dir(job->temporary, job->err) : rc;
}

/* The final name becomes the new folder. Where the file system can, an old one is exchanged with it, so that there is
 * no moment without a complete folder of that name. */
static int place(struct job *job) {
    LAG_FP("checkpoint.before_rename");
    const bool exists = lag_fs_exists(job->dir);
    if (exists && !LAG_FP_FAIL("checkpoint.no_exchange")) {
        job->old = job->temporary;
        if (renameat2(AT_FDCWD, job->temporary, AT_FDCWD, job->dir, RENAME_EXCHANGE) == 0) return 0;
        job->old = NULL;
        if (errno != EINVAL && errno != ENOSYS)
            return lag_error_errno(job->err, errno, "cannot exchange %s and %s", job->temporary, job->dir);
    }
    if (exists) {
        if (rename(job->dir, job->aside) != 0)
            return lag_error_errno(job->err, errno, "cannot rename %s to %s", job->dir, job->aside);
        job->old = job->aside;
    }
    if (rename(job->temporary, job->dir) == 0) return 0;
    const int rc = lag_error_errno(job->err, errno, "cannot rename %s to %s", job->temporary, job->dir);
    if (job->old) (void)rename(job->aside, job->dir);
    job->old = NULL;
    return rc;
}

/* After a failure behind place(): the new folder goes back under its temporary name, the old one returns. */
static void take_back(struct job *job) {
    if (job->old == job->temporary) {
        (void)renameat2(AT_FDCWD, job->temporary, AT_FDCWD, job->dir, RENAME_EXCHANGE);
    } else {
        (void)rename(job->dir, job->temporary);
        if (job->old) (void)rename(job->aside, job->dir);
    }
    (void)lag_fs_fsync_dir(job->parent, NULL);
}

static int place_and_verify(struct job *job) {
    int rc = place(job);
    if (rc != 0) return rc;
    LAG_FP("checkpoint.after_rename");
    rc = lag_fs_fsync_dir(job->parent, job->err);
    if (rc == 0 && LAG_FP_FAIL("checkpoint.verify_error"))
        rc = lag_error_set(job->err, LAG_ECORRUPT, "%s does not read back as it was written", job->dir);
    if (rc == 0) rc = lag_checkpoint_verify(job->dir, job->err);
    if (rc != 0) {
        take_back(job);
        return rc;
    }
    LAG_FP("checkpoint.verified");
    if (job->old) (void)lag_fs_remove_tree(job->old, NULL); /* what stays is swept at the next start */
    return 0;
}

static int name_paths(struct job *job) {
    const char *slash = strrchr(job->dir, '/');
    if (slash && !slash[1])
        return lag_error_set(job->err, LAG_EINVAL, "checkpoint folder %s: leave the last '/' away", job->dir);
    job->parent = !slash ? lag_strdup(".") : slash == job->dir ? lag_strdup("/") : lag_strdup(job->dir);
    if (job->parent && slash > job->dir) job->parent[slash - job->dir] = '\0';
    job->temporary = lag_asprintf("%s.tmp-%ld", job->dir, (long)getpid());
    job->aside = lag_asprintf("%s.old-%ld", job->dir, (long)getpid());
    return job->parent && job->temporary && job->aside ? 0 : no_memory(job);
}

static int check_space(struct job *job, uint64_t need) {
    uint64_t n_free = 0;
    const int rc = lag_fs_free_bytes(job->parent, &n_free, job->err);
    if (rc != 0) return lag_error_wrap(job->err, "checkpoint %s", job->dir);
    if (n_free >= need) return 0;
    return lag_error_set(job->err, LAG_ENOSPC, "checkpoint %s needs %" PRIu64 " bytes; %" PRIu64 " are free: make room "
                         "or move the state directory", job->dir, need, n_free);
}

static int write_job(struct job *job) {
    const struct lag_state *state = job->state;
    int rc = lag_segments_check(&state->layout, state->segments, state->n_segments, LAG_EINVAL, job->err);
    if (rc == 0) rc = name_paths(job);
    if (rc != 0) return rc;
    const uint64_t need = bytes_needed(&state->layout.spec, (uint64_t)state->n_segments);
    rc = check_space(job, need);
    if (rc != 0) return rc;
    LAG_FP("checkpoint.begin");
    rc = write_folder(job);
    if (rc == 0) rc = place_and_verify(job);
    if (rc == 0) return 0;
    (void)lag_fs_remove_tree(job->temporary, NULL);
    uint64_t n_free = 0;
    if (rc == LAG_ENOSPC && lag_fs_free_bytes(job->parent, &n_free, NULL) == 0)
        return lag_error_wrap(job->err, "checkpoint %s needs %" PRIu64 " bytes; %" PRIu64 " are free", job->dir, need,
                              n_free);
    return rc;
}

int lag_checkpoint_write(const char *dir, const struct lag_state *state, const struct lag_checkpoint_meta *meta,
                         struct lag_checkpoint_files *ret, struct lag_error *err) {
    struct lag_error unwanted;
    struct job job = {.dir = dir, .state = state, .meta = meta, .err = err ? err : &unwanted};
    const int rc = write_job(&job);
    free(job.parent);
    free(job.temporary);
    free(job.aside);
    if (rc == 0) *ret = job.files;
    return rc;
}
