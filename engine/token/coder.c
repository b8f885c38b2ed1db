/* Text to ids: added tokens first, then what stands between them is normalised, divided into words, and each word is
 * coded. Words that came before are remembered. */
#include "token/token_internal.h"
#include <lagd/base/check.h>
#include <lagd/base/error.h>
#include <lagd/base/mem.h>
#include <stdlib.h>
#include <string.h>

/* A word that came before, in a cache line: a text's words repeat, and its short ones are most of it. */
enum { N_KNOWN = 1 << 15, WORD_BYTES = 23, WORD_IDS = 9 };
struct known {
    uint64_t word[3]; /* its bytes, zeroes, and its length as the last byte; 0: free */
    uint32_t n;
    int32_t ids[WORD_IDS];
};

struct lag_coder {
    const struct lag_tokenizer *tokenizer;
    struct lag_splitter *splitter;
    struct lag_symbols *symbols;
    struct known *known; /* [N_KNOWN] */
    struct lag_strbuf normal;
    struct lag_ids *ids; /* of the call under way */
};

int lag_coder_create(const struct lag_tokenizer *tokenizer, struct lag_coder **ret, struct lag_error *err) {
    struct lag_coder *coder = lag_calloc(1, sizeof *coder);
    if (!coder) return lag_error_set(err, LAG_ENOMEM, "out of memory for a tokenizer");
    coder->tokenizer = tokenizer;
    coder->splitter = lag_splitter_create(tokenizer);
    coder->symbols = lag_symbols_create();
    coder->known = lag_block_alloc(N_KNOWN * sizeof *coder->known);
    if (!coder->splitter || !coder->symbols || !coder->known) {
        lag_coder_destroy(coder);
        return lag_error_set(err, LAG_ENOMEM, "out of memory for a tokenizer");
    }
    *ret = coder;
    return 0;
}

void lag_coder_destroy(struct lag_coder *coder) {
    if (!coder) return;
    lag_splitter_destroy(coder->splitter);
    lag_symbols_destroy(coder->symbols);
    if (coder->known) lag_block_free(coder->known, N_KNOWN * sizeof *coder->known);
    lag_strbuf_deinit(&coder->normal);
    free(coder);
}

/* --- words ------------------------------------------------------------------------------------------------------ */

/* n ≤ WORD_BYTES. Constant lengths become single instructions. */
static inline void pack(const char *word, size_t n, uint64_t ret[3]) {
    unsigned char bytes[24] = {0};
    if (n >= 16) {
        memcpy(bytes, word, 16);
        memcpy(bytes + n - 8, word + n - 8, 8);
    } else if (n >= 8) {
        memcpy(bytes, word, 8);
        memcpy(bytes + n - 8, word + n - 8, 8);
    } else if (n >= 4) {
        memcpy(bytes, word, 4);
        memcpy(bytes + n - 4, word + n - 4, 4);
    } else {
        for (size_t i = 0; i < n; i++) bytes[i] = (unsigned char)word[i];
    }
    bytes[23] = (unsigned char)n;
    memcpy(ret, bytes, 24);
}

static int code_word(struct lag_coder *coder, const char *word, size_t n, struct lag_error *err) {
    return coder->tokenizer->words ? lag_wordpiece_word(coder->tokenizer, word, n, coder->ids, err)
                                   : lag_bpe_word(coder->tokenizer, coder->symbols, word, n, coder->ids, err);
}

/* What may be known already. */
static int code_part(struct lag_coder *coder, const char *word, size_t n, struct lag_error *err) {
    struct lag_ids *ids = coder->ids;
    if (n > WORD_BYTES) return code_word(coder, word, n, err);
    uint64_t packed[3];
    pack(word, n, packed);
    uint64_t hash = (packed[0] ^ packed[1] * 0x9e3779b97f4a7c15u ^ packed[2] * 0xc2b2ae3d27d4eb4fu);
    hash *= 0xff51afd7ed558ccdu;
    struct known *known = &coder->known[hash >> 40 & (N_KNOWN - 1)];
    if (known->word[0] == packed[0] && known->word[1] == packed[1] && known->word[2] == packed[2]) {
        const int rc = ids->capacity - ids->n < WORD_IDS ? lag_ids_reserve(ids, WORD_IDS, err) : 0;
        if (rc != 0) return rc;
        memcpy(ids->at + ids->n, known->ids, sizeof known->ids); /* all of them: a constant length */
        ids->n += known->n;
        return 0;
    }
    const size_t before = ids->n;
    const int rc = code_word(coder, word, n, err);
    if (rc != 0 || ids->n - before > WORD_IDS) return rc;
    memcpy(known->word, packed, sizeof packed);
    known->n = (uint32_t)(ids->n - before);
    memcpy(known->ids, ids->at + before, known->n * sizeof *known->ids);
    return 0;
}

/* A long word, part by part. */
static int each_word(void *arg, const char *word, size_t n, struct lag_error *err) {
    struct lag_coder *coder = arg;
    if (n <= WORD_BYTES || !coder->tokenizer->seams.known) return code_part(coder, word, n, err);
    int rc = 0;
    for (size_t i = 0, length; rc == 0 && i < n; i += length) {
        length = lag_seams_next(coder->tokenizer, word + i, n - i);
        rc = code_part(coder, word + i, length, err);
    }
    return rc;
}

/* --- added tokens ----------------------------------------------------------------------------------------------- */

static int push_id(struct lag_ids *ids, int32_t id, struct lag_error *err) {
    const int rc = lag_ids_reserve(ids, 1, err);
    if (rc == 0) ids->at[ids->n++] = id;
    return rc;
}

static int code_plain(struct lag_coder *coder, bool normalized, const char *text, size_t n, struct lag_error *err);

static int code_between(struct lag_coder *coder, bool normalized, const char *text, size_t n, struct lag_error *err) {
    struct lag_found found;
    size_t done = 0, start = 0;
    int rc = 0;
    while (rc == 0 && lag_added_next(coder->tokenizer, normalized, text, n, start, done, &found)) {
        if (found.from > done) rc = code_plain(coder, normalized, text + done, found.from - done, err);
        if (rc == 0) rc = push_id(coder->ids, found.id, err);
        done = LAG_MAX(done, found.to);
        start = found.resume;
    }
    return rc == 0 && done < n ? code_plain(coder, normalized, text + done, n - done, err) : rc;
}

static int code_plain(struct lag_coder *coder, bool normalized, const char *text, size_t n, struct lag_error *err) {
    if (normalized) return lag_split_words(coder->splitter, text, n, each_word, coder, err);
    if (coder->tokenizer->n_normals == 0) return code_between(coder, true, text, n, err);
    const int rc = lag_normalize(coder->tokenizer, text, n, &coder->normal, err);
    return rc != 0 ? rc : code_between(coder, true, coder->normal.data ? coder->normal.data : "", coder->normal.length,
                                       err);
}

static int push_all(struct lag_ids *ids, const int32_t *at, size_t n, struct lag_error *err) {
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < n; i++) rc = push_id(ids, at[i], err);
    return rc;
}

int lag_encode(struct lag_coder *coder, const char *text, size_t n, bool special, struct lag_ids *ret,
               struct lag_error *err) {
    const struct lag_around *around = &coder->tokenizer->around;
    coder->ids = ret;
    int rc = special ? push_all(ret, around->before, around->n_before, err) : 0;
    if (rc == 0) rc = code_between(coder, false, text, n, err);
    if (rc == 0 && special) rc = push_all(ret, around->behind, around->n_behind, err);
    return rc;
}
