/* engine/token: tokenizers are read, refused, encode and decode. The ids were made once by Hugging Face's library
 * in Rust from the same files. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "token/token_internal.h"
#include "token_files.h"
#include <lagd/base/check.h>
#include <lagd/base/error.h>
#include <lagd/base/mem.h>
#include <lagd/engine/token_train.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static struct lag_error err;

/* What the goldens were trained on. */
static const char text[] = "the cat sat on the mat; the cat's 12 345 hats aren't THAT fat.\n\n"
                           "  Über naïve café 日本語 don't, we'LL\tgo\n";

static struct lag_tokenizer *read_file(const char *file) {
    struct lag_tokenizer *tokenizer = NULL;
    err = (struct lag_error){0};
    if (lag_tokenizer_read(file, strlen(file), &tokenizer, &err) != 0) fail_msg("%s", err.text);
    return tokenizer;
}

static char *trained(const char *pattern, int vocab_size, const char *base, const char *const *specials, size_t n) {
    const struct lag_train_plan plan = {.pattern = pattern, .vocab_size = vocab_size, .base = base,
                                        .n_base = base ? strlen(base) : 0, .specials = specials, .n_specials = n};
    struct lag_trainer *trainer = NULL;
    struct lag_strbuf out = LAG_STRBUF_INIT;
    if (lag_trainer_create(&plan, &trainer, &err) != 0) fail_msg("%s", err.text);
    for (int i = 0; i < 3; i++) assert_int_equal(lag_trainer_add(trainer, text, strlen(text), &err), 0);
    assert_int_equal(lag_trainer_run(trainer, NULL, &err), 0);
    assert_int_equal(lag_trainer_write(trainer, &out, &err), 0);
    lag_trainer_destroy(trainer);
    return lag_strbuf_take(&out);
}

static void encodes(const struct lag_tokenizer *tokenizer, const char *line, const char *expected) {
    struct lag_coder *coder = NULL;
    assert_int_equal(lag_coder_create(tokenizer, &coder, &err), 0);
    for (int round = 0; round < 2; round++) { /* again, from what is remembered */
        struct lag_ids ids = {0};
        struct lag_strbuf got = LAG_STRBUF_INIT;
        if (lag_encode(coder, line, strlen(line), true, &ids, &err) != 0) fail_msg("%s: %s", line, err.text);
        for (size_t i = 0; i < ids.n; i++) lag_strbuf_printf(&got, "%s%d", i > 0 ? "," : "", ids.at[i]);
        assert_string_equal(got.data ? got.data : "", expected);
        lag_strbuf_deinit(&got);
        lag_ids_deinit(&ids);
    }
    lag_coder_destroy(coder);
}

static void test_patterns(void **state) {
    static const struct {
        const char *pattern, *line, *ids;
    } rows[] = {
        {"gpt2", "the cat's hats", "258,263,264,312"},
        {"gpt2", "  the  cat  ", "220,262,220,263,220,220"},
        {"gpt2", "we'LL 12345 don’t", "284,6,269,293,266,20,297,158,222,247,83"},
        {"gpt2", "\t\u00a0x \u3000 y", "197,126,254,87,220,159,222,222,220,88"},
        {"llama3", "we'LL 12345 don’t", "285,308,220,267,18,19,20,297,158,222,247,83"},
        {"llama3", "Über naïve café 日本語", "291,310,314,317,318"},
        {"llama3", "a\u0301b it'ſ", "64,136,223,65,220,72,83,6,129,123"},
        {"qwen2", "we'LL 12345 don’t", "283,306,220,16,17,18,19,20,295,158,222,247,83"},
        {"\\p{L}+|\\p{N}|[^\\p{L}\\p{N}]+", "the cat's hats", "258,220,259,6,82,220,295"},
        {"\\p{L}+|\\p{N}|[^\\p{L}\\p{N}]+", "  the  cat  ", "290,258,290,259,290"},
        {"\\p{L}+|\\p{N}|[^\\p{L}\\p{N}]+", "we'LL 12345 don’t", "282,6,266,220,16,17,18,19,20,220,273,158,222,247,83"},
    };
    for (size_t i = 0; i < LAG_COUNT(rows); i++) {
        char *file = trained(rows[i].pattern, 320, NULL, NULL, 0);
        struct lag_tokenizer *tokenizer = read_file(file);
        encodes(tokenizer, rows[i].line, rows[i].ids);
        lag_tokenizer_destroy(tokenizer);
        free(file);
    }
}

