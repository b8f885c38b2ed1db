/* Rows of a growth's target, for a struct with a member target; AT is that struct's. of: whose own size an axis keeps
 * that is left out, "run" or "parent". */
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
                    "Longest context to grow to; training sequences stay as long as they are. Left out: the " of       \
                    "'s own."),                                                                                        \
    LAGD_TARGET_ROW(vocab_size, LAG_MAX_VOCAB, "tokens",                                                               \
                    "Vocabulary to grow to; left out: the " of "'s own."),                                             \
    LAGD_TARGET_ROW(head_dim, LAG_MAX_ATTENTION, "",                                                                   \
                    "Numbers of a head to grow to, also where n_head times it is not n_embd, which no config.json of " \
                    "Hugging Face's can say; left out: n_embd / n_head, or the " of "'s own where that is another.")
