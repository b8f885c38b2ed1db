/* The members of tokenizer.json that are no model: each is a part with a type, or a sequence of such. */
#include "format/json_internal.h"
#include "token/token_internal.h"
#include <lagd/base/check.h>
#include <lagd/base/error.h>
#include <lagd/base/mem.h>
#include <stdlib.h>
#include <string.h>

/* The kinds of a member, by the type that the file gives; the first of each table is a sequence. */
enum { SEQUENCE };

int lag_read_type(const void *of, const char *member, const char *const types[], int *ret, struct lag_error *err) {
    const char *type = json_string_value(json_object_get(of, "type"));
    if (!type) return lag_error_set(err, LAG_ECORRUPT, "%s: it has no type", member);
    for (*ret = 0; types[*ret]; ++*ret)
        if (strcmp(types[*ret], type) == 0) return 0;
    struct lag_strbuf known = LAG_STRBUF_INIT;
    for (int i = 0; types[i]; i++) lag_strbuf_printf(&known, "%s%s", i > 0 ? ", " : "", types[i]);
    const int rc = lag_error_set(err, LAG_EUNSUPPORTED, "%s: %.60s is not supported; lagd knows %s", member, type,
                                 known.data ? known.data : "");
    lag_strbuf_deinit(&known);
    return rc;
}

static bool flag(const json_t *of, const char *key, bool otherwise) {
    const json_t *value = json_object_get(of, key);
    return json_is_boolean(value) ? json_is_true(value) : otherwise;
}

static int copy_text(const json_t *of, const char *key, const char *member, char **ret, struct lag_error *err) {
    const char *text = json_string_value(json_object_get(of, key));
    if (!text) return lag_error_set(err, LAG_ECORRUPT, "%s: %s is missing or no text", member, key);
    *ret = lag_strdup(text);
    return *ret ? 0 : lag_error_set(err, LAG_ENOMEM, "out of memory for a tokenizer");
}

static int too_many(const char *member, struct lag_error *err) {
    return lag_error_set(err, LAG_EUNSUPPORTED, "%s: more than %d parts", member, LAG_PARTS_MAX);
}

/* "pattern": {"String": …} or {"Regex": …}. regex is NULL for a plain text. */
static int read_pattern(const json_t *of, const char *member, char **ret_text, struct lag_regex **ret_regex,
                        struct lag_error *err) {
    const json_t *pattern = json_object_get(of, "pattern");
    const bool plain = json_object_get(pattern, "String") != NULL;
    int rc = copy_text(pattern, plain ? "String" : "Regex", member, ret_text, err);
    if (rc == 0 && !plain) rc = lag_regex_create(*ret_text, strlen(*ret_text), ret_regex, err);
    return rc != 0 && rc != LAG_ENOMEM && err ? lag_error_wrap(err, "%s", member) : rc;
}

/* One part, or all of a sequence's member list. */
typedef int (*read_fn)(struct lag_tokenizer *tokenizer, const void *of, struct lag_error *err);
static int read_list(struct lag_tokenizer *tokenizer, const void *of, const char *member, const char *list,
                     read_fn read, struct lag_error *err) {
    const json_t *parts = json_object_get(of, list);
    if (!json_is_array(parts)) return lag_error_set(err, LAG_ECORRUPT, "%s: a Sequence without %s", member, list);
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < json_array_size(parts); i++) rc = read(tokenizer, json_array_get(parts, i), err);
    return rc;
}

/* --- normalizer ------------------------------------------------------------------------------------------------- */

#define NORMALIZER "normalizer"
static int read_bert_normalizer(struct lag_normal *normal, const json_t *of) {
    const json_t *strip = json_object_get(of, "strip_accents");
    normal->clean = flag(of, "clean_text", true);
    normal->chinese = flag(of, "handle_chinese_chars", true);
    normal->lower = flag(of, "lowercase", true);
    normal->strip = json_is_boolean(strip) ? json_is_true(strip) : normal->lower;
    return 0;
}

