/* Ids to text: the tokens' texts go through the decoder's parts, one list of pieces after the other. */
#include "token/token_internal.h"
#include <lagd/base/check.h>
#include <lagd/base/error.h>
#include <lagd/base/mem.h>
#include <stdlib.h>
#include <string.h>

struct pieces {
    struct lag_strbuf bytes;
    size_t *ends; /* [n] */
    size_t n, capacity;
    bool failed;
};

static void end_piece(struct pieces *pieces) {
    if (lag_grow_array((void **)&pieces->ends, &pieces->capacity, pieces->n + 1, sizeof *pieces->ends) != 0)
        pieces->failed = true;
    else pieces->ends[pieces->n++] = pieces->bytes.length;
}

static struct lag_span piece_at(const struct pieces *pieces, size_t i) {
    const size_t begin = i > 0 ? pieces->ends[i - 1] : 0;
    return (struct lag_span){pieces->bytes.data ? pieces->bytes.data + begin : "", pieces->ends[i] - begin};
}

static void deinit(struct pieces *pieces) {
    lag_strbuf_deinit(&pieces->bytes);
    free(pieces->ends);
}

/* --- the parts -------------------------------------------------------------------------------------------------- */

/* Of a byte-level tokenizer the pieces are bytes already. */
static void decode_bytes(bool byte_level, struct lag_span piece, struct pieces *out) {
    if (byte_level || !lag_bytes_of_letters(piece.at, piece.n, &out->bytes))
        lag_strbuf_append_n(&out->bytes, piece.at, piece.n);
}

static int hex_of(char c) { return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1; }

/* The byte of <0xAB>, -1: it is no such piece. */
static int byte_of(struct lag_span piece) {
    if (piece.n != 6 || memcmp(piece.at, "<0x", 3) != 0 || piece.at[5] != '>') return -1;
    const int high = hex_of(piece.at[3]), low = hex_of(piece.at[4]);
    return high < 0 || low < 0 ? -1 : high * 16 + low;
}

static void decode_fallback(struct lag_span piece, struct pieces *out) {
    const int byte = byte_of(piece);
    const char b = (char)byte;
    if (byte >= 0) lag_strbuf_append_n(&out->bytes, &b, 1);
    else lag_strbuf_append_n(&out->bytes, piece.at, piece.n);
}

static void decode_strip(const struct lag_decode_part *part, struct lag_span piece, struct pieces *out) {
    const size_t length = strlen(part->text);
    for (size_t i = 0; i < part->start && piece.n >= length && memcmp(piece.at, part->text, length) == 0; i++) {
        piece.at += length;
        piece.n -= length;
    }
    for (size_t i = 0; i < part->stop && piece.n >= length; i++) {
        if (memcmp(piece.at + piece.n - length, part->text, length) != 0) break;
        piece.n -= length;
    }
    lag_strbuf_append_n(&out->bytes, piece.at, piece.n);
}

static int tidy(struct lag_span piece, struct lag_strbuf *out, struct lag_error *err) {
    static const char *const pairs[][2] = {{" .", "."},     {" ?", "?"},          {" !", "!"},     {" ,", ","},
                                           {" ' ", "'"},    {" n't", "n't"},      {" 'm", "'m"},   {" do not",
                                                                                                    " don't"},
                                           {" 's", "'s"},   {" 've", "'ve"},      {" 're", "'re"}};
    struct lag_strbuf from = LAG_STRBUF_INIT, to = LAG_STRBUF_INIT;
    lag_strbuf_append_n(&from, piece.at, piece.n);
    int rc = from.failed ? lag_error_set(err, LAG_ENOMEM, "out of memory for a text") : 0;
    for (size_t i = 0; rc == 0 && i < LAG_COUNT(pairs); i++) {
        lag_strbuf_clear(&to);
        rc = lag_replace(NULL, pairs[i][0], pairs[i][1], from.data, from.length, &to, err);
        const struct lag_strbuf swap = from;
        from = to;
        to = swap;
        if (from.failed) rc = lag_error_set(err, LAG_ENOMEM, "out of memory for a text");
    }
    if (rc == 0) lag_strbuf_append_n(out, from.data ? from.data : "", from.length);
    lag_strbuf_deinit(&from);
    lag_strbuf_deinit(&to);
    return rc;
}

