/* What a handler asks of the server: a reading connection, a command's answer, the next event. */
#include "request/request_internal.h"

#include "request/readers_internal.h"

#include <lagd/base/mem.h>

int lagd_request_db(struct lagd_request *request, struct lag_db **ret) {
    if (!request->db) {
        int status = lagd_reader_take(request->services->readers, &request->db, &request->err);
        if (status < 0) return status;
    }
    *ret = request->db;
    return 0;
}

void lagd_request_give_db(struct lagd_request *request) {
    lagd_reader_give(request->services->readers, request->db);
    request->db = NULL;
}

#define HEAVY_ROWS 50000 /* about 25 ms of a processor */

int lagd_request_take_place(struct lagd_request *request, enum lagd_place place) {
    if (request->place == place) return 0;
    lagd_request_give_place(request);
    int status = lagd_place_take(request->services->places, place, &request->err);
    if (status == 0) request->place = place;
    return status;
}

void lagd_request_give_place(struct lagd_request *request) {
    lagd_place_give(request->services->places, request->place);
    request->place = LAGD_PLACE_NONE;
}

int lagd_request_heavy(struct lagd_request *request, int64_t n_rows) {
    if (request->is_aside || n_rows < HEAVY_ROWS) return 0;
    int status = lagd_request_take_place(request, LAGD_PLACE_READ);
    return status < 0 ? status : LAGD_ASIDE;
}

int lagd_request_post(struct lagd_request *request, struct lagd_command *command) {
    if (!command) return lag_error_set(&request->err, LAG_EBUSY, "out of memory");
    request->command = command;
    request->answered = false;
    if (request->idempotency_key) {
        (void)lag_copy(command->key, sizeof(command->key), request->idempotency_key);
        (void)lag_copy(command->fingerprint, sizeof(command->fingerprint), request->idem.fingerprint);
        command->key_ms = lagd_supervisor_now_ms(request->supervisor);
    }
    return LAGD_WAIT;
}

int lagd_request_answer(struct lagd_request *request) {
    struct lagd_command *command = request->command;
    if (command->status == 0) return 0;
    request->err = command->err;
    request->err.code = command->status;
    return command->status;
}

int lagd_request_wait_event(struct lagd_request *request, int64_t until_ns) {
    int status = lagd_request_take_place(request, LAGD_PLACE_WAIT);
    request->wait_for_event = true;
    request->wait_until_ns = until_ns;
    return status < 0 ? status : LAGD_WAIT;
}

const struct lagd_static *lagd_request_static(const struct lagd_request *request) { return request->services->files; }

bool lagd_request_draining(const struct lagd_request *request) {
    return atomic_load(&request->services->news.draining);
}

uint64_t lagd_request_event_count(const struct lagd_request *request) {
    return atomic_load(&request->services->news.n_events);
}