int lag_read_normalizer(struct lag_tokenizer *tokenizer, const void *of, struct lag_error *err) {
    static const char *const types[] = {"Sequence", "NFC", "Prepend", "Replace", "BertNormalizer", NULL};
    static const enum lag_normal_kind kinds[] = {0, LAG_NORMAL_NFC, LAG_NORMAL_PREPEND, LAG_NORMAL_REPLACE,
                                                 LAG_NORMAL_BERT};
    int type = 0;
    if (!of || json_is_null((const json_t *)of)) return 0;
    int rc = lag_read_type(of, NORMALIZER, types, &type, err);
    if (rc != 0) return rc;
    if (type == SEQUENCE) return read_list(tokenizer, of, NORMALIZER, "normalizers", lag_read_normalizer, err);
    if (tokenizer->n_normals == LAG_PARTS_MAX) return too_many(NORMALIZER, err);
    struct lag_normal *normal = &tokenizer->normals[tokenizer->n_normals++];
    normal->kind = kinds[type];
    if (normal->kind == LAG_NORMAL_BERT) return read_bert_normalizer(normal, of);
    if (normal->kind == LAG_NORMAL_PREPEND) return copy_text(of, "prepend", NORMALIZER, &normal->text, err);
    if (normal->kind == LAG_NORMAL_NFC) return 0;
    rc = read_pattern(of, NORMALIZER, &normal->text, &normal->regex, err);
    return rc != 0 ? rc : copy_text(of, "content", NORMALIZER, &normal->content, err);
}

/* --- pre_tokenizer ---------------------------------------------------------------------------------------------- */

#define PRE_TOKENIZER "pre_tokenizer"
static const char *const behaviours[] = {"Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous",
                                         NULL};

static int add_split(struct lag_tokenizer *tokenizer, enum lag_split_kind kind, enum lag_behaviour behaviour,
                     struct lag_split **ret, struct lag_error *err) {
    if (tokenizer->n_splits == LAG_PARTS_MAX) return too_many(PRE_TOKENIZER, err);
    *ret = &tokenizer->splits[tokenizer->n_splits++];
    (*ret)->kind = kind;
    (*ret)->behaviour = behaviour;
    return 0;
}

/* A known pattern covers every text, so that it comes to the same whether its matches are kept apart or all else is
 * removed. */
static bool take_known(struct lag_split *split) {
    const bool all = split->invert ? split->behaviour == LAG_REMOVED : split->behaviour == LAG_ISOLATED;
    for (int i = 0; all && i < LAG_N_PATTERNS; i++) {
        if (strcmp(split->text, lag_patterns[i].regex) != 0) continue;
        split->kind = LAG_SPLIT_KNOWN;
        split->pattern = (enum lag_pattern)i;
        return true;
    }
    return false;
}

static int read_split(struct lag_tokenizer *tokenizer, const json_t *of, struct lag_error *err) {
    struct lag_split *split = NULL;
    const char *behaviour = json_string_value(json_object_get(of, "behavior"));
    const json_t *pattern = json_object_get(of, "pattern");
    int rc = add_split(tokenizer, LAG_SPLIT_TEXT, LAG_ISOLATED, &split, err), i = 0;
    if (rc != 0) return rc;
    while (behaviours[i] && (!behaviour || strcmp(behaviours[i], behaviour) != 0)) i++;
    if (!behaviours[i])
        return lag_error_set(err, LAG_ECORRUPT, PRE_TOKENIZER ": Split has the behavior %.40s; there are Removed, "
                             "Isolated, MergedWithPrevious, MergedWithNext, Contiguous", behaviour ? behaviour
                                 : "none");
    split->behaviour = (enum lag_behaviour)i;
    split->invert = flag(of, "invert", false);
    const bool plain = json_object_get(pattern, "String") != NULL;
    rc = copy_text(pattern, plain ? "String" : "Regex", PRE_TOKENIZER ": Split", &split->text, err);
    if (rc != 0 || plain || take_known(split)) return rc;
    split->kind = LAG_SPLIT_REGEX;
    rc = lag_regex_create(split->text, strlen(split->text), &split->regex, err);
    return rc != 0 && rc != LAG_ENOMEM && err ? lag_error_wrap(err, PRE_TOKENIZER ": Split") : rc;
}

/* The text as bytes: nothing is left to do but that a space may come before it, and that words are found. */
static int read_byte_level(struct lag_tokenizer *tokenizer, const json_t *of, struct lag_error *err) {
    struct lag_split *split = NULL;
    int rc = 0;
    tokenizer->byte_level = true;
    if (flag(of, "add_prefix_space", true)) rc = add_split(tokenizer, LAG_SPLIT_PREFIX, LAG_ISOLATED, &split, err);
    if (rc != 0 || !flag(of, "use_regex", true)) return rc;
    rc = add_split(tokenizer, LAG_SPLIT_KNOWN, LAG_ISOLATED, &split, err);
    if (rc == 0) split->pattern = LAG_PATTERN_GPT2;
    return rc;
}

