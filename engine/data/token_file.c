/* Token file formats: names, sizes, recognition. */
#include "data/data_internal.h"
#include <lagd/base/check.h>
#include <lagd/base/error.h>
#include <lagd/base/names.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

enum { MAGIC_EVAL = 20240522 };

/* What a person may say; the first leaves it to lag_token_layout_find. */
const char *const lag_token_format_choices[] = {
    "auto",
    [1 + LAG_TOKENS_TEXT] = "text",
    [1 + LAG_TOKENS_NANOGPT] = "nanogpt",
    [1 + LAG_TOKENS_U32] = "u32",
    [1 + LAG_TOKENS_LLMC_U16] = "llmc_u16",
    [1 + LAG_TOKENS_LLMC_U32] = "llmc_u32",
    NULL,
};

struct format_row {
    unsigned width_bytes, offset_bytes;
    int32_t magic, version; /* 0: the file has no header */
    uint32_t limit;
};

static const struct format_row format_rows[LAG_N_TOKEN_FORMATS] = {
    [LAG_TOKENS_TEXT] = {1, 0, 0, 0, 256},
    [LAG_TOKENS_NANOGPT] = {2, 0, 0, 0, 65536},
    [LAG_TOKENS_U32] = {4, 0, 0, 0, LAG_MAX_VOCAB},
    [LAG_TOKENS_LLMC_U16] = {2, LAG_TOKEN_HEADER_BYTES, 20240520, 1, 65536},
    [LAG_TOKENS_LLMC_U32] = {4, LAG_TOKEN_HEADER_BYTES, 20240801, 7, LAG_MAX_VOCAB},
};

const char *lag_token_format_name(enum lag_token_format format) { return lag_token_format_choices[1 + format]; }
unsigned lag_token_format_width(enum lag_token_format format) { return format_rows[format].width_bytes; }
unsigned lag_token_format_offset(enum lag_token_format format) { return format_rows[format].offset_bytes; }
uint32_t lag_token_format_limit(enum lag_token_format format) { return format_rows[format].limit; }

int lag_token_format_parse(const char *name, enum lag_token_format *ret) {
    int i = lag_names_find(lag_token_format_choices + 1, name);
    if (i < 0) return LAG_EINVAL;
    *ret = (enum lag_token_format)i;
    return 0;
}

bool lag_token_format_is_auto(const char *format_name) {
    return !format_name || strcmp(format_name, lag_token_format_choices[0]) == 0;
}

static int32_t head_word(const uint8_t *head, size_t n_head, size_t index) {
    if (n_head < 4 * (index + 1)) return 0;
    const uint8_t *b = head + 4 * index;
    const uint32_t word = b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
    return (int32_t)word;
}

/* The llm.c format whose magic the file begins with, else LAG_N_TOKEN_FORMATS. */
static enum lag_token_format format_of_magic(int32_t magic) {
    for (int i = 0; i < LAG_N_TOKEN_FORMATS; i++)
        if (format_rows[i].magic != 0 && format_rows[i].magic == magic) return (enum lag_token_format)i;
    return LAG_N_TOKEN_FORMATS;
}

static bool ends_in_bin(const char *file_name) {
    const size_t length = strlen(file_name);
    return length >= 4 && strcasecmp(file_name + length - 4, ".bin") == 0;
}

static int choose_format(int32_t magic, const char *file_name, const char *format_name, enum lag_token_format *ret,
                         struct lag_error *err) {
    const enum lag_token_format found = format_of_magic(magic);
    if (lag_token_format_is_auto(format_name)) {
        if (found != LAG_N_TOKEN_FORMATS) *ret = found;
        else *ret = ends_in_bin(file_name) ? LAG_TOKENS_NANOGPT : LAG_TOKENS_TEXT;
        return 0;
    }
    enum lag_token_format named;
    if (lag_token_format_parse(format_name, &named) != 0) {
        (void)lag_names_refuse(lag_token_format_choices, "/format", "format", format_name, err);
        (void)lag_error_wrap(err, "%s", file_name);
        return LAG_EINVAL; /* also without err */
    }
    if (format_rows[named].magic != 0 && named != found)
        return lag_error_set(err, LAG_EINVAL, "%s: not an %s file: it begins with %" PRId32 ", not with %" PRId32,
                             file_name, format_name, magic, format_rows[named].magic);
    if ((named == LAG_TOKENS_NANOGPT || named == LAG_TOKENS_U32) && found != LAG_N_TOKEN_FORMATS)
        return lag_error_set(err, LAG_EINVAL, "%s: begins with the header of llm.c: register it as %s or auto",
                             file_name, lag_token_format_name(found));
    *ret = named;
    return 0;
}

