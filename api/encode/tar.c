/* Writes the header of a file in a tar archive. */
#include "encode/tar_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct header {
    char name[100], mode[8], uid[8], gid[8], size[12], mtime[12], checksum[8], type, link[100], magic[6], version[2],
        user[32], group[32], major[8], minor[8], prefix[155], rest[12];
};
_Static_assert(sizeof(struct header) == LAGD_TAR_BLOCK, "a header is one block");

#define OCTAL_SIZE_MAX ((UINT64_C(1) << 33) - 1) /* 11 octal digits */

static void write_size(char field[12], uint64_t n_bytes) {
    if (n_bytes <= OCTAL_SIZE_MAX) {
        (void)snprintf(field, 12, "%011" PRIo64, n_bytes);
        return;
    }
    memset(field, 0, 12);
    field[0] = (char)0x80;
    for (int i = 11; i > 3; i--, n_bytes >>= 8) field[i] = (char)(n_bytes & 0xff);
}

int lagd_tar_header(const char *folder, const char *name, uint64_t n_bytes, int64_t mtime_s, char ret[LAGD_TAR_BLOCK]) {
    struct header header = {.type = '0', .magic = "ustar", .version = {'0', '0'}};
    size_t n_name = strlen(name), n_folder = strlen(folder);
    if (n_name > sizeof(header.name) || n_folder > sizeof(header.prefix)) return -1;
    memcpy(header.name, name, n_name);
    memcpy(header.prefix, folder, n_folder);
    (void)snprintf(header.mode, sizeof(header.mode), "%07o", 0644u);
    (void)snprintf(header.uid, sizeof(header.uid), "%07o", 0u);
    (void)snprintf(header.gid, sizeof(header.gid), "%07o", 0u);
    (void)snprintf(header.mtime, sizeof(header.mtime), "%011" PRIo64, (uint64_t)mtime_s & OCTAL_SIZE_MAX);
    write_size(header.size, n_bytes);
    /* The sum is taken with blanks in its own field, and the last blank stays. */
    memset(header.checksum, ' ', sizeof(header.checksum));
    unsigned sum = 0;
    const unsigned char *bytes = (const unsigned char *)&header;
    for (size_t i = 0; i < sizeof(header); i++) sum += bytes[i];
    (void)snprintf(header.checksum, sizeof(header.checksum), "%06o", sum & 0777777u);
    memcpy(ret, &header, sizeof(header));
    return 0;
}

size_t lagd_tar_padding(uint64_t n_bytes) {
    return (size_t)((LAGD_TAR_BLOCK - n_bytes % LAGD_TAR_BLOCK) % LAGD_TAR_BLOCK);
}
