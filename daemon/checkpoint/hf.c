/* A checkpoint's model for those who may not know the engine. */
#include <lagd/daemon/hf.h>

#include <lagd/base/error.h>
#include <lagd/base/mem.h>
#include <lagd/base/names.h>
#include <lagd/base/strbuf.h>
#include <lagd/engine/hf.h>
#include <lagd/engine/import.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

struct lagd_hf {
    struct lag_hf_model *model;
    struct lag_strbuf config; /* of a model that came with one; empty: it came with none */
};

int lagd_hf_open(int model, int manifest, const char *dtype, const char *config, struct lagd_hf **ret,
                 struct lag_error *err) {
    const int found = lag_names_find(lag_hf_dtype_names, dtype);
    if (found < 0) return lag_error_set(err, LAG_EINVAL, "dtype '%.40s': use f32, bf16 or f16", dtype);
    struct lagd_hf *hf = lag_calloc(1, sizeof(*hf));
    if (!hf) return lag_error_set(err, LAG_ENOMEM, "out of memory for a model's files");
    /* One of its own, as the caller's is taken only once all is well. */
    const int own = dup(model);
    int rc = own < 0 ? lag_error_errno(err, errno, "a model's file cannot be opened") : 0;
    if (rc == 0 && (rc = lag_hf_open(own, manifest, (enum lag_hf_dtype)found, &hf->model, err)) != 0) (void)close(own);
    if (rc == 0 && config)
        rc = lag_import_reconfigure(config, lag_hf_spec(hf->model), lag_hf_torch_dtype(hf->model), &hf->config, err);
    if (rc != 0) {
        lagd_hf_close(hf);
        return rc;
    }
    (void)close(model);
    *ret = hf;
    return 0;
}

void lagd_hf_close(struct lagd_hf *hf) {
    if (!hf) return;
    lag_hf_close(hf->model);
    lag_strbuf_deinit(&hf->config);
    free(hf);
}

const char *lagd_hf_config(const struct lagd_hf *hf) {
    return hf->config.length > 0 ? hf->config.data : lag_hf_config_text(hf->model);
}
uint64_t lagd_hf_model_bytes(const struct lagd_hf *hf) { return lag_hf_bytes(hf->model); }
int64_t lagd_hf_n_checked(const struct lagd_hf *hf) { return lag_hf_n_checked(hf->model); }
int lagd_hf_check(struct lagd_hf *hf, struct lag_error *err) { return lag_hf_check(hf->model, err); }

ssize_t lagd_hf_read(struct lagd_hf *hf, void *buffer, size_t size, struct lag_error *err) {
    return lag_hf_read(hf->model, buffer, size, err);
}
