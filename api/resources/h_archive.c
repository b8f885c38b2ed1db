/* /checkpoints/{checkpoint}/archive.tar: a checkpoint's folder as one stream. All files are opened before the first
 * byte goes out, so retention may remove the folder meanwhile. */
#include "encode/encode_internal.h"
#include "encode/tar_internal.h"
#include "resources/handlers_internal.h"

#include <lagd/base/check.h>
#include <lagd/base/fs.h>
#include <lagd/base/log.h>
#include <lagd/base/mem.h>
#include <lagd/storage/checkpoints.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct member {
    struct lag_checkpoint_file_row row;
    int fd;
};
struct archive {
    struct lag_checkpoint_row checkpoint;
    struct lagd_rows members; /* of struct member */
    size_t next;              /* member; n of them: the two blocks of zeros at the end */
    uint64_t left;            /* bytes of the present member's file */
    char block[2 * LAGD_TAR_BLOCK]; /* header, padding or the end: what goes out before the file's bytes */
    size_t n_block, taken;
    bool in_file, ended;
};

static void archive_destroy(void *arg) {
    struct archive *archive = arg;
    struct member *members = archive->members.rows;
    for (size_t i = 0; i < archive->members.n; i++) {
        if (members[i].fd >= 0) (void)close(members[i].fd);
    }
    lagd_rows_deinit(&archive->members);
    free(archive);
}

/* --- the stream -------------------------------------------------------------------------------------------------- */

static void put_zeros(struct archive *archive, size_t n) {
    memset(archive->block, 0, n);
    archive->n_block = n;
    archive->taken = 0;
}

/* The block has gone out; fills in the next: padding behind a file, the header of the next file, or the end. */
static int step(struct archive *archive) {
    struct member *members = archive->members.rows;
    if (archive->in_file) {
        archive->in_file = false;
        put_zeros(archive, lagd_tar_padding((uint64_t)members[archive->next++].row.n_bytes));
        return 0;
    }
    if (archive->next == archive->members.n) {
        put_zeros(archive, 2 * LAGD_TAR_BLOCK);
        archive->ended = true;
        return 0;
    }
    const struct lag_checkpoint_file_row *row = &members[archive->next].row;
    archive->left = (uint64_t)row->n_bytes;
    archive->in_file = true;
    archive->n_block = LAGD_TAR_BLOCK;
    archive->taken = 0;
    return lagd_tar_header(archive->checkpoint.id, row->name, archive->left, archive->checkpoint.created_ms / 1000,
                           archive->block);
}

static ssize_t read_file(struct archive *archive, char *buffer, size_t size) {
    struct member *member = (struct member *)archive->members.rows + archive->next;
    ssize_t n;
    do n = read(member->fd, buffer, (size_t)LAG_MIN((uint64_t)size, archive->left));
    while (n < 0 && errno == EINTR);
    if (n > 0) {
        archive->left -= (uint64_t)n;
        return n;
    }
    lag_log(LAG_LOG_ERROR, "http: an archive of %s broke off in %s", archive->checkpoint.id, member->row.name);
    return -1;
}

static ssize_t archive_read(void *arg, char *buffer, size_t size) {
    struct archive *archive = arg;
    for (;;) {
        if (archive->taken < archive->n_block) {
            size_t n = LAG_MIN(size, archive->n_block - archive->taken);
            memcpy(buffer, archive->block + archive->taken, n);
            archive->taken += n;
            return (ssize_t)n;
        }
        if (archive->in_file && archive->left > 0) return read_file(archive, buffer, size);
        if (archive->ended) return 0;
        if (step(archive) < 0) return -1;
    }
}

/* --- the request ------------------------------------------------------------------------------------------------- */

static int add_member(const struct lag_checkpoint_file_row *row, void *arg) {
    struct member member = {*row, -1};
    return lagd_rows_add(arg, &member);
}

static int open_member(struct lagd_request *request, const struct archive *archive, struct member *member,
                       bool again) {
    char path[LAG_ROW_PATH + 80];
    struct stat info;
    struct lag_error err = {0};
    (void)snprintf(path, sizeof(path), "%s/%s", archive->checkpoint.path, member->row.name);
    int status = lag_fs_open_beneath(lagd_supervisor_state_dir(request->supervisor), path, &member->fd, &err);
    if (status == LAG_ENOTFOUND) return lagd_checkpoint_file_away(request, &archive->checkpoint);
    if (status < 0) return lag_error_set(&request->err, LAG_EINTERNAL, "%s", err.text);
    if (fstat(member->fd, &info) == 0 && info.st_size == member->row.n_bytes)
        return lagd_checkpoint_file_check(request, &member->row, member->fd, again);
    return lag_error_set(&request->err, LAG_ECORRUPT, "%s of checkpoint %s has another size than when it was written",
                         member->row.name, archive->checkpoint.id);
}

/* 1: files have to be read first. */
static int open_archive(struct lagd_request *request, struct archive *archive, bool again, uint64_t *ret_bytes) {
    struct lag_db *db;
    uint64_t n_bytes = 2 * LAGD_TAR_BLOCK;
    int status = lagd_request_db(request, &db);
    if (status == 0) status = lag_checkpoint_get(db, request->params[0], &archive->checkpoint, &request->err);
    if (status == 0)
        status = lag_checkpoint_files(db, archive->checkpoint.id, add_member, &archive->members, &request->err);
    for (size_t i = 0; i < archive->members.n && status == 0; i++) {
        struct member *member = (struct member *)archive->members.rows + i;
        uint64_t size = (uint64_t)member->row.n_bytes;
        n_bytes += LAGD_TAR_BLOCK + size + lagd_tar_padding(size);
        status = open_member(request, archive, member, again);
    }
    *ret_bytes = n_bytes;
    return status;
}

static int answer_archive(struct lagd_request *request, bool again) {
    struct archive *archive = lag_calloc(1, sizeof(*archive));
    if (!archive) return lag_error_set(&request->err, LAG_EBUSY, "out of memory");
    archive->members = (struct lagd_rows)LAGD_ROWS_INIT(struct member);
    uint64_t n_bytes = 0;
    int status = lagd_request_take_place(request, LAGD_PLACE_DOWNLOAD);
    if (status == 0) status = open_archive(request, archive, again, &n_bytes);
    if (status > 0) status = lagd_checkpoint_files_read(request, archive->checkpoint.id, "");
    if (status != 0) {
        archive_destroy(archive);
        return status;
    }
    request->response.stream_bytes = n_bytes;
    lagd_header_set(request, "Content-Disposition", "attachment; filename=\"%s.tar\"", archive->checkpoint.id);
    request->response.stream = archive_read;
    request->response.stream_free = archive_destroy;
    request->response.stream_arg = archive;
    return 0;
}

int lagd_h_checkpoint_archive(struct lagd_request *request) { return answer_archive(request, false); }

int lagd_h_checkpoint_archive_read(struct lagd_request *request) {
    int status = lagd_request_answer(request);
    return status < 0 ? status : answer_archive(request, true);
}