/* llm.c's header: magic, version, number of tokens. */
static int check_header(enum lag_token_format format, const uint8_t *head, size_t n_head, uint64_t n_bytes,
                        const char *file_name, struct lag_error *err) {
    const struct format_row *row = &format_rows[format];
    if (n_head < LAG_TOKEN_HEADER_BYTES)
        return lag_error_set(err, LAG_EINVAL, "%s: %" PRIu64 " bytes, shorter than the %u-byte header of %s",
                             file_name, n_bytes, LAG_TOKEN_HEADER_BYTES, lag_token_format_name(format));
    const int32_t version = head_word(head, n_head, 1), n_tokens = head_word(head, n_head, 2);
    if (version != row->version)
        return lag_error_set(err, LAG_EUNSUPPORTED, "%s: %s version %" PRId32 "; lagd reads version %" PRId32,
                             file_name, lag_token_format_name(format), version, row->version);
    if (n_tokens < 0)
        return lag_error_set(err, LAG_EINVAL, "%s: the header counts %" PRId32 " tokens", file_name, n_tokens);
    const uint64_t expected = LAG_TOKEN_HEADER_BYTES + (uint64_t)n_tokens * row->width_bytes;
    if (n_bytes != expected)
        return lag_error_set(err, LAG_EINVAL,
                             "%s: %" PRIu64 " bytes, but its header (%" PRId32 " tokens of %u bytes) asks for %" PRIu64
                             ": the file is cut or not complete", file_name, n_bytes, n_tokens, row->width_bytes,
                             expected);
    return 0;
}

int lag_token_layout_find(const uint8_t *head, size_t n_head, uint64_t n_bytes, const char *file_name,
                          const char *format_name, struct lag_token_layout *ret, struct lag_error *err) {
    if (n_bytes == 0) return lag_error_set(err, LAG_EINVAL, "%s: the file is empty", file_name);
    const int32_t magic = head_word(head, n_head, 0);
    const bool as_text = format_name && strcmp(format_name, lag_token_format_name(LAG_TOKENS_TEXT)) == 0;
    if (magic == MAGIC_EVAL && !as_text)
        return lag_error_set(err, LAG_EINVAL, "%s: an llm.c evaluation file (magic %d): it holds multiple-choice "
                             "questions, not training text; register a training shard", file_name, MAGIC_EVAL);
    if (!as_text) {
        const int other = lag_data_refuse_others(head, n_head, n_bytes, file_name, err);
        if (other != 0) return other;
    }
    const enum lag_token_format swapped = format_of_magic((int32_t)__builtin_bswap32((uint32_t)magic));
    if (swapped != LAG_N_TOKEN_FORMATS && !as_text)
        return lag_error_set(err, LAG_EINVAL, "%s: an %s file in the other byte order: swap it to little-endian",
                             file_name, lag_token_format_name(swapped));
    enum lag_token_format format = LAG_TOKENS_TEXT;
    const int rc = choose_format(magic, file_name, format_name, &format, err);
    if (rc != 0) return rc;
    const struct format_row *row = &format_rows[format];
    if (row->magic != 0) {
        const int header_rc = check_header(format, head, n_head, n_bytes, file_name, err);
        if (header_rc != 0) return header_rc;
    }
    if (row->magic == 0 && n_bytes % row->width_bytes != 0)
        return lag_error_set(err, LAG_EINVAL, "%s: %" PRIu64 " bytes is not a whole number of uint%u tokens: the file "
                             "is cut; to read it as bytes, register it with format text", file_name, n_bytes,
                             8 * row->width_bytes);
    const uint64_t n_tokens = (n_bytes - row->offset_bytes) / row->width_bytes;
    if (n_tokens < LAG_MIN_TOKENS)
        return lag_error_set(err, LAG_EINVAL, "%s: %" PRIu64 " tokens; at least %u are needed", file_name, n_tokens,
                             LAG_MIN_TOKENS);
    *ret = (struct lag_token_layout){format, row->width_bytes, row->offset_bytes, n_tokens};
    return 0;
}

uint32_t lag_tokens_decode(const uint8_t *bytes, unsigned width_bytes, size_t n, uint32_t *ret_ids) {
    uint32_t largest = 0;
    switch (width_bytes) {
    case 1:
        for (size_t i = 0; i < n; i++) {
            ret_ids[i] = bytes[i];
            largest = LAG_MAX(largest, ret_ids[i]);
        }
        break;
    case 2:
        for (size_t i = 0; i < n; i++) {
            ret_ids[i] = bytes[2 * i] | (uint32_t)bytes[2 * i + 1] << 8;
            largest = LAG_MAX(largest, ret_ids[i]);
        }
        break;
    default:
        for (size_t i = 0; i < n; i++) {
            const uint8_t *b = bytes + 4 * i;
            ret_ids[i] = b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
            largest = LAG_MAX(largest, ret_ids[i]);
        }
    }
    return largest;
}

int64_t lag_pread_full(int fd, void *data, size_t length, uint64_t offset) {
    size_t done = 0;
    while (done < length) {
        const ssize_t n = pread(fd, (char *)data + done, length - done, (off_t)(offset + done));
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return -1;
        if (n == 0) break;
        done += (size_t)n;
    }
    return (int64_t)done;
}