/* A scanner of our own and its pattern by PCRE2 divide alike. */
struct cuts {
    size_t n, at[4096];
    const char *begin;
};
static int note_cut(void *arg, const char *word, size_t n, struct lag_error *e) {
    struct cuts *cuts = arg;
    if (cuts->n < LAG_COUNT(cuts->at)) cuts->at[cuts->n++] = (size_t)(word - cuts->begin) + n;
    return 0;
}

static void divide(enum lag_split_kind kind, enum lag_pattern pattern, const char *line, size_t n, struct cuts *ret) {
    struct lag_tokenizer *tokenizer = lag_tokenizer_create();
    const char *regex = lag_patterns[pattern].regex;
    assert_non_null(tokenizer);
    tokenizer->splits[0] = (struct lag_split){.kind = kind, .pattern = pattern, .behaviour = LAG_ISOLATED};
    tokenizer->n_splits = 1;
    if (kind == LAG_SPLIT_REGEX)
        assert_int_equal(lag_regex_create(regex, strlen(regex), &tokenizer->splits[0].regex, &err), 0);
    struct lag_splitter *splitter = lag_splitter_create(tokenizer);
    assert_non_null(splitter);
    ret->n = 0;
    ret->begin = line;
    assert_int_equal(lag_split_words(splitter, line, n, note_cut, ret, &err), 0);
    lag_splitter_destroy(splitter);
    lag_tokenizer_destroy(tokenizer);
}

static void test_scanners(void **state) {
    static const char *const pieces[] = {"a", "Z", "é", "日", "1", "٣", " ", "  ", "\n", "\r\n", "\t", "\u00a0", ".",
                                         "'",
                                         "'s", "'RE", "’", "\u0301", "😀", "ſ", "'ſ", "-", "\u2028", "ⅷ"};
    static struct cuts ours, theirs;
    uint64_t random = 1;
    for (int round = 0; round < 3000; round++) {
        char line[256] = "";
        size_t n = 0;
        for (int k = 0; k < 24; k++) {
            random = random * 6364136223846793005u + 1442695040888963407u;
            n += (size_t)snprintf(line + n, sizeof line - n, "%s", pieces[(random >> 33) % LAG_COUNT(pieces)]);
        }
        for (int p = 0; p < LAG_N_PATTERNS; p++) {
            divide(LAG_SPLIT_KNOWN, (enum lag_pattern)p, line, n, &ours);
            divide(LAG_SPLIT_REGEX, (enum lag_pattern)p, line, n, &theirs);
            if (ours.n != theirs.n || memcmp(ours.at, theirs.at, ours.n * sizeof *ours.at) != 0)
                fail_msg("%s divides '%s' otherwise", lag_patterns[p].name, line);
        }
    }
}

static void test_fallback(void **state) {
    struct lag_tokenizer *tokenizer = read_file(llama_file);
    encodes(tokenizer, "tok abc  xyz", "1,14,3,9,3,3,0");
    encodes(tokenizer, "abtok c", "1,13,0,3,6");
    encodes(tokenizer, "a tok b", "1,8,3,0,3,5");
    encodes(tokenizer, "café abcab", "1,3,6,4,10,11,0,3,9,7");
    encodes(tokenizer, "", "1");
    encodes(tokenizer, "é<s>ab<unk> <s>c", "1,3,10,11,1,13,0,3,3,1,3,6");
    struct lag_strbuf back = LAG_STRBUF_INIT;
    static const int32_t ids[] = {1, 13, 10, 11, 8};
    assert_int_equal(lag_decode(tokenizer, ids, 5, true, &back, &err), 0);
    assert_string_equal(back.data, "abé a");
    lag_strbuf_deinit(&back);
    static const int32_t wrong[] = {99};
    assert_int_equal(lag_decode(tokenizer, wrong, 1, true, &back, &err), LAG_EINVAL);
    assert_non_null(strstr(err.text, "no token has the id 99"));
    lag_strbuf_deinit(&back);
    lag_tokenizer_destroy(tokenizer);
}

