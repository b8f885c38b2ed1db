/* The tokenizer of byte-level text in Hugging Face's files: a byte-level BPE without merges, in which each byte is a
 * token and the token's id is the byte. Pure. */
#pragma once
#include <lagd/base/strbuf.h>
#include <stdbool.h>
#include <stdint.h>

#define LAGD_TOKENIZER_BYTES 256

/* The printable character that stands for a byte in such files (the table of GPT-2's encoder), as UTF-8. */
void lagd_byte_character(unsigned byte, char ret[4]);
/* tokenizer.json; out is empty, as in the others. */
void lagd_write_tokenizer(struct lag_strbuf *out);
/* tokenizer_config.json. n_positions: how many tokens the model reads at most; bos, eos: "" for none. */
void lagd_write_tokenizer_config(struct lag_strbuf *out, int64_t n_positions, const char *bos, const char *eos);
/* generation_config.json: ids of the tokens for the beginning and the end of a text, -1 for none. */
void lagd_write_generation_config(struct lag_strbuf *out, int64_t bos, int64_t eos);