static int decode_words(const struct lag_decode_part *part, struct lag_span piece, bool first, struct pieces *out,
                        struct lag_error *err) {
    const size_t length = strlen(part->text);
    struct lag_strbuf word = LAG_STRBUF_INIT;
    const bool goes_on = piece.n >= length && memcmp(piece.at, part->text, length) == 0;
    if (!first && goes_on) piece = (struct lag_span){piece.at + length, piece.n - length};
    else if (!first) lag_strbuf_append(&word, " ");
    lag_strbuf_append_n(&word, piece.at, piece.n);
    int rc = word.failed ? lag_error_set(err, LAG_ENOMEM, "out of memory for a text") : 0;
    if (rc == 0 && part->cleanup) rc = tidy((struct lag_span){word.data, word.length}, &out->bytes, err);
    else if (rc == 0) lag_strbuf_append_n(&out->bytes, word.data, word.length);
    lag_strbuf_deinit(&word);
    return rc;
}

static int decode_piece(const struct lag_tokenizer *tokenizer, const struct lag_decode_part *part,
                        struct lag_span piece, bool first, struct pieces *out, struct lag_error *err) {
    switch (part->kind) {
    case LAG_DECODE_BYTES: decode_bytes(tokenizer->byte_level, piece, out); return 0;
    case LAG_DECODE_FALLBACK: decode_fallback(piece, out); return 0;
    case LAG_DECODE_STRIP: decode_strip(part, piece, out); return 0;
    case LAG_DECODE_WORDS: return decode_words(part, piece, first, out, err);
    case LAG_DECODE_REPLACE:
        return lag_replace(part->regex, part->text, part->content, piece.at, piece.n, &out->bytes, err);
    case LAG_DECODE_FUSE: break;
    }
    lag_strbuf_append_n(&out->bytes, piece.at, piece.n);
    return 0;
}

/* Bytes that follow each other are one piece, as is all behind a fusion. */
static bool ends_here(const struct lag_decode_part *part, const struct pieces *from, size_t i) {
    if (i + 1 == from->n) return true;
    if (part->kind == LAG_DECODE_FUSE || part->kind == LAG_DECODE_BYTES) return false;
    return part->kind != LAG_DECODE_FALLBACK || byte_of(piece_at(from, i)) < 0 || byte_of(piece_at(from, i + 1)) < 0;
}

static int run_decoder(const struct lag_tokenizer *tokenizer, struct pieces *pieces, struct lag_error *err) {
    int rc = 0;
    for (size_t p = 0; rc == 0 && p < tokenizer->n_decodes; p++) {
        const struct lag_decode_part *part = &tokenizer->decodes[p];
        struct pieces out = {0};
        for (size_t i = 0; rc == 0 && i < pieces->n; i++) {
            rc = decode_piece(tokenizer, part, piece_at(pieces, i), i == 0, &out, err);
            if (ends_here(part, pieces, i)) end_piece(&out);
        }
        deinit(pieces);
        *pieces = out;
        if (pieces->failed || pieces->bytes.failed) break;
    }
    if (rc == 0 && (pieces->failed || pieces->bytes.failed))
        rc = lag_error_set(err, LAG_ENOMEM, "out of memory for a text");
    return rc;
}

int lag_decode(const struct lag_tokenizer *tokenizer, const int32_t *ids, size_t n, bool skip_special,
               struct lag_strbuf *out, struct lag_error *err) {
    struct pieces pieces = {0};
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < n; i++) {
        const struct lag_added *added = lag_tokenizer_added(tokenizer, ids[i]);
        const struct lag_span bytes = lag_tokenizer_bytes(tokenizer, ids[i]);
        if (bytes.n == LAG_NO_TOKEN)
            rc = lag_error_set(err, LAG_EINVAL, "no token has the id %d: ids are below %zu", ids[i], tokenizer->size);
        if (rc != 0 || (added && added->special && skip_special)) continue;
        const bool apart = tokenizer->n_decodes == 0 && !tokenizer->byte_level && pieces.n > 0;
        if (apart) lag_strbuf_append(&pieces.bytes, " "); /* without a decoder, as the library does it */
        lag_strbuf_append_n(&pieces.bytes, bytes.at, bytes.n);
        end_piece(&pieces);
    }
    if (rc == 0) rc = run_decoder(tokenizer, &pieces, err);
    if (rc == 0) lag_strbuf_append_n(out, pieces.bytes.data ? pieces.bytes.data : "", pieces.bytes.length);
    deinit(&pieces);
    return rc == 0 && out->failed ? lag_error_set(err, LAG_ENOMEM, "out of memory for a text") : rc;
}
