/* A safetensors file: length, header, rules. */
#include "format/safetensors_internal.h"
#include "fuzz.h"
#include <lagd/base/check.h>
#include <lagd/base/error.h>
#include <string.h>

/* What an accepted header promises to those who load from it. */
static void check_accepted(const struct lag_st_header *header, size_t n_file_bytes) {
    uint64_t total = 0;
    FUZZ_CHECK(header->data_offset <= n_file_bytes);
    for (size_t i = 0; i < header->n_entries; i++) {
        const struct lag_st_entry *entry = &header->entries[i];
        FUZZ_CHECK(entry->begin <= entry->end && entry->end <= n_file_bytes - header->data_offset);
        FUZZ_CHECK(lag_st_find(header, entry->name) == entry);
        FUZZ_CHECK((unsigned)entry->dtype < LAG_ST_N_DTYPES && entry->n_dims <= LAG_ST_MAX_DIMS);
        uint64_t bits = lag_st_dtype_bits(entry->dtype);
        for (uint32_t k = 0; k < entry->n_dims; k++) bits *= entry->dims[k];
        FUZZ_CHECK(bits == 8 * (entry->end - entry->begin));
        total += entry->end - entry->begin;
    }
    FUZZ_CHECK(total == n_file_bytes - header->data_offset);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    uint8_t first[8] = {0};
    uint64_t length = 0;
    struct lag_error err = {0};
    if (size > 0) memcpy(first, data, LAG_MIN(size, sizeof first));
    if (lag_st_header_length(first, size, 1 << 20, &length, &err) != 0) return 0;
    FUZZ_CHECK(length <= size - 8);
    char *text = malloc((size_t)length + 1);
    FUZZ_CHECK(text);
    memcpy(text, data + 8, (size_t)length);
    text[length] = '\0';
    struct lag_st_header header = {0};
    const int rc = lag_st_parse(text, (size_t)length, size, &header, &err);
    FUZZ_CHECK(rc == 0 || (rc == LAG_ECORRUPT && err.code == rc && err.text[0]));
    free(text);
    if (rc == 0) check_accepted(&header, size);
    lag_st_header_deinit(&header);
    return 0;
}

#define TENSOR(name, dtype, shape, offsets) \
    "\"" name "\":{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":" offsets "}"

size_t lag_fuzz_seed(size_t index, uint8_t **ret) {
    static const struct {
        const char *header;
        size_t n_data;
    } seeds[] = {
        {"{\"__metadata__\":{\"format\":\"pt\"}," TENSOR("b", "F32", "[2]", "[0,8]") ","
         TENSOR("w", "F32", "[2,2]", "[8,24]") "}   ", 24},
        {"{" TENSOR("test", "I32", "[2,2]", "[0,16]") "}", 16},
        {"{" TENSOR("s", "F64", "[]", "[0,8]") "," TENSOR("e\\u00e9\\ud83d\\ude00", "BF16", "[3,0]", "[8,8]") ","
         TENSOR("f", "F4", "[2,3]", "[8,11]") "}", 11},
        {"{\"__metadata__\":{\"a\\n\":\"\\\\\",\"b\":\"\"}}", 0},
    };
    if (index >= LAG_COUNT(seeds)) return 0;
    uint8_t file[1024] = {0};
    const uint64_t n = strlen(seeds[index].header);
    memcpy(file, &n, 8);
    memcpy(file + 8, seeds[index].header, (size_t)n);
    return lag_fuzz_copy(file, 8 + (size_t)n + seeds[index].n_data, ret);
}
