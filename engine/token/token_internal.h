/* What the parts of token/ share: the parts of a tokenizer, as tokenizer.json names them. */
#pragma once
#include <lagd/base/strbuf.h>
#include <lagd/engine/token.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { LAG_TOKEN_NONE = -1, LAG_N_BYTES = 256 };

/* A part of a text; borrowed. */
struct lag_span {
    const char *at;
    size_t n;
};

/* --- vocab.c: ids and their bytes ------------------------------------------------------------------------------- */

struct lag_vocab {
    char *bytes;              /* of all tokens, one behind the other */
    size_t n_bytes, bytes_capacity;
    uint32_t *starts, *lengths; /* [n_ids]; a length of LAG_NO_TOKEN: nothing has this id */
    size_t n_ids, capacity;
    uint32_t *slots;          /* [n_slots] of id + 1, a power of two, by the tokens' hash */
    size_t n_slots, n_tokens;
    uint8_t *hidden;          /* bits [n_ids]: the id has bytes, but no text gives it */
    size_t hidden_capacity;
};
#define LAG_NO_TOKEN UINT32_MAX
uint64_t lag_token_hash(const char *bytes, size_t n);
void lag_vocab_deinit(struct lag_vocab *vocab);
/* findable: lag_vocab_find gives it. LAG_EEXIST: the token or the id is there already; nothing changed. */
int lag_vocab_add(struct lag_vocab *vocab, const char *bytes, size_t n, int64_t id, bool findable,
                  struct lag_error *err);
static inline bool lag_vocab_hides(const struct lag_vocab *vocab, int64_t id) {
    return vocab->hidden[id / 8] >> id % 8 & 1;
}
/* Its id, or LAG_TOKEN_NONE. */
int32_t lag_vocab_find(const struct lag_vocab *vocab, const char *bytes, size_t n);
/* n is LAG_NO_TOKEN where nothing has the id. */
struct lag_span lag_vocab_at(const struct lag_vocab *vocab, int64_t id);

/* --- merges.c: pairs of ids, and what they become --------------------------------------------------------------- */

struct lag_merge {
    int32_t left, right;
    uint32_t rank; /* smaller goes first */
    int32_t id;    /* of both together; LAG_TOKEN_NONE: the slot is free */
};
struct lag_merges {
    struct lag_merge *slots; /* [n_slots], a power of two */
    size_t n_slots, n;
};
void lag_merges_deinit(struct lag_merges *merges);
/* A pair that is there already takes the later rank, as the library does it. */
int lag_merges_add(struct lag_merges *merges, int32_t left, int32_t right, uint32_t rank, int32_t id,
                   struct lag_error *err);
/* NULL: they stay two. */
const struct lag_merge *lag_merges_find(const struct lag_merges *merges, int32_t left, int32_t right);

/* --- seams.c: between which letters no merge goes --------------------------------------------------------------- */

struct lag_seams {
    bool known;       /* false: a word is coded as a whole */
    uint64_t low[LAG_N_BYTES * LAG_N_BYTES / 64]; /* bits by left * 256 + right: a merge brings the letters together */
    uint64_t *slots;  /* [n_slots], a power of two, of left << 32 | right for letters above; 0: free */
    size_t n_slots, n;
};
void lag_seams_deinit(struct lag_seams *seams);

/* --- unicode.c: code points and their classes ------------------------------------------------------------------- */

