/* Headers of the ustar format (POSIX.1-2001, "pax" interchange, 10.1.1). Pure. */
#pragma once
#include <stddef.h>
#include <stdint.h>

#define LAGD_TAR_BLOCK 512
/* The header of a regular file folder/name that anybody may read. Sizes beyond 8 GiB are written in base 256, as GNU
 * tar and libarchive read them. 0, or -1 when a name does not fit (100 bytes, folder 155). */
int lagd_tar_header(const char *folder, const char *name, uint64_t n_bytes, int64_t mtime_s, char ret[LAGD_TAR_BLOCK]);
/* Bytes of zeros behind n_bytes of a file. */
size_t lagd_tar_padding(uint64_t n_bytes);
