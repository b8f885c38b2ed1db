/* What the files of the run fixture share. */
#pragma once
#include <lagd/base/error.h>

/* Fails the test with the error's text. */
#define OK(call) \
    do { \
        struct lag_error err = {0}; \
        int rc_ = (call); \
        if (rc_ != 0) fail_msg("%s: %d %s", #call, rc_, err.text); \
    } while (0)