enum lag_class { /* bits */
    LAG_LETTER = 1,  /* \p{L} */
    LAG_NUMBER = 2,  /* \p{N} */
    LAG_SPACE = 4,   /* \s */
    LAG_MARK = 8,    /* \p{M} */
    LAG_PUNCTUATION = 16, /* \p{P} */
    LAG_CONTROL = 32, /* \p{C} without those that are assigned to nothing */
    LAG_CONNECTOR = 64, /* \p{Pc} */
    LAG_NONSPACING = 128, /* \p{Mn} */
};
#define LAG_WORD (LAG_LETTER | LAG_NUMBER | LAG_MARK | LAG_CONNECTOR)
/* [0x110000]; made by the first call, then constant. Thread: any. */
const uint8_t *lag_classes(void);
/* Reads one code point; a byte that begins none is -1 and 1 long. n ≥ 1. */
static inline size_t lag_utf8_next(const char *text, size_t n, int32_t *ret) {
    const unsigned char *b = (const unsigned char *)text;
    *ret = -1;
    if (b[0] < 0x80) {
        *ret = b[0];
        return 1;
    }
    if (b[0] < 0xc2 || b[0] > 0xf4 || n < 2 || (b[1] & 0xc0) != 0x80) return 1;
    if (b[0] < 0xe0) {
        *ret = (b[0] & 0x1f) << 6 | (b[1] & 0x3f);
        return 2;
    }
    if (n < 3 || (b[2] & 0xc0) != 0x80) return 1;
    if (b[0] < 0xf0) {
        const int32_t c = (b[0] & 0x0f) << 12 | (b[1] & 0x3f) << 6 | (b[2] & 0x3f);
        if (c < 0x800 || (c >= 0xd800 && c < 0xe000)) return 1;
        *ret = c;
        return 3;
    }
    if (n < 4 || (b[3] & 0xc0) != 0x80) return 1;
    const int32_t c = (b[0] & 0x07) << 18 | (b[1] & 0x3f) << 12 | (b[2] & 0x3f) << 6 | (b[3] & 0x3f);
    if (c < 0x10000 || c > 0x10ffff) return 1;
    *ret = c;
    return 4;
}
static inline unsigned lag_class_of(const uint8_t *classes, int32_t c) { return c < 0 ? 0 : classes[c]; }
/* Bytes written, 1 to 4. */
size_t lag_utf8_put(int32_t c, char ret[4]);
/* How many bytes of the text, from its beginning on, are UTF-8. */
size_t lag_utf8_valid(const char *text, size_t n);
/* How many bytes of the text, from its beginning on, are not. */
size_t lag_utf8_invalid(const char *text, size_t n);

/* --- bytes.c: bytes as letters, GPT-2's way --------------------------------------------------------------------- */

/* The code point that stands for the byte in tokenizer.json. */
int32_t lag_byte_letter(unsigned byte);
/* The bytes that the letters of the text stand for; false: one of them stands for none, and out is as before. */
bool lag_bytes_of_letters(const char *text, size_t n, struct lag_strbuf *out);
void lag_letters_of_bytes(const char *bytes, size_t n, struct lag_strbuf *out);

/* --- scan.c: words by the patterns that are known --------------------------------------------------------------- */

enum lag_pattern { LAG_PATTERN_GPT2, LAG_PATTERN_LLAMA3, LAG_PATTERN_QWEN2, LAG_N_PATTERNS };
extern const struct lag_pattern_row {
    const char *name, *regex;
} lag_patterns[LAG_N_PATTERNS];
/* The length of the first word, 1 to n. n ≥ 1. */
size_t lag_scan_word(enum lag_pattern pattern, const uint8_t *classes, const char *text, size_t n);

/* --- regex.c: other patterns ------------------------------------------------------------------------------------ */

struct lag_regex; /* pcre2_code */
int lag_regex_create(const char *pattern, size_t n, struct lag_regex **ret, struct lag_error *err);
void lag_regex_destroy(struct lag_regex *regex);
struct lag_regex_match; /* memory of one thread */
struct lag_regex_match *lag_regex_match_create(const struct lag_regex *regex); /* NULL: out of memory */
void lag_regex_match_destroy(struct lag_regex_match *match);
/* The first match from start on in a text that is UTF-8. 1: there is one, 0: none. */
int lag_regex_find(const struct lag_regex *regex, struct lag_regex_match *match, const char *text, size_t n,
                   size_t start, size_t *ret_from, size_t *ret_to, struct lag_error *err);

/* --- what a tokenizer consists of ------------------------------------------------------------------------------- */

