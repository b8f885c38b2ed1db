/* Asks lagd for its runs at a steady rate over connections that stay open, and follows its metrics over others. It
 * stands for clients on other machines, so it spends as little of this one as it can: it does not wake for an answer
 * but reads it at the connection's next turn, with the kernel's time stamp of its arrival. Prints JSON: latencies (a
 * request that is late because the one before it took long counts from the moment when it was due), what came over the
 * streams, and its own processor time.
 * usage: load PORT REQUESTS_PER_S CONNECTIONS STREAMS SECONDS */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define REQUEST "GET /api/v1/runs HTTP/1.1\r\nHost: localhost\r\n\r\n"
#define FOLLOW "GET /api/v1/events?topics=metric,run HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n"
#define MAX_LATENCIES 1000000
#define BUFFER_BYTES 65536
#define LATE_S 0.001    /* between looks for an answer that is late */
#define STREAMS_S 0.25  /* between looks at the streams */
#define LAST_S 0.1      /* for the last answers */

struct load {
    int port, n_connections, n_streams, epoll;
    double per_second, seconds;
    int *fds;          /* connections, then streams */
    double *due;       /* of each connection's next request */
    double *begun;     /* of the request under way; < 0: none */
    bool *late;
    double *latencies; /* ms */
    long n_latencies, stream_bytes, n_failed;
};

/* The clock of the kernel's time stamps. */
static double now(void) {
    struct timespec t;
    (void)clock_gettime(CLOCK_REALTIME, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void die(const char *what) {
    perror(what);
    exit(1);
}

static int dial(const struct load *load, int index) {
    const struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)load->port),
                                        .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const int one = 1, fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0 || connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0) die("connect");
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    (void)setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &one, sizeof(one));
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = (uint32_t)index};
    if (index >= load->n_connections && epoll_ctl(load->epoll, EPOLL_CTL_ADD, fd, &event) < 0) die("epoll_ctl");
    return fd;
}

static void ask(struct load *load, int i, double from) {
    if (send(load->fds[i], REQUEST, sizeof(REQUEST) - 1, MSG_NOSIGNAL) < 0) die("send");
    load->begun[i] = from;
    load->due[i] += load->n_connections / load->per_second;
}

/* When the kernel took the answer in. */
static double arrival(struct msghdr *message) {
    for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
        struct timespec t;
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_TIMESTAMPNS) continue;
        memcpy(&t, CMSG_DATA(c), sizeof(t));
        return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
    }
    return now();
}

/* Answers are short: one read holds one. False: it has not come yet. */
static bool take_answer(struct load *load, int i) {
    static char buffer[BUFFER_BYTES];
    _Alignas(struct cmsghdr) char control[256];
    struct iovec part = {buffer, sizeof(buffer)};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control,
                             .msg_controllen = sizeof(control)};
    if (load->begun[i] < 0) return true;
    const ssize_t n = recvmsg(load->fds[i], &message, MSG_DONTWAIT);
    if (n < 0 && errno == EAGAIN) return false;
    if (n <= 0) die("the server closed a connection");
    load->n_failed += strncmp(buffer, "HTTP/1.1 200", 12) != 0;
    if (load->n_latencies < MAX_LATENCIES)
        load->latencies[load->n_latencies++] = (arrival(&message) - load->begun[i]) * 1e3;
    load->begun[i] = -1;
    return true;
}

static void read_streams(struct load *load) {
    static char buffer[BUFFER_BYTES];
    struct epoll_event events[64];
    int n = 64;
    for (int rest = load->n_streams; n == 64 && rest > 0; rest -= n) {
        n = epoll_wait(load->epoll, events, 64, 0);
        for (int e = 0; e < n; e++) {
            const ssize_t got = read(load->fds[events[e].data.u32], buffer, sizeof(buffer));
            if (got <= 0) die("the server closed a stream");
            load->stream_bytes += got;
        }
    }
}

static void sleep_until(double when) {
    const struct timespec t = {(time_t)when, (long)((when - (double)(time_t)when) * 1e9)};
    while (clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &t, NULL) == EINTR) continue;
}

/* Asks when it is the connection's turn, and takes its last answer then: one waking a request. An answer that is not
 * there yet holds its connection up, and the next request counts from the moment it was due. Returns when to come
 * back. */
static double serve(struct load *load, int i) {
    const double at = now();
    if (at < load->due[i]) return load->due[i];
    if (!take_answer(load, i)) {
        load->late[i] = true;
        return at + LATE_S;
    }
    ask(load, i, load->late[i] ? load->due[i] : at);
    load->late[i] = false;
    return load->due[i];
}

static void run(struct load *load) {
    const double begin = now(), end = begin + load->seconds;
    double streams_due = begin;
    for (int i = 0; i < load->n_connections; i++) {
        load->begun[i] = -1;
        load->due[i] = begin + i / load->per_second;
    }
    for (double at = begin, next; at < end; at = next) {
        sleep_until(at);
        next = streams_due;
        for (int i = 0; i < load->n_connections; i++) {
            const double again = serve(load, i);
            if (again < next) next = again;
        }
        if (now() < streams_due) continue;
        read_streams(load);
        streams_due += STREAMS_S;
    }
    sleep_until(end + LAST_S);
    for (int i = 0; i < load->n_connections; i++) load->n_failed += !take_answer(load, i);
}

static int ascending(const void *a, const void *b) {
    const double left = *(const double *)a, right = *(const double *)b;
    return (left > right) - (left < right);
}

int main(int argc, char **argv) {
    struct load load = {0};
    if (argc != 6) {
        (void)fprintf(stderr, "usage: load PORT REQUESTS_PER_S CONNECTIONS STREAMS SECONDS\n");
        return 2;
    }
    load.port = atoi(argv[1]);
    load.per_second = atof(argv[2]);
    load.n_connections = atoi(argv[3]);
    load.n_streams = atoi(argv[4]);
    load.seconds = atof(argv[5]);
    const int n_fds = load.n_connections + load.n_streams;
    load.epoll = epoll_create1(0);
    load.fds = calloc((size_t)n_fds + 1, sizeof(int));
    load.due = calloc((size_t)load.n_connections + 1, sizeof(double));
    load.begun = calloc((size_t)load.n_connections + 1, sizeof(double));
    load.late = calloc((size_t)load.n_connections + 1, sizeof(bool));
    load.latencies = calloc(MAX_LATENCIES, sizeof(double));
    if (load.epoll < 0 || !load.fds || !load.due || !load.begun || !load.late || !load.latencies) die("load");
    for (int i = 0; i < n_fds; i++) {
        load.fds[i] = dial(&load, i);
        if (i >= load.n_connections && write(load.fds[i], FOLLOW, sizeof(FOLLOW) - 1) < 0) die("write");
    }
    (void)printf("ready\n");
    (void)fflush(stdout);
    run(&load);
    struct rusage usage;
    (void)getrusage(RUSAGE_SELF, &usage);
    qsort(load.latencies, (size_t)load.n_latencies, sizeof(double), ascending);
    (void)printf("{\"n_requests\": %ld, \"n_failed\": %ld, \"stream_bytes\": %ld, \"cpu_s\": %.4f, \"latencies_ms\": [",
                 load.n_latencies, load.n_failed, load.stream_bytes,
                 (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
                     1e-6 * (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec));
    for (long i = 0; i < load.n_latencies; i++) (void)printf("%s%.3f", i ? ", " : "", load.latencies[i]);
    (void)printf("]}\n");
    return 0;
}
