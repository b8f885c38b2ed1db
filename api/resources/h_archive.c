/* /checkpoints/{checkpoint}/archive.tar: a checkpoint's folder as one stream. All files are opened before the first
 * byte goes out, so retention may remove the folder meanwhile. */
#include "encode/encode_internal.h"
#include "encode/tar_stream_internal.h"
#include "resources/handlers_internal.h"

#include <lagd/base/check.h>
#include <lagd/storage/checkpoints.h>
#include <unistd.h>

static int add_file(const struct lag_checkpoint_file_row *row, void *arg) { return lagd_rows_add(arg, row); }

static int add_member(struct lagd_request *request, const struct lag_checkpoint_row *checkpoint,
                      const struct lag_checkpoint_file_row *file, bool again, struct lagd_tar_stream *stream) {
    int fd = -1;
    int status = lagd_checkpoint_file_open(request, checkpoint, file, again, &fd);
    if (status != 0) return status;
    if (lagd_tar_stream_add_fd(stream, file->name, (uint64_t)file->n_bytes, fd) == 0) return 0;
    return lag_error_set(&request->err, LAG_EBUSY, "out of memory");
}

/* 1: files have to be read first. */
static int open_archive(struct lagd_request *request, const struct lag_checkpoint_row *checkpoint,
                        const struct lagd_rows *files, bool again, struct lagd_tar_stream *stream) {
    const struct lag_checkpoint_file_row *rows = files->rows;
    int status = 0;
    for (size_t i = 0; i < files->n && status == 0; i++)
        status = add_member(request, checkpoint, &rows[i], again, stream);
    return status;
}

static int answer_archive(struct lagd_request *request, bool again) {
    struct lag_db *db;
    struct lag_checkpoint_row checkpoint;
    struct lagd_rows files = LAGD_ROWS_INIT(struct lag_checkpoint_file_row);
    struct lagd_tar_stream *stream = NULL;
    int status = lagd_request_take_place(request, LAGD_PLACE_DOWNLOAD);
    if (status == 0) status = lagd_request_db(request, &db);
    if (status == 0) status = lag_checkpoint_get(db, request->params[0], &checkpoint, &request->err);
    if (status == 0) status = lag_checkpoint_files(db, checkpoint.id, add_file, &files, &request->err);
    if (status == 0) {
        stream = lagd_tar_stream_create(checkpoint.id, checkpoint.id, checkpoint.created_ms / 1000);
        status = stream ? open_archive(request, &checkpoint, &files, again, stream)
                        : lag_error_set(&request->err, LAG_EBUSY, "out of memory");
    }
    lagd_rows_deinit(&files);
    if (status > 0) status = lagd_checkpoint_files_read(request, checkpoint.id, "");
    if (status == 0) lagd_answer_tar(request, stream, checkpoint.id);
    else lagd_tar_stream_destroy(stream);
    return status;
}

void lagd_answer_tar(struct lagd_request *request, struct lagd_tar_stream *stream, const char *name) {
    lagd_header_set(request, "Content-Disposition", "attachment; filename=\"%s.tar\"", name);
    request->response.stream_bytes = lagd_tar_stream_bytes(stream);
    request->response.stream = lagd_tar_stream_read;
    request->response.stream_free = lagd_tar_stream_destroy;
    request->response.stream_arg = stream;
}

int lagd_h_checkpoint_archive(struct lagd_request *request) { return answer_archive(request, false); }

int lagd_h_checkpoint_archive_read(struct lagd_request *request) {
    int status = lagd_request_answer(request);
    return status < 0 ? status : answer_archive(request, true);
}
