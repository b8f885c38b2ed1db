/* README.md of a model that is taken away: a model card. */
#include "resources/hf_internal.h"

#include "encode/tokenizer_internal.h"
#include "encode/words_internal.h"

#include <lagd/base/check.h>
#include <lagd/base/strbuf.h>
#include <inttypes.h>
#include <string.h>

static void words(struct lag_strbuf *out, const char *before, const char *text, const char *behind) {
    lag_strbuf_append(out, before);
    lagd_markdown_words(out, text);
    lag_strbuf_append(out, behind);
}

static void head(const struct lagd_hf_sheet *sheet, struct lag_strbuf *out) {
    const struct lagd_ancestry *l = sheet->ancestry;
    lag_strbuf_append(out, "---\nlibrary_name: transformers\npipeline_tag: text-generation\ntags:\n- gpt2\n- lagd\n"
                           "---\n\n");
    words(out, "# ", l->run.name, "");
    lag_strbuf_printf(out, ", step %" PRId64 "\n\n", sheet->checkpoint.step);
    lag_strbuf_printf(out, "A language model of the GPT-2 family, trained by lagd %s: %" PRId64 " layers, %" PRId64
                      " heads, width %" PRId64 ", context %" PRId64 ", vocabulary %" PRId64 "; weights in %s.\n",
                      LAGD_VERSION, sheet->checkpoint.shape.n_layer, sheet->checkpoint.shape.n_head,
                      sheet->checkpoint.shape.n_embd, sheet->checkpoint.shape.n_positions,
                      sheet->checkpoint.shape.vocab_size, sheet->dtype);
    words(out, "It was trained on the dataset ", sheet->dataset.name, "");
    lag_strbuf_printf(out, " (%s, SHA-256 `%s`).\n\n", sheet->dataset.format, sheet->dataset.sha256);
}

#define PROMPT "And "

/* transformers does not stop at the end of the context by itself: what is asked for has to fit. */
static void use(const struct lagd_hf_sheet *sheet, struct lag_strbuf *out) {
    const int64_t n_left = sheet->checkpoint.shape.n_positions - (int64_t)strlen(PROMPT);
    const int64_t n_new = LAG_MAX(INT64_C(1), LAG_MIN(INT64_C(100), n_left));
    lag_strbuf_append(out, "## Use\n\n");
    const enum lagd_hf_tokenizer tokenizer = lagd_hf_tokenizer(sheet);
    if (tokenizer == LAGD_HF_UNKNOWN) {
        words(out, "No tokenizer is among the files: the dataset holds ", sheet->dataset.format,
              " tokens, and lagd does not know what made them. Add the tokenizer's files to this folder, or give the "
              "model ids of tokens.\n\n");
        lag_strbuf_printf(out, "```python\nfrom transformers import AutoModelForCausalLM\nmodel = "
                          "AutoModelForCausalLM.from_pretrained(\"%s\")\n```\n\n", sheet->folder);
        return;
    }
    lag_strbuf_printf(out, "```python\nfrom transformers import pipeline\nwrite = pipeline(\"text-generation\", "
                      "model=\"%s\")\nprint(write(\"" PROMPT "\", max_new_tokens=%" PRId64
                      ")[0][\"generated_text\"])\n```\n\n", sheet->folder, n_new);
    if (tokenizer == LAGD_HF_BROUGHT) {
        words(out, "Its tokenizer is that of the model ", sheet->model.name, ", from which it began. ");
        lag_strbuf_printf(out, "It reads %" PRId64 " tokens: a text and what is written behind it must fit.\n\n",
                          sheet->checkpoint.shape.n_positions);
        return;
    }
    if (tokenizer == LAGD_HF_LENT) {
        words(out, "Its tokenizer is that of the model ", sheet->lender.name, ", which made the tokens that it was "
              "trained on. ");
        lag_strbuf_printf(out, "It reads %" PRId64 " tokens: a text and what is written behind it must fit.\n\n",
                          sheet->checkpoint.shape.n_positions);
        return;
    }
    if (tokenizer == LAGD_HF_STORED) {
        words(out, "Its tokenizer is ", sheet->tokenizer.name, ", which made the tokens that it was trained on. ");
        lag_strbuf_printf(out, "It reads %" PRId64 " tokens: a text and what is written behind it must fit.\n\n",
                          sheet->checkpoint.shape.n_positions);
        return;
    }
    lag_strbuf_append(out, "Its tokens are bytes: the id of a token is the byte, and no token ends a text. ");
    if (sheet->checkpoint.shape.vocab_size > LAGD_TOKENIZER_BYTES)
        lag_strbuf_printf(out, "The ids from %d on stand for nothing. ", LAGD_TOKENIZER_BYTES);
    lag_strbuf_printf(out, "It reads %" PRId64 " of them: a text and what is written behind it must fit.\n\n",
                      sheet->checkpoint.shape.n_positions);
}