/* What is composed already stays; what is not is composed; bytes that are no UTF-8 stay. */
static void test_composing(void **state) {
    static const struct {
        const char *from, *to;
    } rows[] = {
        {"e\u0301a", "\u00e9a"},
        {"日本語 cafe\u0301 \xff" "e\u0301", "日本語 caf\u00e9 \xff\u00e9"},
        {"\x80\u0301", "\x80\u0301"},
        {"\u1112\u1161\u11ab한\u11ab", "한한\u11ab"},
        {"가\u11a8 и\u0306й", "각 йй"},
        {"\u212b\u2126\u0344", "\u00c5\u03a9\u0308\u0301"},
        {"か\u3099x", "が" "x"},
    };
    struct lag_tokenizer *tokenizer = lag_tokenizer_create();
    assert_non_null(tokenizer);
    tokenizer->normals[tokenizer->n_normals++].kind = LAG_NORMAL_NFC;
    for (size_t i = 0; i < LAG_COUNT(rows); i++) {
        struct lag_strbuf got = LAG_STRBUF_INIT;
        assert_int_equal(lag_normalize(tokenizer, rows[i].from, strlen(rows[i].from), &got, &err), 0);
        assert_string_equal(got.data, rows[i].to);
        lag_strbuf_deinit(&got);
    }
    lag_tokenizer_destroy(tokenizer);
}

static void test_wordpiece(void **state) {
    static const char vocab[] =
        "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\ncafe\nca\n##fe\n##s\nsat\n,\n日\n本\n.\nun\n##sat\n'\nt\n";
    struct lag_tokenizer *of_file = read_file(bert_file), *of_words = NULL;
    assert_int_equal(lag_tokenizer_read_words(vocab, strlen(vocab), true, &of_words, &err), 0);
    struct lag_strbuf file = LAG_STRBUF_INIT;
    assert_int_equal(lag_tokenizer_write(of_words, &file, &err), 0);
    struct lag_tokenizer *again = read_file(file.data), *all[] = {of_file, of_words, again};
    for (size_t i = 0; i < LAG_COUNT(all); i++) {
        encodes(all[i], "Cafés, UNSAT. 日本 don't", "2,5,8,10,14,15,13,11,12,1,16,17,3");
        encodes(all[i], "CAFÉ[MASK]sat", "2,5,4,9,3");
        encodes(all[i], "un\u0301sat", "2,14,15,3");
        struct lag_strbuf back = LAG_STRBUF_INIT;
        static const int32_t ids[] = {2, 5, 8, 10, 14, 15, 13, 3};
        assert_int_equal(lag_decode(all[i], ids, 8, true, &back, &err), 0);
        assert_string_equal(back.data, "cafes, unsat.");
        lag_strbuf_deinit(&back);
        lag_tokenizer_destroy(all[i]);
    }
    lag_strbuf_deinit(&file);
}

/* decode(encode(x)) is x for any bytes; and a text may be coded in parts where lag_tokenizer_cut says so. */
static void test_any_bytes(void **state) {
    static const char *const specials[] = {"<|endoftext|>"};
    static char noise[40000];
    uint64_t random = 7;
    for (size_t i = 0; i < sizeof noise; i++) {
        random = random * 6364136223846793005u + 1442695040888963407u;
        noise[i] = i % 400 < 200 ? (char)(random >> 40) : text[i % (sizeof text - 1)];
    }
    for (int p = 0; p < 4; p++) {
        char *file = p < 3 ? trained(lag_patterns[p].name, 320, NULL, specials, 1)
                           : trained("[a-z]+|[^a-z]+", 320, NULL, specials, 1);
        struct lag_tokenizer *tokenizer = read_file(file);
        struct lag_coder *coder = NULL;
        struct lag_ids ids = {0}, parts = {0};
        struct lag_strbuf back = LAG_STRBUF_INIT;
        assert_int_equal(lag_coder_create(tokenizer, &coder, &err), 0);
        assert_int_equal(lag_encode(coder, noise, sizeof noise, true, &ids, &err), 0);
        assert_int_equal(lag_decode(tokenizer, ids.at, ids.n, false, &back, &err), 0);
        assert_int_equal(back.length, sizeof noise);
        assert_memory_equal(back.data, noise, sizeof noise);
        size_t n_cuts = 0;
        for (size_t i = 0; i < sizeof noise; n_cuts++) {
            const size_t want = LAG_MIN(sizeof noise - i, (size_t)1500);
            size_t length = i + want < sizeof noise ? lag_tokenizer_cut(tokenizer, noise + i, want) : want;
            if (length == 0) length = sizeof noise - i; /* there is none */
            assert_int_equal(lag_encode(coder, noise + i, length, true, &parts, &err), 0);
            i += length;
        }
        assert_true(p == 3 ? n_cuts == 1 : n_cuts > 10);
        assert_int_equal(parts.n, ids.n);
        assert_memory_equal(parts.at, ids.at, ids.n * sizeof *ids.at);
        lag_strbuf_deinit(&back);
        lag_ids_deinit(&ids);
        lag_ids_deinit(&parts);
        lag_coder_destroy(coder);
        lag_tokenizer_destroy(tokenizer);
        free(file);
    }
}