static int read_bert_words(struct lag_tokenizer *tokenizer, struct lag_error *err) {
    struct lag_split *split = NULL;
    return add_split(tokenizer, LAG_SPLIT_BERT, LAG_ISOLATED, &split, err);
}

static int read_digits(struct lag_tokenizer *tokenizer, const json_t *of, struct lag_error *err) {
    struct lag_split *split = NULL;
    const bool individual = flag(of, "individual_digits", false);
    return add_split(tokenizer, LAG_SPLIT_DIGITS, individual ? LAG_ISOLATED : LAG_CONTIGUOUS, &split, err);
}

int lag_read_pre_tokenizer(struct lag_tokenizer *tokenizer, const void *of, struct lag_error *err) {
    static const char *const types[] = {"Sequence", "ByteLevel", "Split", "Digits", "BertPreTokenizer", NULL};
    enum { BYTE_LEVEL = 1, SPLIT, DIGITS };
    int type = 0;
    if (!of || json_is_null((const json_t *)of)) return 0;
    const int rc = lag_read_type(of, PRE_TOKENIZER, types, &type, err);
    if (rc != 0) return rc;
    if (type == SEQUENCE) return read_list(tokenizer, of, PRE_TOKENIZER, "pretokenizers", lag_read_pre_tokenizer, err);
    if (tokenizer->byte_level)
        return lag_error_set(err, LAG_EUNSUPPORTED, PRE_TOKENIZER ": %s behind ByteLevel is not supported: ByteLevel "
                             "must come last", types[type]);
    if (type == BYTE_LEVEL) return read_byte_level(tokenizer, of, err);
    if (type == SPLIT) return read_split(tokenizer, of, err);
    return type == DIGITS ? read_digits(tokenizer, of, err) : read_bert_words(tokenizer, err);
}

/* --- decoder ---------------------------------------------------------------------------------------------------- */

#define DECODER "decoder"
static int read_decode_part(struct lag_decode_part *part, const json_t *of, struct lag_error *err) {
    int rc = 0;
    if (part->kind == LAG_DECODE_STRIP) {
        const json_int_t start = json_integer_value(json_object_get(of, "start"));
        const json_int_t stop = json_integer_value(json_object_get(of, "stop"));
        part->start = start > 0 ? (size_t)start : 0;
        part->stop = stop > 0 ? (size_t)stop : 0;
        rc = copy_text(of, "content", DECODER, &part->text, err);
        if (rc == 0 && !part->text[0]) rc = lag_error_set(err, LAG_ECORRUPT, DECODER ": Strip without content");
    } else if (part->kind == LAG_DECODE_WORDS) {
        part->cleanup = flag(of, "cleanup", true);
        rc = copy_text(of, "prefix", DECODER, &part->text, err);
    } else if (part->kind == LAG_DECODE_REPLACE) {
        rc = read_pattern(of, DECODER, &part->text, &part->regex, err);
        if (rc == 0) rc = copy_text(of, "content", DECODER, &part->content, err);
    }
    return rc;
}

int lag_read_decoder(struct lag_tokenizer *tokenizer, const void *of, struct lag_error *err) {
    static const char *const types[] = {"Sequence", "ByteLevel", "Replace", "ByteFallback", "Fuse", "Strip",
                                        "WordPiece", NULL};
    static const enum lag_decode_kind kinds[] = {0, LAG_DECODE_BYTES, LAG_DECODE_REPLACE, LAG_DECODE_FALLBACK,
                                                 LAG_DECODE_FUSE, LAG_DECODE_STRIP, LAG_DECODE_WORDS};
    int type = 0;
    if (!of || json_is_null((const json_t *)of)) return 0;
    const int rc = lag_read_type(of, DECODER, types, &type, err);
    if (rc != 0) return rc;
    if (type == SEQUENCE) return read_list(tokenizer, of, DECODER, "decoders", lag_read_decoder, err);
    if (tokenizer->n_decodes == LAG_PARTS_MAX) return too_many(DECODER, err);
    struct lag_decode_part *part = &tokenizer->decodes[tokenizer->n_decodes++];
    part->kind = kinds[type];
    return read_decode_part(part, of, err);
}

/* --- post_processor --------------------------------------------------------------------------------------------- */

