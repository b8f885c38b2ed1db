/* The tables of what is asked beside runs and growths: a dataset, a model, a sample of text. */
#include <lagd/base/check.h>
#include <lagd/base/parse.h>
#include <lagd/daemon/commands.h>
#include <lagd/engine/data.h>
#include <lagd/engine/spec.h>
#include <lagd/engine/train.h>

static const struct lag_field dataset_rows[] = {
    {"name", LAG_FIELD_TEXT, LAG_FIELD_AT(struct lagd_dataset_add, name), 1, LAG_NAME_MAX, NULL, NULL,
     LAG_FIELD_REQUIRED, "", "Name of the dataset: letters, digits, '.', '_' and '-'."},
    {"path", LAG_FIELD_TEXT, LAG_FIELD_AT(struct lagd_dataset_add, path), 1, LAG_ROW_PATH - 1, NULL, NULL,
     LAG_FIELD_REQUIRED, "", "File below one of storage/dataset_roots; relative to it, or absolute."},
    {"format", LAG_FIELD_CHOICE, LAG_FIELD_AT(struct lagd_dataset_add, format), 0, 0, "auto", lag_token_format_choices,
     0, "", "How the file is read; auto recognises it."},
    {"vocab_size", LAG_FIELD_INT, LAG_FIELD_AT(struct lagd_dataset_add, vocab_size), 0, LAG_MAX_VOCAB, "0", NULL, 0,
     "tokens", "Vocabulary of a token file; 0 for the largest token found, plus one."},
};
const struct lag_fields lagd_dataset_fields = {dataset_rows, LAG_COUNT(dataset_rows)};

static const struct lag_field model_rows[] = {
    {"name", LAG_FIELD_TEXT, LAG_FIELD_AT(struct lagd_model_add, name), 1, LAG_NAME_MAX, NULL, NULL,
     LAG_FIELD_REQUIRED, "", "Name of the model: letters, digits, '.', '_' and '-'."},
    {"path", LAG_FIELD_TEXT, LAG_FIELD_AT(struct lagd_model_add, path), 1, LAG_ROW_PATH - 1, NULL, NULL,
     LAG_FIELD_REQUIRED, "", "Folder below one of storage/dataset_roots that save_pretrained() has written; relative "
     "to it, or absolute."},
};
const struct lag_fields lagd_model_fields = {model_rows, LAG_COUNT(model_rows)};

#define GENERATE(member) LAG_FIELD_AT(struct lagd_generate_request, member)
static const struct lag_field generate_rows[] = {
    {"n_tokens", LAG_FIELD_INT, GENERATE(n_tokens), 1, LAG_SAMPLE_TOKENS_MAX, "100", NULL, 0, "tokens",
     "Tokens to write."},
    {"temperature", LAG_FIELD_REAL, GENERATE(temperature), 0, LAG_SAMPLE_TEMPERATURE_MAX, "0.8", NULL, 0, "",
     "0 always takes the likeliest token."},
    {"top_k", LAG_FIELD_INT, GENERATE(top_k), 0, LAG_MAX_VOCAB, "0", NULL, 0, "tokens",
     "Draw from the k likeliest tokens only; 0 for all."},
    {"seed", LAG_FIELD_INT, GENERATE(seed), 0, LAG_FIELD_EXACT_MAX, "0", NULL, 0, "",
     "The same seed gives the same text."},
};
const struct lag_fields lagd_generate_fields = {generate_rows, LAG_COUNT(generate_rows)};
