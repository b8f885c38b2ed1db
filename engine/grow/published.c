/* Strategies as published: which operator their authors used, and how they trained on. Blocks and places are those that
 * fit any parent. */
#include "grow/grow_internal.h"
#include <lagd/base/check.h>
#include <string.h>

static const struct lag_published published[] = {
    {"stackbert", "StackBERT", "stacks the whole model; the optimiser begins afresh, the learning rate goes on",
     "Gong et al., ICML 2019; the released code's --reset-optimizer", "stack optimizer=reset lr=continue"},
    {"g_stack", "G_stack", "stacks the whole model; optimiser and schedule begin afresh, warm-up included",
     "Du et al., arXiv 2405.15319", "stack optimizer=reset lr=restart"},
    {"g_zero", "G_zero", "stacks copies that begin as identities; optimiser and schedule begin afresh",
     "Du et al., arXiv 2405.15319", "zero_stack optimizer=reset lr=restart"},
    {"midas", "MIDAS", "copies the middle block; copies go on with the moments of their sources, the schedule goes on",
     "Saunshi et al., arXiv 2409.19044; the optimiser's rule as re-implementations have it",
     "midas block=1 optimizer=inherit lr=continue"},
    {"llama_pro_frozen", "LLaMA-Pro", "inserts identities and trains these alone, for good, with a fresh optimiser and "
     "schedule", "Wu et al. 2024, arXiv 2401.02415", "llama_pro every=1 optimizer=reset lr=restart freeze_old=keep"},
    {"msg", "MSG", "adds random layers behind a mask that opens in 5000 steps; old parts keep their moments, the "
     "schedule goes back to its peak", "Yao et al., ICLR 2024, arXiv 2305.02869; the released code's grow_time",
     "masked_random ramp_steps=5000 optimizer=reset_new lr=restart"},
    {"msg_width", "MSG, width", "adds fresh heads and FFN units behind a mask that opens in 5000 steps; old parts keep "
     "their moments, the schedule goes back to its peak", "Yao et al., ICLR 2024, arXiv 2305.02869; the released "
     "code's grow_time", "masked_width ramp_steps=5000 optimizer=reset_new lr=restart"},
    {"bert2bert", "bert2BERT (AKI)", "widens by copies of the layer above; optimiser and schedule begin afresh",
     "Chen et al., ACL 2022 (bert2BERT)", "aki optimizer=reset lr=restart"},
    {"lemon_restart", "LEMON", "widens by copies that are read in uneven shares; optimiser and schedule begin afresh, "
     "with the peak learning rate of a fresh model", "Wang et al., ICLR 2024, arXiv 2310.07999",
     "lemon optimizer=reset lr=restart"},
    {"hypercloning", "HyperCloning", "clones all units evenly, without noise; optimiser and schedule begin afresh",
     "Samragh et al., arXiv 2409.12903", "clone_width noise=0 optimizer=reset lr=restart"},
    {"sparkling", "SPARKLING", "clones all units; only what is new forgets its moments and warms up again",
     "arXiv 2602.02472", "clone_width optimizer=reset_new lr=rewarm_new"},
    {"staged_width", "Staged training, width", "sets whole copies side by side with grown moments; the learning rate "
     "warms up again", "Shen et al. 2022, arXiv 2203.06211",
     "clone_diagonal noise=0 optimizer=inherit lr=rewarm rewarm_steps=150"},
    {"g_zero_width", "G_zero, width", "adds fresh units that read nothing of what is old; optimiser and schedule begin "
     "afresh", "Du et al., arXiv 2405.15319", "zero_block optimizer=reset lr=restart"},
    {"bert2bert_both", "bert2BERT, both ways", "stacks the model and widens it by copies of the layer above; optimiser "
     "and schedule begin afresh", "Chen et al., ACL 2022 (bert2BERT)", "stack with=aki optimizer=reset lr=restart"},
    {"lemon_both", "LEMON, both ways", "inserts identities and widens by copies that are read in uneven shares; "
     "optimiser and schedule begin afresh", "Wang et al., ICLR 2024, arXiv 2310.07999",
     "llama_pro every=1 with=lemon optimizer=reset lr=restart"},
    {"staged_both", "Staged training, both ways", "puts each layer's copy behind it and sets whole copies side by "
     "side, with grown moments; the learning rate warms up again", "Shen et al. 2022, arXiv 2203.06211",
     "interleave with=clone_diagonal noise=0 optimizer=inherit lr=rewarm rewarm_steps=150"},
    {"ligo_restart", "LiGO", "learns in 100 steps how each layer mixes all layers; optimiser and schedule begin afresh",
     "Wang et al., ICLR 2023, arXiv 2303.00980", "ligo steps=100 optimizer=reset lr=restart"},
    {"ligo_width_restart", "LiGO, width", "learns in 100 steps how each unit mixes all units of its kind; optimiser "
     "and schedule begin afresh", "Wang et al., ICLR 2023, arXiv 2303.00980",
     "ligo_width steps=100 optimizer=reset lr=restart"},
    {"ligo_both", "LiGO, both ways", "learns in 100 steps how layers mix layers and units mix units; optimiser and "
     "schedule begin afresh", "Wang et al., ICLR 2023, arXiv 2303.00980",
     "ligo steps=100 with=ligo_width steps=100 optimizer=reset lr=restart"},
};

const struct lag_published *lag_published_list(int *ret_n) {
    *ret_n = LAG_COUNT(published);
    return published;
}

const struct lag_published *lag_published_find(const char *name) {
    for (size_t i = 0; i < LAG_COUNT(published); i++)
        if (strcmp(published[i].name, name) == 0) return &published[i];
    return NULL;
}
