/* A file registered as a dataset, under every name and format; what is accepted can be drawn from. */
#include "data/data_internal.h"
#include "fuzz.h"
#include <lagd/base/check.h>
#include <lagd/base/error.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static void draw_from(int fd, const struct lag_dataset_info *info) {
    struct lag_dataset *dataset = NULL;
    int32_t x[2 * 4], y[2 * 4];
    FUZZ_CHECK(lag_dataset_open(fd, info, &dataset, NULL) == 0);
    FUZZ_CHECK(lag_dataset_check(info, 4, info->vocab_size, NULL) == 0);
    FUZZ_CHECK(lag_dataset_batch(dataset, 1, 2, 3, 2, 4, x, y, NULL) == 0);
    const struct lag_eval_set set = {.n_batches = 3, .stride = 3, .rows = 2};
    FUZZ_CHECK(lag_dataset_validation(dataset, &set, 2, 0, 4, x, y, NULL) == 0);
    for (int i = 0; i < 8; i++) {
        FUZZ_CHECK(x[i] >= 0 && x[i] < info->vocab_size);
        FUZZ_CHECK(y[i] >= 0 && y[i] < info->vocab_size);
    }
    lag_dataset_close(dataset);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const struct {
        const char *name, *format;
        int vocab;
    } ways[] = {
        {"a.bin", NULL, 0}, {"a.txt", "auto", 0}, {"a.bin", "nanogpt", 300}, {"a", "llmc_u32", 0}, {"a", "text", 90},
    };
    const int fd = memfd_create("fuzz", MFD_CLOEXEC);
    FUZZ_CHECK(fd >= 0 && write(fd, data, size) == (ssize_t)size);
    for (size_t i = 0; i < LAG_COUNT(ways); i++) {
        struct lag_dataset_info info;
        struct lag_error err = {0};
        const int rc = lag_dataset_inspect(fd, ways[i].name, ways[i].format, ways[i].vocab, NULL, &info, &err);
        FUZZ_CHECK(rc == 0 || ((rc == LAG_EINVAL || rc == LAG_EUNSUPPORTED) && err.text[0]));
        if (rc != 0) continue;
        FUZZ_CHECK(lag_token_format_offset(info.format) + info.n_tokens * lag_token_format_width(info.format) == size);
        FUZZ_CHECK(info.max_id < (uint32_t)info.vocab_size && info.n_tokens >= LAG_MIN_TOKENS);
        draw_from(dup(fd), &info);
    }
    close(fd);
    return 0;
}

size_t lag_fuzz_seed(size_t index, uint8_t **ret) {
    static const int32_t heads[][3] = {
        {20240520, 1, 100}, {20240801, 7, 100}, {20240522, 1, 100}, {0x20202020, 0x20202020, 0x20202020}};
    uint8_t file[1424];
    if (index >= LAG_COUNT(heads)) return 0;
    memset(file, index == 3 ? 'a' : 0, sizeof file);
    memcpy(file, heads[index], sizeof heads[index]);
    return lag_fuzz_copy(file, index == 1 ? 1424 : 1224, ret);
}
