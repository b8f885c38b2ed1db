/* The table of growth operators: names, parameters, presets and where each comes from. */
#include "grow/grow_internal.h"
#include <string.h>

#define DEPTH LAG_MAX_LAYERS
#define P_BLOCK(preset_, help_) {"block", 1, DEPTH, preset_, help_, true}
#define P_START {"start", 0, DEPTH - 1, 0, "first layer of the block, counted from 0", true}
#define P_EVERY {"every", 1, DEPTH, 1, "copies go behind every this-many-th layer", true}
#define P_RAMP \
    {"ramp_steps", 1, LAG_RAMP_MAX, 200, "steps in which the mask goes from 0 to 1, evenly (MSG's code: 5000)", true}
#define P_AT(help_) {"at", -1, DEPTH, -1, help_, true}
#define P_NOISE \
    {"noise", 0, 1, 0, \
     "share a of fresh noise in the new copies' matrices, W <- (1-a) W + a e (Du et al.: 0.2)", false}

/* Presets of rules: a copy goes on with its source's moments and age under the untouched schedule, as the published
 * MIDAS recipe does; layers that begin as identities have no history, so they start at age 0 with their own ramp. */
#define GOES_ON .preset_moments = LAG_MOMENTS_INHERIT, .preset_lr = LAG_LR_CONTINUE
#define BEGINS_ANEW .preset_moments = LAG_MOMENTS_RESET_NEW, .preset_lr = LAG_LR_REWARM_NEW
#define DEPTHS .grows = LAG_GROWS_DEPTH, .axes = "n_layer"
#define WIDTHS_OF(axes_) .grows = LAG_GROWS_WIDTH, .axes = axes_
#define WIDTHS WIDTHS_OF("n_embd,n_head,head_dim,n_inner")
#define COPIES GOES_ON, DEPTHS
#define IDENTITIES \
    BEGINS_ANEW, .function_preserving = true, .preserves = "always: a new layer adds zero at first", DEPTHS

/* Of width: what is cloned goes on with its share of the moments; what is new beside it begins anew. */
#define CLONES_OF(axes_) \
    GOES_ON, .function_preserving = true, \
    .preserves = "while mix is 0, since readers' shares of a unit's copies add up to 1; with optimizer inherit the " \
                 "moments stay exact too where n_embd becomes a whole multiple", WIDTHS_OF(axes_)
#define CLONES CLONES_OF("n_embd,n_head,head_dim,n_inner")
#define P_PAIRS(preset_) \
    {"noise", 0, 1, preset_, \
     "share of fresh noise in what reads copies, its sum over the copies zero: the function stays, copies part", false}
#define P_MIX \
    {"mix", 0, 1, 0, "share a of fresh noise in copies, W <- (1-a) W + a e: the function changes", false}

/* What begins at age 0 behind a mask needs no ramp of its own: the mask is one. */
#define MASKED \
    .preset_moments = LAG_MOMENTS_RESET_NEW, .preset_lr = LAG_LR_CONTINUE, .function_preserving = true, \
    .preserves = "always: the mask is 0 at first, and then opens evenly in ramp_steps steps"

/* Each number of the result is a mix of the parent's, so that nothing has a history of its own. */
#define LEARNED .preset_moments = LAG_MOMENTS_RESET, .preset_lr = LAG_LR_CONTINUE, .learns = true
#define P_LEARN(rate_) \
    {"steps", 1, LAG_LEARN_MAX, 100, "steps in which the maps are trained, on batches that the run has seen", true}, \
    {"rate", 0, 1, rate_, "learning rate of the maps, the same in all their steps", false}, \
    {"jitter", 0, 1, 0.03, "share of random numbers in the maps' new rows at first, so that copies part", false}

#define ENDS \
    GOES_ON, .function_preserving = true, \
    .preserves = "for texts as long as before, since no position sees one that comes after it", \
    .grows = LAG_GROWS_CONTEXT, .axes = "n_positions"

#define P_FOLLOW \
    {"follow", 0, 1, 0, \
     "1: each part has the learning rate, weight decay and epsilon with which the function goes the parent's own " \
     "way; between: powers of them; for copies alike (noise 0) and gradients that are not clipped", false}

