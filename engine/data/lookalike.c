/* Files that are taken for something else: other kinds of files by their first bytes, and tokens of another width by
 * what their words look like. */
#include "data/data_internal.h"

#include <lagd/base/check.h>
#include <lagd/base/error.h>
#include <ctype.h>
#include <string.h>

#define B(text) text, sizeof(text) - 1

/* --- other kinds of files ---------------------------------------------------------------------------------------- */

#define UNPACK "unpack it first"
#define SAVE "save its text, or its tokens as uint16 or uint32, as a plain file"
#define AS_UTF8 "convert it to UTF-8 first"

static const struct kind {
    size_t offset;
    const char *bytes;
    size_t n_bytes;
    const char *name, *advice;
} kinds[] = {
    {0, B("version https://git-lfs.github.com/spec/"), "a Git LFS pointer, not the file itself",
     "run git lfs pull first"},
    {0, B("\x93NUMPY"), "a NumPy array (.npy)", "write it with .tofile() as uint16 or uint32"},
    {0, B("PK\x03\x04"), "a zip archive (also .npz, .pt and .docx)", UNPACK},
    {0, B("PK\x05\x06"), "an empty zip archive", UNPACK},
    {0, B("\x28\xb5\x2f\xfd"), "compressed by zstd", UNPACK},
    {0,
     B("\xfd"
       "7zXZ"),
     "compressed by xz", UNPACK},
    {0, B("7z\xbc\xaf\x27\x1c"), "a 7z archive", UNPACK},
    {0, B("\x04\x22\x4d\x18"), "compressed by lz4", UNPACK},
    {257, B("ustar"), "a tar archive", UNPACK},
    {0, B("PAR1"), "a Parquet file", SAVE},
    {0, B("ARROW1"), "an Arrow file", SAVE},
    {0, B("\x89HDF\r\n\x1a\n"), "an HDF5 file", SAVE},
    {0, B("SQLite format 3"), "an SQLite database", SAVE},
    {0, B("GGUF"), "a model in GGUF, not data", "register text or tokens"},
    {0, B("%PDF-"), "a PDF document", "extract its text first"},
    {0,
     B("\x7f"
       "ELF"),
     "a program (ELF)", "register text or tokens"},
    {0, B("\x89PNG\r\n\x1a\n"), "a PNG picture", "register text or tokens"},
    {0, B("\xff\xfe\0\0"), "text in UTF-32", AS_UTF8},
    {0, B("\0\0\xfe\xff"), "text in UTF-32", AS_UTF8},
    {0, B("\xff\xfe"), "text in UTF-16", AS_UTF8},
    {0, B("\xfe\xff"), "text in UTF-16", AS_UTF8},
};

/* RFC 1952. Two bytes alone may be a token: method, flags, and where it was made must fit too. */
static bool is_gzip(const uint8_t *head, size_t n) {
    return n >= 10 && head[0] == 0x1f && head[1] == 0x8b && head[2] == 8 && head[3] < 0x20 && head[8] <= 4 &&
           (head[9] <= 13 || head[9] == 255);
}

static bool is_bzip2(const uint8_t *head, size_t n) {
    return n >= 10 && memcmp(head, "BZh", 3) == 0 && isdigit(head[3]) && memcmp(head + 4, "1AY&SY", 6) == 0;
}

/* A length of 8 bytes, and a JSON object that long. */
static bool is_safetensors(const uint8_t *head, size_t n, uint64_t n_bytes) {
    uint64_t length = 0;
    if (n < 10 || head[8] != '{' || (head[9] != '"' && head[9] != '}')) return false;
    for (int i = 7; i >= 0; i--) length = length << 8 | head[i];
    return length >= 2 && n_bytes >= 8 && length <= n_bytes - 8;
}

static int refuse(const char *file_name, const char *name, const char *advice, struct lag_error *err) {
    return lag_error_at(err, LAG_EINVAL, "/format",
                        "%s: it is %s: %s; to read its bytes as they are, register it with format text", file_name,
                        name, advice);
}

