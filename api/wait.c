/* Requests that wait: for a command's answer, or for the next event. The connection is suspended meanwhile; the library
 * does not notice a client that goes away then, so a request always lives until it was resumed. */
#include "server_internal.h"

static void command_done(struct lagd_command *command) {
    struct lagd_transport *transport = command->arg;
    struct lagd_server *server = transport->request.server;
    (void)pthread_mutex_lock(&server->lock);
    transport->request.answered = true;
    MHD_resume_connection(transport->connection); /* from here on the worker may free the request */
    server->n_commands--;
    (void)pthread_cond_broadcast(&server->changed);
    (void)pthread_mutex_unlock(&server->lock);
}

static void wait_command(struct lagd_transport *transport) {
    struct lagd_request *request = &transport->request;
    struct lagd_server *server = request->server;
    struct lagd_command *command = request->command;
    command->done = command_done;
    command->arg = transport;
    MHD_suspend_connection(transport->connection);
    (void)pthread_mutex_lock(&server->lock);
    server->n_commands++;
    bool draining = server->draining;
    (void)pthread_mutex_unlock(&server->lock);
    int status = draining ? LAG_ECANCELED : lagd_supervisor_post(request->supervisor, command);
    if (status == 0) return; /* neither request nor command may be touched any more */
    command->status =
        lag_error_set(&command->err, status,
                      status == LAG_ECANCELED ? "the daemon is stopping" : "too many commands wait; try again");
    command_done(command);
}

static void wait_event(struct lagd_transport *transport) {
    struct lagd_server *server = transport->request.server;
    MHD_suspend_connection(transport->connection);
    (void)pthread_mutex_lock(&server->lock);
    if (server->draining || server->n_events != transport->request.wait_seen) {
        MHD_resume_connection(transport->connection); /* something came while the handler looked */
    } else {
        transport->waiting = true;
        transport->next_waiting = server->waiting;
        server->waiting = transport;
    }
    (void)pthread_mutex_unlock(&server->lock);
}

void lagd_wait(struct lagd_transport *transport) {
    if (transport->request.wait_for_event)
        wait_event(transport);
    else
        wait_command(transport);
}

static void resume_locked(struct lagd_transport *transport) {
    transport->waiting = false;
    MHD_resume_connection(transport->connection);
}

void lagd_wake_events(struct lagd_server *server) {
    (void)pthread_mutex_lock(&server->lock);
    server->n_events++;
    while (server->waiting) {
        struct lagd_transport *transport = server->waiting;
        server->waiting = transport->next_waiting;
        resume_locked(transport);
    }
    (void)pthread_mutex_unlock(&server->lock);
}

void lagd_wake_expired_locked(struct lagd_server *server, int64_t now_ns) {
    for (struct lagd_transport **link = &server->waiting; *link;) {
        struct lagd_transport *transport = *link;
        if (now_ns < transport->request.wait_until_ns) {
            link = &transport->next_waiting;
            continue;
        }
        *link = transport->next_waiting;
        resume_locked(transport);
    }
}