static const struct lag_operator operators[LAG_N_OPS] = {
    [LAG_OP_STACK] = {"stack", "Stack", "copies the whole model on top of itself: 0 1 2 0 1 2",
        "Gong et al. 2019 (StackBERT); Du et al., arXiv 2405.15319 (G_stack)", .params = {P_NOISE}, COPIES},
    [LAG_OP_INTERLEAVE] = {"interleave", "Interleave", "puts each layer's copy directly behind it: 0 0 1 1 2 2",
        "Du et al., arXiv 2405.15319, App. H; arXiv 2510.08008 (interposition)", .params = {P_NOISE}, COPIES},
    [LAG_OP_GRADUAL_STACK] = {"gradual_stack", "Gradual stacking",
        "copies the last block of layers on top: 0 1 2 2 2 2",
        "Reddi et al., ICML 2023",
        .params = {P_BLOCK(1, "number of last layers copied in a round"), P_NOISE}, COPIES},
    [LAG_OP_MIDAS] = {"midas", "MIDAS (middle stacking)", "copies the middle block behind itself: 0 1 1 1 1 2",
        "Saunshi et al., arXiv 2409.19044",
        .params = {P_BLOCK(1, "number of layers in a block"), P_NOISE}, COPIES},
    [LAG_OP_LIDAS] = {"lidas", "LIDAS", "inserts a copy of the block that lies across the middle seam; "
        "without a middle seam it does what midas does",
        "Kapl et al., arXiv 2512.08819", .params = {P_BLOCK(2, "number of layers in a block"), P_NOISE}, COPIES},
    [LAG_OP_RANGE] = {"range", "Block range", "inserts copies of any block of layers at any place",
        "Du et al., arXiv 2405.15319 (which block, and where)",
        .params = {P_START, P_BLOCK(1, "number of layers in the block"),
                   P_AT("parent layer before which the copies go; -1: on top"), P_NOISE}, COPIES},
    [LAG_OP_PARTIAL_STACK] = {"partial_stack", "Partial stack", "repeats one block of layers in its place",
        "Du et al., arXiv 2405.15319 (partial stacking)",
        .params = {P_START, P_BLOCK(1, "number of layers in the block"),
                   {"repeat", 0, DEPTH, 0, "how often the block may stand in the result; 0: as often as needed", true},
                   P_NOISE}, COPIES},
    [LAG_OP_LLAMA_PRO] = {"llama_pro", "LLaMA-Pro", "inserts copies with zeroed output projections, evenly spread: the "
        "function is unchanged", "Wu et al. 2024, arXiv 2401.02415; Gesmundo & Maile, arXiv 2308.06103, Thm 3.6",
        .params = {P_EVERY, P_NOISE}, IDENTITIES},
    [LAG_OP_ZERO_STACK] = {"zero_stack", "Zero-init stack", "stacks copies whose output projections are zeroed: the "
        "function is unchanged", "Du et al., arXiv 2405.15319 (G_zero)", .params = {P_NOISE}, IDENTITIES},
    [LAG_OP_ZERO_TOP] = {"zero_top", "Zero-init top", "copies the last block on top with zeroed output projections: "
        "the function is unchanged", "Gesmundo & Maile, arXiv 2308.06103, Thm 3.6",
        .params = {P_BLOCK(1, "number of last layers copied in a round"), P_NOISE}, IDENTITIES},
    [LAG_OP_ZERO_RANDOM] = {"zero_random", "Zero-init random", "adds random layers with zeroed output projections: the "
        "function is unchanged", "Gesmundo & Maile, arXiv 2308.06103, Thm 3.6",
        .params = {P_AT("parent layer before which the new layers go; -1: on top")}, IDENTITIES},
    [LAG_OP_RANDOM] = {"random", "Random", "adds freshly initialised layers: the control",
        "Du et al., arXiv 2405.15319 (G_random); arXiv 2511.04981",
        .params = {P_AT("parent layer before which the new layers go; -1: on top")}, COPIES},
    [LAG_OP_INTERPOLATE] = {"interpolate", "Interpolate", "inserts layers that lie between two neighbours, the mean "
        "of both where one is between them: 0 ~ 1 ~ 2", "after Chang et al., ICLR 2018; see LESA, arXiv 2502.13794",
        .params = {P_NOISE}, COPIES},
    [LAG_OP_GATE_ZERO] = {"gate_zero", "Gate-zero copies", "inserts copies, evenly spread, each behind gates that are "
        "shut and trained: the function is unchanged, and the copies keep their weights",
        "Gate-Zero Growth (2026); after SkipInit, De & Smith 2020, and ReZero, Bachlechner et al. 2020",
        .params = {P_EVERY, P_NOISE}, BEGINS_ANEW, .function_preserving = true,
        .preserves = "always: the gates of a new layer are 0 at first", DEPTHS},
    [LAG_OP_MASKED_COPY] = {"masked_copy", "Masked copies", "inserts copies, evenly spread, each behind a mask that "
        "opens step by step: the function is unchanged at first",
        "after Yao et al., ICLR 2024 (MSG), arXiv 2305.02869", .params = {P_EVERY, P_RAMP, P_NOISE}, MASKED, DEPTHS},
    [LAG_OP_MASKED_RANDOM] = {"masked_random", "Masked random", "adds random layers behind a mask that opens step by "
        "step: the function is unchanged at first", "Yao et al., ICLR 2024 (MSG), arXiv 2305.02869",
        .params = {P_AT("parent layer before which the new layers go; -1: on top"), P_RAMP}, MASKED, DEPTHS},
    [LAG_OP_LIGO] = {"ligo", "LiGO (learned depth)", "makes each layer a mix of all layers, apart for each kind of "
        "tensor: the shares begin as a stack and are trained before the model is",
        "Wang et al., ICLR 2023, arXiv 2303.00980", .params = {P_LEARN(0.01)}, LEARNED, DEPTHS},
    [LAG_OP_CLONE_WIDTH] = {"clone_width", "Clone in width", "copies units of the residual stream, heads and FFN in "
        "turn, and lets readers take an even share of each copy: the function is unchanged",
        "Chen et al. 2016 (Net2Net); Shen et al. 2022 (staged training); Samragh et al., arXiv 2409.12903",
        .params = {P_PAIRS(0.5), P_MIX, P_FOLLOW}, CLONES},
    [LAG_OP_LEMON] = {"lemon", "LEMON", "copies units in turn, and lets readers take uneven shares of the copies: the "
        "function is unchanged, the copies part", "Wang et al., ICLR 2024, arXiv 2310.07999",
        .params = {{"split", 0.05, 0.95, 0.35, "share of the first of two copies; 0.5: even", false}, P_PAIRS(0),
                   P_MIX, P_FOLLOW}, CLONES},
    [LAG_OP_FPI] = {"fpi", "Net2Net (FPI)", "copies heads and FFN units drawn at random, and the residual stream in "
        "turn: the function is unchanged", "Chen et al. 2016; Chen et al., ACL 2022 (bert2BERT)",
        .params = {P_PAIRS(0.5), P_MIX, P_FOLLOW}, CLONES},
    [LAG_OP_AKI] = {"aki", "AKI", "as fpi, but copies are those of the layer above",
        "Chen et al., ACL 2022 (bert2BERT)", .params = {P_MIX}, GOES_ON, WIDTHS},
    [LAG_OP_CLONE_DIAGONAL] = {"clone_diagonal", "Clone, diagonal", "sets whole copies of the model side by side, "
        "which read nothing of each other: the function is unchanged; for whole multiples",
        "Shen et al. 2022 (staged training); Samragh et al., arXiv 2409.12903 (diagonal)",
        .params = {P_PAIRS(0.5), P_MIX, P_FOLLOW}, CLONES_OF("n_embd,n_head,n_inner")},
    [LAG_OP_ZERO_FANOUT] = {"zero_fanout", "Zero fan-out", "adds fresh heads, numbers of heads and FFN units that are "
        "read at zero, and a stream that norms make zero of: the function is unchanged",
        "Gesmundo & Maile, arXiv 2308.06103", BEGINS_ANEW, .function_preserving = true,
        .preserves = "always: what is new is read at zero, and norms make zero of the new part of the stream", WIDTHS},
    [LAG_OP_ZERO_BLOCK] = {"zero_block", "Zero block", "makes [[W, A], [0, C]] of each matrix, A and C fresh: what is "
        "new reads nothing of what is old", "Du et al., arXiv 2405.15319 (G_zero in width)", BEGINS_ANEW,
        WIDTHS},
    [LAG_OP_RANDOM_WIDTH] = {"random_width", "Random width", "fills all that is new by the rules of a fresh model: the "
        "control", "Du et al., arXiv 2405.15319 (G_random in width)", BEGINS_ANEW, WIDTHS},
    [LAG_OP_MASKED_WIDTH] = {"masked_width", "Masked width", "adds fresh heads and FFN units behind a mask that opens "
        "step by step: the function is unchanged at first", "Yao et al., ICLR 2024 (MSG), arXiv 2305.02869",
        .params = {P_RAMP}, MASKED, WIDTHS_OF("n_head,n_inner")},
    [LAG_OP_LIGO_WIDTH] = {"ligo_width", "LiGO (learned width)", "makes each unit a mix of all units of its kind: the "
        "maps begin as even copies and are trained before the model is", "Wang et al., ICLR 2023, arXiv 2303.00980",
        .params = {P_LEARN(0.001)}, LEARNED, WIDTHS},
    [LAG_OP_FUSE] = {"fuse", "Fusion", "sets models of several runs side by side, which read nothing of each other, "
        "and takes the mean of their logits: near that function, and equal to it for a model with itself",
        "Mazzawi et al., arXiv 2306.11903 (Deep Fusion)",
        .params = {{"lambda", 0, 1, 0.5, "share of the run's own logits; the parents have even parts of the rest",
                    false}}, GOES_ON, .takes_parents = true,
        WIDTHS_OF("n_embd,n_head,n_inner")},
    [LAG_OP_VOCAB_MEAN] = {"vocab_mean", "Vocabulary, mean", "appends tokens whose rows are the mean of all others, "
        "and so have the mean of their logits: the function stays near, by log(1 + new / old) at most",
        "Hewitt 2021 (rows of new tokens for pretrained models)",
        .params = {{"noise", 0, 10, 0, "fresh noise in the new rows, as a multiple of a fresh model's", false}},
        GOES_ON, .grows = LAG_GROWS_VOCAB, .axes = "vocab_size"},
    [LAG_OP_VOCAB_RANDOM] = {"vocab_random", "Vocabulary, random", "appends tokens with rows of a fresh model: the "
        "control", "Hewitt 2021 (what it is compared with)", GOES_ON, .grows = LAG_GROWS_VOCAB, .axes = "vocab_size"},
    [LAG_OP_CONTEXT_TILE] = {"context_tile", "Context, tiled", "appends positions whose rows are those of the first "
        "ones, again and again", "Beltagy et al., arXiv 2004.05150 (Longformer)", ENDS},
    [LAG_OP_CONTEXT_LAST] = {"context_last", "Context, last", "appends positions whose rows are that of the last one",
        "a control beside context_tile", ENDS},
    [LAG_OP_CONTEXT_STRETCH] = {"context_stretch", "Context, stretched", "appends positions whose rows lie between the "
        "old ones as they lie in the longer text",
        "after Chen et al., arXiv 2306.15595 (position interpolation)", ENDS},
    [LAG_OP_NONE] = {"none", "None", "does not grow: the reference", "Karp et al., arXiv 2406.02469",
        .function_preserving = true, .preserves = "always: it stays as it is", GOES_ON, .axes = ""},
};

const struct lag_operator *lag_operators(int *ret_n) {
    *ret_n = LAG_N_OPS;
    return operators;
}

const struct lag_operator *lag_operator_find(const char *name) {
    for (int i = 0; i < LAG_N_OPS; i++) {
        if (strcmp(operators[i].name, name) == 0) return &operators[i];
    }
    return NULL;
}