static void stage(const struct lagd_stage_line *line, void *arg) {
    struct lag_strbuf *out = arg;
    lag_strbuf_printf(out, "| %" PRId64 " to %" PRId64 " | %" PRId64 " | %" PRId64 " | %" PRId64 " | %" PRId64 " | ",
                      line->from_step, line->to_step, line->shape.n_layer, line->shape.n_head, line->shape.n_embd,
                      line->n_params);
    if (*line->growth) words(out, "grown by ", line->tried->winner.strategy, " |\n");
    else lag_strbuf_append(out, "the first |\n");
}

static void lineage(const struct lagd_hf_sheet *sheet, struct lag_strbuf *out) {
    const struct lagd_ancestry *l = sheet->ancestry;
    const struct lagd_tried *tried = l->growths.rows;
    lag_strbuf_append(out, "## Lineage\n\n");
    if (*sheet->model.id) {
        words(out, "It began from the model ", sheet->model.name, "");
        lag_strbuf_printf(out, " of %" PRId64 " parameters.\n\n", sheet->model.n_params);
    }
    if (*l->origin.run) {
        words(out, "The run was forked from ", l->origin.run_name, "");
        lag_strbuf_printf(out, " at step %" PRId64 ".\n\n", l->origin.step);
    }
    lag_strbuf_append(out, "| steps | layers | heads | width | parameters | how |\n|---|---:|---:|---:|---:|---|\n");
    lagd_ancestry_stages(l, stage, out);
    for (size_t i = 0; i < l->growths.n; i++)
        if (*tried[i].decision.verdict) words(out, "\n- ", tried[i].decision.verdict, "\n");
    if (*sheet->candidate.id)
        words(out, "\nThese are the weights of a candidate on trial, not of the run: ", sheet->candidate.strategy,
              "\n");
    lag_strbuf_append(out, "\n`lagd_lineage.json` has all of it, with every decision.\n\n");
}

static void hashes(const struct lagd_hf_sheet *sheet, struct lag_strbuf *out) {
    const struct lag_checkpoint_file_row *rows = sheet->files.rows;
    lag_strbuf_printf(out, "## Made of\n\nCheckpoint `%s` (%s), whose files have these hashes:\n\n| file | SHA-256 |\n"
                      "|---|---|\n", sheet->checkpoint.id, sheet->checkpoint.kind);
    for (size_t i = 0; i < sheet->files.n; i++)
        lag_strbuf_printf(out, "| %s | `%s` |\n", rows[i].name, rows[i].sha256);
    lag_strbuf_append(out, strcmp(sheet->dtype, "f32") == 0
                               ? "\nmodel.safetensors here is that file, to the last byte.\n"
                               : "\nEach number of model.safetensors here is the nearest to that file's.\n");
}

void lagd_hf_write_card(const struct lagd_hf_sheet *sheet, struct lag_strbuf *out) {
    head(sheet, out);
    use(sheet, out);
    lineage(sheet, out);
    hashes(sheet, out);
}
