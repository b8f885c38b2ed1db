/* Rows of what a growth leads to, for a struct with members target and tokens_per_sequence; AT is that struct's. of:
 * whose own size an axis keeps that is left out, "run" or "parent". */
#pragma once
#include <lagd/base/fields.h>
#include <lagd/engine/spec.h>

#define LAGD_TARGET_ROW(axis, max, unit, help)                                                                         \
    {"target/" #axis, LAG_FIELD_INT, AT(target.axis), 1, max, NULL, NULL, LAG_FIELD_SPARSE, unit, help}
#define LAGD_TARGET_ROWS(of)                                                                                           \
    LAGD_TARGET_ROW(n_layer, LAG_MAX_LAYERS, "layers", "Depth to grow to; left out: the " of "'s own."),               \
    LAGD_TARGET_ROW(n_head, LAG_MAX_HEADS, "heads",                                                                    \
                    "Attention heads to grow to; left out: as many as keep their size, and where these do not divide " \
                    "n_embd, fewer and larger ones."),                                                                 \
    LAGD_TARGET_ROW(n_embd, LAG_MAX_EMBD, "", "Width of the residual stream to grow to; left out: the " of "'s own."), \
    LAGD_TARGET_ROW(n_inner, LAG_MAX_INNER, "",                                                                        \
                    "Width of the feed-forward layer to grow to; left out: it grows as n_embd does."),                 \
    LAGD_TARGET_ROW(n_positions, LAG_MAX_POSITIONS, "tokens",                                                          \
                    "Longest context to grow to. Left out: the " of "'s own."),                                        \
    LAGD_TARGET_ROW(vocab_size, LAG_MAX_VOCAB, "tokens",                                                               \
                    "Vocabulary to grow to; left out: the " of "'s own."),                                             \
    LAGD_TARGET_ROW(head_dim, LAG_MAX_ATTENTION, "",                                                                   \
                    "Numbers of a head to grow to, also where n_head times it is not n_embd, which no config.json of " \
                    "Hugging Face's can say; left out: n_embd / n_head, or the " of "'s own where that is another."), \
    {"batch/tokens_per_sequence", LAG_FIELD_INT, AT(tokens_per_sequence), 0, LAG_MAX_POSITIONS, "0", NULL, 0,          \
     "tokens",                                                                                                         \
     "Tokens of a training sequence after the growth, and of a validation window; a step has as many tokens as "       \
     "before, which they must divide. 0: as before; but where sequences fill the context and that grows, the longest " \
     "ones that fit it and divide."}
