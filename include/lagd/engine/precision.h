/* In which numbers matrix products are made. Everything else, the weights and both moments included, is always in
 * single precision; so are checkpoints. Thread: any. */
#pragma once
struct lag_error;

enum lag_precision {
    LAG_FP32,
    LAG_BF16, /* operands rounded to bfloat16, sums in single precision (Kalamkar et al., arXiv 1905.12322) */
    LAG_N_PRECISIONS
};

extern const char *const lag_precision_names[];               /* NULL-terminated, by value */
const char *lag_precision_name(enum lag_precision precision); /* "?" for no value */
int lag_precision_parse(const char *name, enum lag_precision *ret);
/* LAG_EUNSUPPORTED at "/precision" where this CPU or build cannot; the text says what to change. */
int lag_precision_check(enum lag_precision precision, struct lag_error *err);
/* What people should know where this CPU has the precision only by other means, else NULL: bfloat16 operands are then
 * multiplied in single precision, with the speed of fp32. */
const char *lag_precision_note(enum lag_precision precision);