#define POST_PROCESSOR "post_processor"
static int put_around(int32_t **ids, size_t *n, size_t at, int64_t id, struct lag_error *err) {
    int32_t *grown = *n < LAG_PARTS_MAX ? realloc(*ids, (*n + 1) * sizeof **ids) : NULL;
    if (!grown && *n < LAG_PARTS_MAX) return lag_error_set(err, LAG_ENOMEM, "out of memory for a tokenizer");
    if (!grown) return too_many(POST_PROCESSOR, err);
    *ids = grown;
    memmove(grown + at + 1, grown + at, (*n - at) * sizeof *grown);
    grown[at] = (int32_t)id;
    ++*n;
    return 0;
}

/* ["text", id] */
static int read_named(const json_t *of, const char *key, int64_t *ret, struct lag_error *err) {
    const json_t *id = json_array_get(json_object_get(of, key), 1);
    *ret = json_integer_value(id);
    return json_is_integer(id) && *ret >= 0 && *ret < INT32_MAX ? 0
         : lag_error_set(err, LAG_ECORRUPT, POST_PROCESSOR ": %s must be a text and an id", key);
}

static int read_ends(struct lag_around *around, const json_t *of, struct lag_error *err) {
    int64_t cls = 0, sep = 0;
    int rc = read_named(of, "cls", &cls, err);
    if (rc == 0) rc = read_named(of, "sep", &sep, err);
    if (rc == 0) rc = put_around(&around->before, &around->n_before, 0, cls, err);
    return rc == 0 ? put_around(&around->behind, &around->n_behind, around->n_behind, sep, err) : rc;
}

/* A special token of a template: one or more ids. They go before what is there, in their order, or behind it. */
static int read_special(struct lag_around *around, const json_t *of, const json_t *item, bool behind, size_t *n_before,
                        struct lag_error *err) {
    const char *name = json_string_value(json_object_get(item, "id"));
    const json_t *ids = json_object_get(json_object_get(json_object_get(of, "special_tokens"), name ? name : ""),
                                        "ids");
    int rc = json_is_array(ids) ? 0
           : lag_error_set(err, LAG_ECORRUPT, POST_PROCESSOR ": the template's token %.60s is not among its "
                           "special_tokens", name ? name : "without an id");
    for (size_t i = 0; rc == 0 && i < json_array_size(ids); i++) {
        const json_int_t id = json_integer_value(json_array_get(ids, i));
        if (id < 0 || id >= INT32_MAX) return lag_error_set(err, LAG_ECORRUPT, POST_PROCESSOR ": a wrong id");
        if (behind) rc = put_around(&around->behind, &around->n_behind, around->n_behind, id, err);
        else rc = put_around(&around->before, &around->n_before, (*n_before)++, id, err);
    }
    return rc;
}

static int read_template(struct lag_around *around, const json_t *of, struct lag_error *err) {
    const json_t *single = json_object_get(of, "single");
    bool behind = false;
    size_t n_before = 0;
    int rc = json_is_array(single) ? 0 : lag_error_set(err, LAG_ECORRUPT, POST_PROCESSOR ": single must be a list");
    for (size_t i = 0; rc == 0 && i < json_array_size(single); i++) {
        const json_t *item = json_array_get(single, i), *special = json_object_get(item, "SpecialToken");
        if (special) rc = read_special(around, of, special, behind, &n_before, err);
        else if (json_object_get(item, "Sequence") && !behind) behind = true;
        else rc = lag_error_set(err, LAG_EUNSUPPORTED, POST_PROCESSOR ": single must hold its sequence once");
    }
    if (rc == 0 && !behind) rc = lag_error_set(err, LAG_EUNSUPPORTED, POST_PROCESSOR ": single lacks its sequence");
    return rc;
}

int lag_read_post_processor(struct lag_tokenizer *tokenizer, const void *of, struct lag_error *err) {
    static const char *const types[] = {"Sequence", "ByteLevel", "TemplateProcessing", "BertProcessing",
                                        "RobertaProcessing", NULL};
    enum { BYTE_LEVEL = 1, TEMPLATE };
    int type = 0;
    if (!of || json_is_null((const json_t *)of)) return 0;
    const int rc = lag_read_type(of, POST_PROCESSOR, types, &type, err);
    if (rc != 0) return rc;
    if (type == SEQUENCE) return read_list(tokenizer, of, POST_PROCESSOR, "processors", lag_read_post_processor, err);
    if (type == BYTE_LEVEL) return 0; /* it corrects offsets only */
    return type == TEMPLATE ? read_template(&tokenizer->around, of, err) : read_ends(&tokenizer->around, of, err);
}
