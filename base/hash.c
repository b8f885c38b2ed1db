/* SHA-256 by libcrypto, of bytes and of files. By its low-level functions, deprecated though they are: they take no
 * memory and so cannot fail. What fetches an algorithm may crash inside libcrypto 3.0 when memory is short. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include <lagd/base/hash.h>

#include <lagd/base/cleanup.h>
#include <lagd/base/error.h>
#include <lagd/base/mem.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { READ_BYTES = 1 << 18 };

struct lag_sha256 {
    SHA256_CTX context;
};

LAG_DEFINE_CLEANUP(struct lag_sha256, destroy_p, lag_sha256_destroy)

int lag_sha256_create(struct lag_sha256 **ret) {
    struct lag_sha256 *hash = lag_calloc(1, sizeof(*hash));
    if (!hash) return LAG_ENOMEM;
    (void)SHA256_Init(&hash->context);
    *ret = hash;
    return 0;
}

void lag_sha256_update(struct lag_sha256 *hash, const void *data, size_t length) {
    (void)SHA256_Update(&hash->context, data, length);
}

static void to_hex(const unsigned char *digest, char ret_hex[LAG_SHA256_HEX]) {
    static const char digits[] = "0123456789abcdef";
    for (int i = 0; i < SHA256_DIGEST_LENGTH; i++) {
        ret_hex[2 * i] = digits[digest[i] >> 4];
        ret_hex[2 * i + 1] = digits[digest[i] & 15];
    }
    ret_hex[2 * SHA256_DIGEST_LENGTH] = '\0';
}

void lag_sha256_finish(struct lag_sha256 *hash, char ret_hex[LAG_SHA256_HEX]) {
    unsigned char digest[SHA256_DIGEST_LENGTH];
    (void)SHA256_Final(digest, &hash->context);
    to_hex(digest, ret_hex);
    lag_sha256_destroy(hash);
}

void lag_sha256_destroy(struct lag_sha256 *hash) {
    free(hash);
}

void lag_sha256_bytes(const void *data, size_t length, char ret_hex[LAG_SHA256_HEX]) {
    struct lag_sha256 hash; /* SHA256() itself fetches */
    unsigned char digest[SHA256_DIGEST_LENGTH];
    (void)SHA256_Init(&hash.context);
    (void)SHA256_Update(&hash.context, data, length);
    (void)SHA256_Final(digest, &hash.context);
    to_hex(digest, ret_hex);
}

static int hash_fd(int fd, const char *path, struct lag_sha256 *hash, struct lag_error *err) {
    LAG_CLEANUP(lag_free_p) char *buffer = malloc(READ_BYTES);
    if (!buffer) return lag_error_set(err, LAG_ENOMEM, "out of memory while hashing %s", path);
    for (;;) {
        ssize_t got = read(fd, buffer, READ_BYTES);
        if (got == 0) return 0;
        if (got > 0) lag_sha256_update(hash, buffer, (size_t)got);
        if (got < 0 && errno != EINTR) return lag_error_errno(err, errno, "cannot read %s", path);
    }
}

int lag_sha256_file(const char *path, char ret_hex[LAG_SHA256_HEX], struct lag_error *err) {
    LAG_CLEANUP(lag_close_p) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0) return lag_error_errno(err, errno, "cannot open %s", path);
    struct stat info;
    if (fstat(fd, &info) != 0) return lag_error_errno(err, errno, "cannot examine %s", path);
    if (!S_ISREG(info.st_mode)) return lag_error_set(err, LAG_EINVAL, "%s is not a regular file", path);
    LAG_CLEANUP(destroy_p) struct lag_sha256 *hash = NULL;
    int status = lag_sha256_create(&hash);
    if (status < 0) return lag_error_set(err, status, "cannot begin a SHA-256 of %s", path);
    status = hash_fd(fd, path, hash, err);
    if (status < 0) return status;
    lag_sha256_finish(LAG_TAKE(hash), ret_hex);
    return 0;
}

/* The length of a and b is not hidden, only their contents: digests and tokens have public lengths. */
bool lag_equal_constant_time(const char *a, const char *b) {
    size_t length = strlen(a);
    if (strlen(b) != length) return false;
    return CRYPTO_memcmp(a, b, length) == 0;
}