int lag_data_refuse_others(const uint8_t *head, size_t n_head, uint64_t n_bytes, const char *file_name,
                           struct lag_error *err) {
    for (size_t i = 0; i < LAG_COUNT(kinds); i++) {
        const struct kind *kind = &kinds[i];
        if (n_head >= kind->offset + kind->n_bytes && memcmp(head + kind->offset, kind->bytes, kind->n_bytes) == 0)
            return refuse(file_name, kind->name, kind->advice, err);
    }
    if (is_gzip(head, n_head)) return refuse(file_name, "compressed by gzip", UNPACK, err);
    if (is_bzip2(head, n_head)) return refuse(file_name, "compressed by bzip2", UNPACK, err);
    if (is_safetensors(head, n_head, n_bytes))
        return refuse(file_name, "a model in safetensors, not data", "register text or tokens", err);
    return 0;
}

/* --- words of another width -------------------------------------------------------------------------------------- */

/* What is counted in words of 16 bits. */
struct words {
    size_t n;                     /* a multiple of 4 */
    size_t zero[4];               /* words that are 0, by their place in four */
    size_t high[4];               /* words below 16: the upper half of an id below 2^20 */
    size_t low_tiny, high_tiny;   /* words whose lower, upper byte is at most 3 */
    size_t low_zero, high_zero;   /* the same for 0, in words that are not */
    size_t printable;             /* words of two printable characters */
};

static bool is_printable(uint8_t c) { return (c >= 0x20 && c < 0x7f) || c == '\n' || c == '\t' || c == '\r'; }

static struct words count_words(const uint8_t *bytes, size_t n_bytes) {
    struct words w = {.n = n_bytes / 8 * 4};
    for (size_t i = 0; i < w.n; i++) {
        const uint8_t low = bytes[2 * i], high = bytes[2 * i + 1];
        w.zero[i % 4] += low == 0 && high == 0;
        w.high[i % 4] += high == 0 && low < 16;
        w.low_tiny += low <= 3;
        w.high_tiny += high <= 3;
        w.low_zero += low == 0 && high != 0;
        w.high_zero += high == 0 && low != 0;
        w.printable += is_printable(low) && is_printable(high);
    }
    return w;
}

/* Nearly all of, hardly any of n. */
static bool nearly_all(size_t count, size_t n) { return count * 100 >= n * 98; }
static bool few(size_t count, size_t n) { return count * 2 <= n; }

static const char *judge_words(const struct words *w) {
    const size_t quarter = w->n / 4, n_odd = 2 * quarter;
    const size_t odd_zero = w->zero[1] + w->zero[3], odd_high = w->high[1] + w->high[3];
    const size_t even_zero = w->zero[0] + w->zero[2], even_high = w->high[0] + w->high[2];
    const bool rest_zero = nearly_all(w->zero[1], quarter) && nearly_all(w->zero[2], quarter) &&
                           nearly_all(w->zero[3], quarter);
    if (rest_zero && few(w->zero[0], quarter)) return "uint64: write it as uint16, or as uint32 and register it as u32";
    if (nearly_all(odd_zero, n_odd) && few(even_zero, n_odd)) return "uint32: register it with format u32";
    if (nearly_all(odd_high, n_odd) && few(even_high, n_odd)) return "uint32: register it with format u32";
    if (nearly_all(even_zero, n_odd) && few(odd_zero, n_odd))
        return "uint32 in the other byte order: swap it to little-endian and register it with format u32";
    if (nearly_all(w->printable, w->n)) return "text: register it with format text";
    /* Ids below 256 swapped; or, as frequent tokens have small ids, upper bytes where the lower ones should be. */
    const bool swapped = (nearly_all(w->low_zero, w->n) && w->high_zero == 0) ||
                         (w->low_tiny * 10 >= w->n * 4 && w->high_tiny * 10 <= w->n);
    return swapped ? "uint16 in the other byte order: swap it to little-endian" : NULL;
}

int lag_data_refuse_width(const uint8_t *bytes, size_t n_bytes, const char *file_name, struct lag_error *err) {
    const struct words words = count_words(bytes, n_bytes);
    if (words.n < LAG_MIN_TOKENS) return 0;
    const char *likely = judge_words(&words);
    if (!likely) return 0;
    return lag_error_at(
        err, LAG_EINVAL, "/format",
        "%s: it would be read as uint16 tokens, but looks like %s; if it is uint16 all the same, register "
        "it with format nanogpt",
        file_name, likely);
}