/* One word of a million letters: by the heap, as by looking through. */
static void test_long_word(void **state) {
    enum { N = 1 << 20 };
    char *file = trained("gpt2", 300, NULL, NULL, 0), *word = malloc(N);
    struct lag_tokenizer *tokenizer = read_file(file);
    struct lag_coder *coder = NULL;
    struct lag_ids ids = {0}, piece = {0};
    assert_non_null(word);
    for (size_t i = 0; i < N; i++) word[i] = "theatho"[i % 7];
    assert_int_equal(lag_coder_create(tokenizer, &coder, &err), 0);
    assert_int_equal(lag_encode(coder, word, N, false, &ids, &err), 0);
    assert_int_equal(lag_encode(coder, word, 21, false, &piece, &err), 0);
    assert_true(piece.n > 3 && ids.n > 1000);
    assert_memory_equal(ids.at, piece.at, (piece.n - 2) * sizeof *ids.at);
    lag_ids_deinit(&ids);
    lag_ids_deinit(&piece);
    lag_coder_destroy(coder);
    lag_tokenizer_destroy(tokenizer);
    free(word);
    free(file);
}

static void test_extend(void **state) {
    static const char *const specials[] = {"<|endoftext|>"};
    char *base = trained("llama3", 290, NULL, specials, 1), *whole = trained("llama3", 310, NULL, specials, 1);
    char *longer = trained(NULL, 310, base, NULL, 0);
    struct lag_tokenizer *a = read_file(base), *b = read_file(longer), *c = read_file(whole);
    struct lag_tokenizer_look look, look_b, look_c;
    lag_tokenizer_look(a, &look);
    lag_tokenizer_look(b, &look_b);
    lag_tokenizer_look(c, &look_c);
    assert_int_equal(look.size, 290);
    assert_int_equal(look_b.size, 310);
    assert_int_equal(look_b.n_merges, look_c.n_merges);
    assert_int_equal(look.eos, 0);
    assert_string_equal(look_b.pattern, "llama3");
    for (int id = 0; id < 310; id++) { /* what was learnt in two goes is what is learnt in one */
        const struct lag_span x = lag_tokenizer_bytes(b, id), y = lag_tokenizer_bytes(c, id);
        assert_int_equal(x.n, y.n);
        assert_memory_equal(x.at, y.at, x.n);
    }
    struct lag_tokenizer *all[] = {a, b, c};
    for (size_t i = 0; i < LAG_COUNT(all); i++) lag_tokenizer_destroy(all[i]);
    free(base);
    free(longer);
    free(whole);
}

static void refuses(const char *file, int code, const char *says) {
    struct lag_tokenizer *tokenizer = NULL;
    err = (struct lag_error){0};
    const int rc = lag_tokenizer_read(file, strlen(file), &tokenizer, &err);
    if (rc != code || !strstr(err.text, says)) fail_msg("%s: %d '%s', expected '%s'", file, rc, err.text, says);
    assert_null(tokenizer);
}

