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