enum lag_normal_kind { LAG_NORMAL_NFC, LAG_NORMAL_PREPEND, LAG_NORMAL_REPLACE, LAG_NORMAL_BERT };
struct lag_normal {
    enum lag_normal_kind kind;
    char *text, *content;      /* PREPEND, REPLACE: what, by what. owned */
    struct lag_regex *regex;   /* REPLACE with a pattern. owned */
    bool clean, chinese, strip, lower; /* BERT */
};
enum lag_split_kind { LAG_SPLIT_KNOWN, LAG_SPLIT_REGEX, LAG_SPLIT_TEXT, LAG_SPLIT_DIGITS, LAG_SPLIT_PREFIX,
                      LAG_SPLIT_BERT };
enum lag_behaviour { LAG_REMOVED, LAG_ISOLATED, LAG_WITH_PREVIOUS, LAG_WITH_NEXT, LAG_CONTIGUOUS };
struct lag_split {
    enum lag_split_kind kind;
    enum lag_pattern pattern;  /* KNOWN */
    struct lag_regex *regex;   /* REGEX. owned */
    char *text;                /* TEXT; REGEX and KNOWN: its pattern. owned, or NULL */
    enum lag_behaviour behaviour;
    bool invert, individual;
};
enum lag_decode_kind { LAG_DECODE_BYTES, LAG_DECODE_REPLACE, LAG_DECODE_FALLBACK, LAG_DECODE_FUSE, LAG_DECODE_STRIP,
                       LAG_DECODE_WORDS };
struct lag_decode_part {
    enum lag_decode_kind kind;
    char *text, *content;      /* owned */
    struct lag_regex *regex;   /* owned */
    size_t start, stop;        /* STRIP */
    bool cleanup;              /* WORDS */
};
struct lag_added {
    char *text, *search;       /* as it is written, as it is looked for; owned */
    size_t n, n_search;
    int32_t id;
    bool special, normalized, lstrip, rstrip, single_word;
};
/* What the post-processor puts before and behind a text. */
struct lag_around {
    int32_t *before, *behind;  /* owned */
    size_t n_before, n_behind;
};
#define LAG_PARTS_MAX 32
struct lag_tokenizer {
    struct lag_vocab vocab;
    struct lag_merges merges;
    struct lag_seams seams;
    bool words;                /* WordPiece; else BPE */
    bool byte_level;           /* vocab holds bytes, not letters that stand for them */
    bool ignore_merges, byte_fallback, fuse_unknown;
    int32_t unknown;           /* id, LAG_TOKEN_NONE: none */
    int32_t of_byte[LAG_N_BYTES]; /* the token of a byte (or of <0x…> with byte_fallback), LAG_TOKEN_NONE: none */
    char *prefix;              /* WordPiece: of what goes on a word. owned */
    size_t max_word;           /* WordPiece, in characters */
    struct lag_normal normals[LAG_PARTS_MAX];
    struct lag_split splits[LAG_PARTS_MAX];
    struct lag_decode_part decodes[LAG_PARTS_MAX];
    size_t n_normals, n_splits, n_decodes;
    struct lag_added *added;   /* by the first byte that is searched for, then the longest first. owned */
    size_t n_added, added_capacity, n_normalized;
    uint32_t added_from[LAG_N_BYTES + 1]; /* those that begin with a byte: [from[b], from[b + 1]) */
    int32_t *added_of;         /* [size]: of an id, its place in added, -1: none. owned */
    size_t size;               /* the largest id and one */
    bool cuttable;             /* see lag_tokenizer_cut */
    struct lag_around around;
    int32_t eos, bos;
};
struct lag_tokenizer *lag_tokenizer_create(void); /* NULL: out of memory */
/* When vocabulary, merges and added tokens are there: what is found by them. */
int lag_tokenizer_finish(struct lag_tokenizer *tokenizer, struct lag_error *err);
/* NULL: it is none. After lag_tokenizer_finish. */
const struct lag_added *lag_tokenizer_added(const struct lag_tokenizer *tokenizer, int64_t id);
/* The bytes of an id; n is LAG_NO_TOKEN where nothing has it. */
struct lag_span lag_tokenizer_bytes(const struct lag_tokenizer *tokenizer, int64_t id);
/* A copy of the text. LAG_ECORRUPT: its id is another one's. */
int lag_added_append(struct lag_tokenizer *tokenizer, const char *text, const struct lag_added *how,
                     struct lag_error *err);