static void test_refusals(void **state) {
#define BPE "\"model\": {\"type\": \"BPE\", \"vocab\": {\"a\": 0, \"b\": 1, \"ab\": 2}, \"merges\": [\"a b\"]}"
    refuses("{}", LAG_ECORRUPT, "it has no model");
    refuses("[1]", LAG_ECORRUPT, "no JSON object");
    refuses("{\"model\": {\"type\": \"Unigram\", \"vocab\": []}}", LAG_EUNSUPPORTED, "model: Unigram is not supported");
    refuses("{\"normalizer\": {\"type\": \"NFKC\"}, " BPE "}", LAG_EUNSUPPORTED, "normalizer: NFKC is not supported");
    refuses("{\"pre_tokenizer\": {\"type\": \"Metaspace\"}, " BPE "}", LAG_EUNSUPPORTED, "pre_tokenizer: Metaspace");
    refuses("{\"decoder\": {\"type\": \"CTC\"}, " BPE "}", LAG_EUNSUPPORTED, "decoder: CTC is not supported");
    refuses("{\"post_processor\": {\"type\": \"X\"}, " BPE "}", LAG_EUNSUPPORTED, "post_processor: X is not");
    refuses("{\"pre_tokenizer\": {\"type\": \"Split\", \"behavior\": \"Isolated\", \"pattern\": {\"Regex\": \"(\"}}, "
            BPE "}", LAG_EUNSUPPORTED, "pre_tokenizer: Split: the pattern (");
    refuses("{\"model\": {\"type\": \"BPE\", \"dropout\": 0.1, \"vocab\": {\"a\": 0}, \"merges\": []}}",
            LAG_EUNSUPPORTED,
            "model: dropout");
    refuses("{\"model\": {\"type\": \"BPE\", \"vocab\": {\"a\": 0}, \"merges\": [\"a c\"]}}", LAG_ECORRUPT,
            "model: merge 0: c is not in the vocabulary");
    refuses("{\"model\": {\"type\": \"BPE\", \"vocab\": {\"a\": 0, \"b\": 1}, \"merges\": [[\"a\", \"b\"]]}}",
            LAG_ECORRUPT,
            "merge 0: ab is not in the vocabulary");
    refuses("{\"model\": {\"type\": \"BPE\", \"vocab\": {\"a\": 0}, \"merges\": [\"a\"]}}", LAG_ECORRUPT,
            "merge 0 must be two tokens");
    refuses("{\"model\": {\"type\": \"BPE\", \"vocab\": {\"a\": 0, \"b\": 0}, \"merges\": []}}", LAG_ECORRUPT,
            "two tokens have the id 0");
    refuses("{\"model\": {\"type\": \"BPE\", \"vocab\": {\"a\": 9999999}, \"merges\": []}}", LAG_ECORRUPT,
            "has the id");
    refuses("{\"added_tokens\": [{\"id\": 1, \"content\": \"a\"}], " BPE "}", LAG_ECORRUPT,
            "the vocabulary gives it 0");
#undef BPE
    struct lag_tokenizer *tokenizer = NULL;
    assert_int_equal(lag_tokenizer_read_pair("{\"a\":0,\"b\":1}", 13, "#version: 0.2\na b\n", 18, &tokenizer, &err),
                     LAG_ECORRUPT);
    assert_non_null(strstr(err.text, "merges.txt: merge 0: ab is not"));
    assert_int_equal(lag_tokenizer_read_pair("{\"a\":0,\"b\":1}", 13, "a b c\n", 6, &tokenizer, &err), LAG_ECORRUPT);
    assert_non_null(strstr(err.text, "merges.txt: line 1 must be two tokens"));
    assert_int_equal(lag_tokenizer_read_words("[UNK]\n[CLS]\n", 12, true, &tokenizer, &err), LAG_ECORRUPT);
    assert_non_null(strstr(err.text, "it lacks [SEP]"));
}

static void test_no_token(void **state) {
    struct lag_tokenizer *tokenizer = NULL;
    struct lag_coder *coder = NULL;
    struct lag_ids ids = {0};
    static const char vocab[] = "{\"a\":0,\"b\":1,\"ab\":2,\"<|endoftext|>\":3}";
    assert_int_equal(lag_tokenizer_read_pair(vocab, strlen(vocab), "a b\n", 4, &tokenizer, &err), 0);
    encodes(tokenizer, "abb<|endoftext|>a", "2,1,3,0");
    assert_int_equal(lag_coder_create(tokenizer, &coder, &err), 0);
    assert_int_equal(lag_encode(coder, "abc", 3, true, &ids, &err), LAG_EINVAL);
    assert_non_null(strstr(err.text, "no token for the byte 0x63"));
    struct lag_tokenizer_look look;
    lag_tokenizer_look(tokenizer, &look);
    assert_int_equal(look.eos, 3);
    assert_int_equal(look.bos, 3);
    assert_string_equal(look.kind, "BPE");
    lag_ids_deinit(&ids);
    lag_coder_destroy(coder);
    lag_tokenizer_destroy(tokenizer);
}

