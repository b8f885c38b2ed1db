/* Names of precisions, and whether this machine has them. */
#include "kernels/gemm_internal.h"

#include <lagd/base/error.h>
#include <lagd/base/names.h>
#include <lagd/engine/precision.h>

const char *const lag_precision_names[] = {[LAG_FP32] = "fp32", [LAG_BF16] = "bf16", [LAG_N_PRECISIONS] = NULL};

const char *lag_precision_name(enum lag_precision precision) {
    return (unsigned)precision < LAG_N_PRECISIONS ? lag_precision_names[precision] : "?";
}

int lag_precision_parse(const char *name, enum lag_precision *ret) {
    int i = lag_names_find(lag_precision_names, name);
    if (i < 0) return LAG_ENOTFOUND;
    *ret = (enum lag_precision)i;
    return 0;
}

int lag_precision_check(enum lag_precision precision, struct lag_error *err) {
    if (precision != LAG_BF16 || lag_products(LAG_BF16)) return 0;
    return lag_error_at(err, LAG_EUNSUPPORTED, "/precision",
                        "this CPU has neither AVX-512 BF16 nor AVX2 with FMA, one of which bf16 needs; set "
                        "precision to fp32");
}

const char *lag_precision_note(enum lag_precision precision) {
    const struct lag_products *products = lag_products(precision);
    return products ? products->note : NULL;
}
