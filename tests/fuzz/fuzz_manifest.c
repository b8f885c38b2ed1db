/* A manifest whose seal is not looked at (no mutation would pass it), and the seal by itself. */
#include "checkpoint/manifest_internal.h"
#include "fuzz.h"
#include <lagd/base/check.h>
#include <lagd/base/error.h>
#include <lagd/base/mem.h>
#include <lagd/base/strbuf.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct lag_error err = {0};
    struct lag_manifest manifest = {0};
    size_t n_body = 0;
    char *text = malloc(size + 1);
    FUZZ_CHECK(text);
    if (size > 0) memcpy(text, data, size);
    text[size] = '\0';
    if (lag_manifest_unseal(text, size, &n_body, &err) == 0) FUZZ_CHECK(n_body < size);
    const int rc = lag_manifest_parse(text, size, &manifest, &err);
    FUZZ_CHECK(rc == 0 || rc == LAG_ECORRUPT || rc == LAG_EVERSION || rc == LAG_EUNSUPPORTED);
    if (rc == 0) {
        FUZZ_CHECK(lag_segments_check(&manifest.layout, manifest.segments, manifest.n_segments, -1, NULL) == 0);
        FUZZ_CHECK(manifest.step >= 0 && manifest.layout.n_tensors > 0);
    } else {
        FUZZ_CHECK(err.code == rc && err.text[0] && !manifest.segments);
    }
    lag_manifest_deinit(&manifest);
    free(text);
    return 0;
}

size_t lag_fuzz_seed(size_t index, uint8_t **ret) {
    static const struct lag_spec specs[] = {
        {LAG_ARCH_GPT2, 1, 1, 1, 1, 1, 1, 1e-5}, {LAG_ARCH_GPT2, 3, 2, 8, 32, 16, 256, 0.1},
    };
    static const struct lag_checkpoint_meta meta = {
        .run_id = "run_x", .growth_text = "{\"a\":\"\\\\ é\"}", .fingerprint = "f", .tokens = 5, .seed = UINT64_MAX,
        .id = "ckpt_x", .kind = "final"};
    struct lag_checkpoint_file file[LAG_MANIFEST_FILES] = {0};
    if (index >= LAG_COUNT(specs)) return 0;
    for (int i = 0; i < LAG_MANIFEST_FILES; i++) {
        FUZZ_CHECK(lag_copy(file[i].name, sizeof file[i].name, lag_manifest_file_names[i]) == 0);
        memset(file[i].sha256, 'a', sizeof file[i].sha256 - 1);
    }
    struct lag_state *state = NULL;
    struct lag_strbuf text = LAG_STRBUF_INIT;
    FUZZ_CHECK(lag_state_create(&specs[index], &state, NULL) == 0);
    FUZZ_CHECK(lag_manifest_format(state, &meta, file, &text, NULL) == 0);
    const size_t n = lag_fuzz_copy(text.data, text.length, ret);
    lag_strbuf_deinit(&text);
    lag_state_destroy(state);
    return n;
}