static void refuses_plan(const struct lag_train_plan *plan, const char *pointer, const char *says) {
    struct lag_trainer *trainer = NULL;
    err = (struct lag_error){0};
    assert_int_equal(lag_trainer_create(plan, &trainer, &err), LAG_EINVAL);
    assert_string_equal(err.pointer, pointer);
    if (!strstr(err.text, says)) fail_msg("'%s', expected '%s'", err.text, says);
}

static void test_plans(void **state) {
    static const char *const twice[] = {"<e>", "<e>"}, *const letter[] = {"a"};
    refuses_plan(&(struct lag_train_plan){.vocab_size = 256}, "/train/vocab_size", "larger than the 256 tokens");
    refuses_plan(&(struct lag_train_plan){.vocab_size = 300, .pattern = "("}, "/train/pattern", "cannot be read");
    refuses_plan(&(struct lag_train_plan){.vocab_size = 300, .specials = twice, .n_specials = 2}, "/train/specials",
                 "given twice");
    refuses_plan(&(struct lag_train_plan){.vocab_size = 300, .specials = letter, .n_specials = 1}, "/train/specials",
                 "longer than one letter");
}

/* The first merges of this text as Hugging Face's trainer makes them. */
static void test_merges(void **state) {
    static const char *const expected[] = {"at", "he", "the", " c", "'t", "on", " the", " cat", "'s", "12", "34",
                                             "AT", "HAT", "LL", "THAT", "af", "ar", "a\303", "be", "don", "en",
                                             "fat", "go", "hat"};
    char *file = trained("gpt2", 30000, NULL, NULL, 0);
    struct lag_tokenizer *tokenizer = read_file(file);
    struct lag_tokenizer_look look;
    lag_tokenizer_look(tokenizer, &look);
    assert_int_equal(look.n_merges, 62);
    for (size_t i = 0; i < LAG_COUNT(expected); i++) {
        const struct lag_span token = lag_tokenizer_bytes(tokenizer, 256 + (int64_t)i);
        char got[64];
        snprintf(got, sizeof got, "%.*s", (int)token.n, token.at);
        assert_string_equal(got, expected[i]);
    }
    lag_tokenizer_destroy(tokenizer);
    free(file);
}

/* A pattern that has no scanner, read and used where no memory may become executable, as in the service. */
static int in_confinement(void) {
    enum { SET_MDWE = 65, REFUSE_EXEC_GAIN = 1, NO_KERNEL = 77 };
    if (prctl(SET_MDWE, REFUSE_EXEC_GAIN, 0, 0, 0) != 0) return NO_KERNEL;
    const int wished = PROT_READ | PROT_WRITE | PROT_EXEC;
    if (mmap(NULL, 4096, wished, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED) return 1; /* it is in force */
    char *file = trained("\\p{L}+|\\p{N}|[^\\p{L}\\p{N}]+", 320, NULL, NULL, 0);
    struct lag_tokenizer *tokenizer = read_file(file);
    if (tokenizer->splits[0].kind != LAG_SPLIT_REGEX) return 2;
    encodes(tokenizer, "we'LL 12345 don’t", "282,6,266,220,16,17,18,19,20,220,273,158,222,247,83");
    lag_tokenizer_destroy(tokenizer);
    free(file);
    return 0;
}

static void test_no_executable_memory(void **state) {
    int status = 0;
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) _exit(in_confinement());
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == 77) skip(); /* before Linux 6.3 */
    assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_executable_memory), /* first: what was made executable before stays so */
        cmocka_unit_test(test_patterns),   cmocka_unit_test(test_scanners), cmocka_unit_test(test_fallback),
        cmocka_unit_test(test_wordpiece),  cmocka_unit_test(test_any_bytes), cmocka_unit_test(test_long_word),
        cmocka_unit_test(test_extend),     cmocka_unit_test(test_refusals), cmocka_unit_test(test_no_token),
        cmocka_unit_test(test_plans),      cmocka_unit_test(test_merges),  cmocka_unit_test(test_composing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