/* A token of the model by its text in a file, added. Letters stand for bytes where it is byte-level. */
int lag_tokenizer_add(struct lag_tokenizer *tokenizer, const char *text, size_t n, int64_t id, struct lag_error *err);

/* --- read_parts.c: the members of tokenizer.json that are no model. of: json_t, or NULL ------------------------- */

int lag_read_normalizer(struct lag_tokenizer *tokenizer, const void *of, struct lag_error *err);
int lag_read_pre_tokenizer(struct lag_tokenizer *tokenizer, const void *of, struct lag_error *err);
int lag_read_decoder(struct lag_tokenizer *tokenizer, const void *of, struct lag_error *err);
int lag_read_post_processor(struct lag_tokenizer *tokenizer, const void *of, struct lag_error *err);
/* A table {"type": …} of kinds; LAG_EUNSUPPORTED names the member and the type. */
int lag_read_type(const void *of, const char *member, const char *const types[], int *ret, struct lag_error *err);

/* --- bpe.c, wordpiece.c: one word ------------------------------------------------------------------------------- */

struct lag_symbols; /* memory for words; NULL: out of memory */
struct lag_symbols *lag_symbols_create(void);
void lag_symbols_destroy(struct lag_symbols *symbols);
int lag_bpe_word(const struct lag_tokenizer *tokenizer, struct lag_symbols *symbols, const char *word, size_t n,
                 struct lag_ids *ret, struct lag_error *err);
int lag_wordpiece_word(const struct lag_tokenizer *tokenizer, const char *word, size_t n, struct lag_ids *ret,
                       struct lag_error *err);
int lag_ids_reserve(struct lag_ids *ids, size_t more, struct lag_error *err);

/* Finds the seams, when vocabulary, merges and the tokens of bytes are there. */
int lag_seams_find(struct lag_tokenizer *tokenizer, struct lag_error *err);
/* How long the first part of a word is that may be coded by itself, 1 to n. n ≥ 1; the seams are known. */
size_t lag_seams_next(const struct lag_tokenizer *tokenizer, const char *text, size_t n);

/* --- split.c: a text to words ----------------------------------------------------------------------------------- */

typedef int (*lag_word_fn)(void *arg, const char *word, size_t n, struct lag_error *err);
struct lag_splitter; /* memory of one thread */
struct lag_splitter *lag_splitter_create(const struct lag_tokenizer *tokenizer); /* NULL: out of memory */
void lag_splitter_destroy(struct lag_splitter *splitter);
int lag_split_words(struct lag_splitter *splitter, const char *text, size_t n, lag_word_fn each, void *arg,
                    struct lag_error *err);

/* --- normalize.c ------------------------------------------------------------------------------------------------ */

/* The text by all of the normalizers, into out, which is cleared first. */
int lag_normalize(const struct lag_tokenizer *tokenizer, const char *text, size_t n, struct lag_strbuf *out,
                  struct lag_error *err);
/* All places of a text or pattern, by content. regex may be NULL. */
int lag_replace(const struct lag_regex *regex, const char *what, const char *content, const char *text, size_t n,
                struct lag_strbuf *out, struct lag_error *err);

/* --- added.c ---------------------------------------------------------------------------------------------------- */

/* An added token in a text: what it takes of it, where the search goes on. */
struct lag_found {
    size_t from, to, resume;
    int32_t id;
};
/* The first one from start on, of those that are searched in normalised text or of the others. It takes nothing before
 * last. false: none. */
bool lag_added_next(const struct lag_tokenizer *tokenizer, bool normalized, const char *text, size_t n, size_t start,
                    size_t last, struct lag_found *ret);
