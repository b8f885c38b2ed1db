/* A dataset of drawn text, in a file that is gone when it is closed. */
#pragma once
#include <fcntl.h>
#include <lagd/engine/data.h>
#include <stdlib.h>
#include <unistd.h>

/* Of n bytes; owned by the caller. */
static inline struct lag_dataset *test_text_dataset(size_t n) {
    char path[] = "/tmp/lagd-test-XXXXXX";
    struct lag_dataset_info info;
    struct lag_dataset *dataset = NULL;
    struct lag_error err = {0};
    char *text = malloc(n);
    const int fd = mkostemp(path, O_CLOEXEC);
    assert_non_null(text);
    assert_true(fd >= 0);
    unlink(path);
    for (size_t i = 0; i < n; i++) text[i] = (char)('a' + (i * i + i / 7) % 23);
    assert_int_equal(write(fd, text, n), n);
    free(text);
    if (lag_dataset_inspect(fd, "x.txt", NULL, 0, NULL, &info, &err) || lag_dataset_open(fd, &info, &dataset, &err))
        fail_msg("%s", err.text);
    return dataset;
}
