/* Opening a safetensors file and loading tensors from it. */
#include "format/safetensors_internal.h"
#include <lagd/base/check.h>
#include <lagd/base/cleanup.h>
#include <lagd/base/error.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CHUNK_BYTES = 256 * 1024 };
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "data are little-endian and read as they lie");

int lag_st_read_at(int fd, void *data, size_t length, uint64_t offset, struct lag_error *err) {
    for (size_t done = 0; done < length;) {
        const ssize_t n = pread(fd, (char *)data + done, length - done, (off_t)(offset + done));
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return lag_error_errno(err, errno, "cannot read");
        if (n == 0) return lag_error_set(err, LAG_ECORRUPT, "the file ends at byte %" PRIu64, offset + done);
        done += (size_t)n;
    }
    return 0;
}

static int read_header(int fd, uint64_t max_header_bytes, struct lag_st_header *ret, struct lag_error *err) {
    struct stat st;
    if (fstat(fd, &st) != 0) return lag_error_errno(err, errno, "cannot inspect");
    if (!S_ISREG(st.st_mode)) return lag_error_set(err, LAG_ECORRUPT, "not a regular file");
    const uint64_t n_file_bytes = (uint64_t)st.st_size;
    uint8_t first[8] = {0};
    uint64_t length = 0;
    int rc = n_file_bytes >= sizeof first ? lag_st_read_at(fd, first, sizeof first, 0, err) : 0;
    if (rc == 0) rc = lag_st_header_length(first, n_file_bytes, max_header_bytes, &length, err);
    if (rc != 0) return rc;
    LAG_CLEANUP(lag_free_p) char *text = calloc((size_t)length + 1, 1);
    if (!text) return lag_error_set(err, LAG_ENOMEM, "out of memory for a header of %" PRIu64 " bytes", length);
    rc = lag_st_read_at(fd, text, (size_t)length, sizeof first, err);
    return rc == 0 ? lag_st_parse(text, (size_t)length, n_file_bytes, ret, err) : rc;
}

int lag_st_open_fd(int fd, uint64_t max_header_bytes, struct lag_st_file *ret, struct lag_error *err) {
    const int rc = read_header(fd, LAG_MIN(max_header_bytes, (uint64_t)LAG_ST_MAX_HEADER_BYTES), &ret->header, err);
    if (rc == 0) ret->fd = fd;
    return rc;
}

int lag_st_open(const char *path, uint64_t max_header_bytes, struct lag_st_file *ret, struct lag_error *err) {
    LAG_CLEANUP(lag_close_p) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW);
    if (fd < 0) return lag_error_errno(err, errno, "cannot open %s", path);
    const int rc = lag_st_open_fd(fd, max_header_bytes, ret, err);
    if (rc != 0) return err ? lag_error_wrap(err, "%s", path) : rc;
    fd = -1;
    return 0;
}

void lag_st_close(struct lag_st_file *file) {
    if (file->fd >= 0) (void)close(file->fd);
    lag_st_header_deinit(&file->header);
    file->fd = -1;
}

/* IEEE 754 binary16: 1 sign, 5 exponent, 10 fraction bits. */
static float from_f16(uint16_t bits) {
    const int exponent = bits >> 10 & 31, fraction = bits & 1023;
    const float magnitude = exponent == 31 ? (fraction ? NAN : INFINITY)
                          : exponent == 0  ? ldexpf((float)fraction, -24)
                                           : ldexpf((float)(1024 + fraction), exponent - 25);
    return bits & 0x8000 ? -magnitude : magnitude;
}
/* bfloat16: the upper half of a binary32. */
static float from_bf16(uint16_t bits) {
    const uint32_t wide = (uint32_t)bits << 16;
    float value;
    memcpy(&value, &wide, sizeof value);
    return value;
}

static void convert(enum lag_st_dtype dtype, const char *bytes, size_t n, lag_real *ret) {
    for (size_t i = 0; i < n; i++) {
        uint16_t half;
        float single;
        double wide;
        switch (dtype) {
        case LAG_ST_F16:
            memcpy(&half, bytes + 2 * i, sizeof half);
            ret[i] = (lag_real)from_f16(half);
            break;
        case LAG_ST_BF16:
            memcpy(&half, bytes + 2 * i, sizeof half);
            ret[i] = (lag_real)from_bf16(half);
            break;
        case LAG_ST_F32:
            memcpy(&single, bytes + 4 * i, sizeof single);
            ret[i] = (lag_real)single;
            break;
        default:
            memcpy(&wide, bytes + 8 * i, sizeof wide);
            ret[i] = (lag_real)wide;
        }
    }
}

static bool loadable(enum lag_st_dtype dtype) {
    return dtype == LAG_ST_F32 || dtype == LAG_ST_F16 || dtype == LAG_ST_BF16 ||
           (dtype == LAG_ST_F64 && sizeof(lag_real) == sizeof(double));
}

int lag_st_load(const struct lag_st_file *file, const struct lag_st_entry *entry, lag_real *ret,
                struct lag_error *err) {
    if (!loadable(entry->dtype))
        return lag_error_set(err, LAG_EUNSUPPORTED, "tensor %.100s: cannot load dtype %s: use F32, F16 or BF16",
                             entry->name, lag_st_dtype_name(entry->dtype));
    LAG_CLEANUP(lag_free_p) char *bytes = malloc(CHUNK_BYTES);
    if (!bytes) return lag_error_set(err, LAG_ENOMEM, "out of memory");
    const size_t width = lag_st_dtype_bits(entry->dtype) / 8;
    for (uint64_t at = entry->begin; at < entry->end;) {
        const size_t n_bytes = (size_t)LAG_MIN((uint64_t)CHUNK_BYTES, entry->end - at), n = n_bytes / width;
        const int rc = lag_st_read_at(file->fd, bytes, n_bytes, file->header.data_offset + at, err);
        if (rc != 0) return rc;
        convert(entry->dtype, bytes, n, ret);
        for (size_t i = 0; i < n; i++)
            if (!isfinite(ret[i]))
                return lag_error_set(err, LAG_ENONFINITE, "tensor %.100s: element %" PRIu64 " is not finite",
                                     entry->name, (at - entry->begin) / width + i);
        ret += n;
        at += n_bytes;
    }
    return 0;
}
