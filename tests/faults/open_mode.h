/* What the libraries that stand in for open(2) share. */
#pragma once
#include <fcntl.h>
#include <stdarg.h>
#include <sys/types.h>

/* open(2) takes its mode only when it creates. In a function whose last named parameter is flags. */
#define OPEN_MODE(flags)                                                                                               \
    ({                                                                                                                 \
        mode_t mode_ = 0;                                                                                              \
        if ((flags) & (O_CREAT | __O_TMPFILE)) {                                                                       \
            va_list more_;                                                                                             \
            va_start(more_, flags);                                                                                    \
            mode_ = va_arg(more_, mode_t);                                                                             \
            va_end(more_);                                                                                             \
        }                                                                                                              \
        mode_;                                                                                                         \
    })
