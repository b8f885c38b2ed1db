/* A head as it was received. The HTTP library cuts it into texts that end at their first NUL byte, so that what is
 * behind one is hidden from whoever reads the texts; but they lie in the buffer still, where their places tell. */
#pragma once
#include "door/guard_internal.h"

#include <stddef.h>

struct lagd_raw_head {
    const char *method, *version; /* in the buffer */
    const char *target;           /* where it was; its bytes may have changed since */
    size_t n_target;              /* its length as a text */
    size_t n_bytes;               /* of the whole head, from the method on */
};
/* false: a NUL byte, a folded line or anything else lies between the texts. Only for versions of the library that keep
 * them so (0.9); later ones refuse NUL bytes themselves, and for them it is always true. */
bool lagd_raw_head_is_whole(const struct lagd_raw_head *raw, const struct lagd_head *head);
