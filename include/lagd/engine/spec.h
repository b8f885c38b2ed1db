/* Model shape. Thread: any (pure). */
#pragma once
#include <stdbool.h>
#include <stdint.h>
struct lag_error;

enum lag_arch { LAG_ARCH_GPT2, LAG_N_ARCHS }; /* pre-LN decoder, learned positions, biases, tanh GELU, tied head */

struct lag_spec {
    enum lag_arch arch;
    int n_layer;     /* L */
    int n_head;      /* H, divides C */
    int n_embd;      /* C, the residual width */
    int n_inner;     /* FFN width, usually 4C */
    int n_positions; /* T, the longest context */
    int vocab_size;  /* V */
    double norm_eps; /* epsilon of LayerNorm */
};

const char *lag_arch_name(enum lag_arch arch);
int lag_arch_parse(const char *name, enum lag_arch *ret);
/* Limits: L 1–512, H 1–256, C 1–65536 and divisible by H, FFN 1–262144, T 1–131072, V 1–1048576, and all products in
 * range. Errors point to "/model/…". */
int lag_spec_check(const struct lag_spec *spec, struct lag_error *err);
bool lag_spec_equal(const struct lag_spec *a, const struct lag_spec *b);
