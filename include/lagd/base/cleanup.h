/* Scope cleanup: `LAG_CLEANUP(lag_free_p) char *text = NULL;` frees text when the scope ends. */
#pragma once
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define LAG_CLEANUP(function) __attribute__((cleanup(function)))

static inline void lag_free_p(void *pointer_to_pointer) { free(*(void **)pointer_to_pointer); }
static inline void lag_close_p(int *fd) {
    if (*fd >= 0) (void)close(*fd);
}
static inline void lag_fclose_p(FILE **file) {
    if (*file) (void)fclose(*file);
}
/* Declares name(type **): a cleanup helper that calls destroy(*p). */
#define LAG_DEFINE_CLEANUP(type, name, destroy) \
    static inline void name(type **p) { destroy(*p); }
/* Moves a pointer out of a variable that has a cleanup attribute. */
#define LAG_TAKE(pointer) \
    ({ __typeof__(pointer) taken_ = (pointer); (pointer) = NULL; taken_; })
