/* The tables of what is asked beside runs and growths: a dataset, a model, a sample of text. */
#include <lagd/base/check.h>
#include <lagd/base/parse.h>
#include <lagd/daemon/commands.h>
#include <lagd/engine/data.h>
#include <lagd/engine/spec.h>
#include <lagd/engine/tokenize.h>
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
    {"tokenizer", LAG_FIELD_TEXT, LAG_FIELD_AT(struct lagd_dataset_add, tokenizer), 0, LAG_ROW_NAME - 1, "", NULL, 0,
     "", "Id or name of the tokenizer, or of a model that came with one, that makes tokens of the text; the file is "
     "then a text, and the tokens are kept by lagd."},
    {"documents/kind", LAG_FIELD_CHOICE, LAG_FIELD_AT(struct lagd_dataset_add, documents), 0, 0, "none",
     lag_documents_names, 0, "", "What a document of the text is, for a tokenizer, whose token for the end of a text "
     "stands before each: all of it; a line; what is between empty lines, or between separators; a member of the JSON "
     "object in each line."},
    {"documents/field", LAG_FIELD_TEXT, LAG_FIELD_AT(struct lagd_dataset_add, document_field), 0, 63, "", NULL, 0, "",
     "The separator; of jsonl the member (text when it is left out)."},
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

#define TOKENIZER(member) LAG_FIELD_AT(struct lagd_tokenizer_add, member)
static const struct lag_field tokenizer_rows[] = {
    {"name", LAG_FIELD_TEXT, TOKENIZER(name), 1, LAG_NAME_MAX, NULL, NULL, LAG_FIELD_REQUIRED, "",
     "Name of the tokenizer: letters, digits, '.', '_' and '-'."},
    {"path", LAG_FIELD_TEXT, TOKENIZER(path), 0, LAG_ROW_PATH - 1, "", NULL, 0, "",
     "File below one of storage/dataset_roots (tokenizer.json, vocab.json beside merges.txt, or vocab.txt), or a "
     "folder with such; relative to it, or absolute. Without it one is trained."},
    {"train/dataset", LAG_FIELD_TEXT, TOKENIZER(dataset), 0, LAG_ROW_NAME - 1, "", NULL, 0, "",
     "Id or name of the dataset of text whose words it learns."},
    {"train/vocab_size", LAG_FIELD_INT, TOKENIZER(vocab_size), 0, LAG_MAX_VOCAB, "8192", NULL, 0, "tokens",
     "How many tokens it is to have; fewer where the text has no more."},
    {"train/pattern", LAG_FIELD_TEXT, TOKENIZER(pattern), 1, sizeof(((struct lagd_tokenizer_add *)0)->pattern) - 1,
     "gpt2", NULL, 0, "", "How words are found: gpt2, llama3, qwen2, or a regular expression."},
    {"train/specials", LAG_FIELD_LIST, TOKENIZER(specials), 0, 0, "<|endoftext|>", NULL, 0, "",
     "Special tokens, which are found before words are; they get the first ids."},
};
const struct lag_fields lagd_tokenizer_fields = {tokenizer_rows, LAG_COUNT(tokenizer_rows)};

static const struct lag_field extend_rows[] = {
    {"name", LAG_FIELD_TEXT, TOKENIZER(name), 1, LAG_NAME_MAX, NULL, NULL, LAG_FIELD_REQUIRED, "",
     "Name of the new tokenizer, whose first ids are those of the old one."},
    {"dataset", LAG_FIELD_TEXT, TOKENIZER(dataset), 1, LAG_ROW_NAME - 1, NULL, NULL, LAG_FIELD_REQUIRED, "",
     "Id or name of the dataset of text whose words it learns."},
    {"vocab_size", LAG_FIELD_INT, TOKENIZER(vocab_size), 1, LAG_MAX_VOCAB, NULL, NULL, LAG_FIELD_REQUIRED, "tokens",
     "How many tokens it is to have, those of the old one included."},
};
const struct lag_fields lagd_tokenizer_extend_fields = {extend_rows, LAG_COUNT(extend_rows)};

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
