/* Whether a number means the same token in two datasets. Thread: any with its own connection. */
#pragma once
#include <lagd/storage/rows.h>
#include <stdbool.h>
struct lag_db;

/* false: tokenizers of lagd's made both, and neither of them goes on from the other one, nor are they the same file.
 * What is not known is taken to be right. */
bool lagd_tokens_agree(struct lag_db *db, const struct lag_dataset_row *a, const struct lag_dataset_row *b);
