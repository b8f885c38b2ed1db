/* Asks lagd for its runs at a steady rate over connections that stay open, and follows its metrics over others; spends as
 * little of the machine on that as it can. Prints JSON: latencies (a request that is late because the one before it took
 * long counts from the moment when it was due), what came over the streams, and its own processor time.
 * usage: load PORT REQUESTS_PER_S CONNECTIONS STREAMS SECONDS */
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

struct load {
    int port, n_connections, n_streams, epoll;
    double per_second, seconds;
    int *fds;          /* connections, then streams */
    double *due;       /* of each connection's next request; < 0: one is under way */
    double *begun;
    double *latencies; /* ms */
    long n_latencies, stream_bytes, n_failed;
};

static double now(void) {
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
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
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = (uint32_t)index};
    if (epoll_ctl(load->epoll, EPOLL_CTL_ADD, fd, &event) < 0) die("epoll_ctl");
    return fd;
}

static void ask(struct load *load, int i, double at) {
    if (write(load->fds[i], REQUEST, sizeof(REQUEST) - 1) < 0) die("write");
    load->begun[i] = at;
    load->due[i] += load->n_connections / load->per_second;
}

/* Answers are short: one read holds one. */
static void take(struct load *load, int i) {
    static char buffer[BUFFER_BYTES];
    const ssize_t n = read(load->fds[i], buffer, sizeof(buffer));
    if (n <= 0) die("the server closed a connection");
    if (i >= load->n_connections) {
        load->stream_bytes += n;
        return;
    }
    if (load->begun[i] < 0) return;
    load->n_failed += strncmp(buffer, "HTTP/1.1 200", 12) != 0;
    if (load->n_latencies < MAX_LATENCIES) load->latencies[load->n_latencies++] = (now() - load->begun[i]) * 1e3;
    load->begun[i] = -1;
}

/* What is due is asked; sleeping late is this program's fault, waiting for an answer the server's. */
static int ask_due(struct load *load, bool slept) {
    double next = 1e18;
    const double at = now();
    for (int i = 0; load->per_second > 0 && i < load->n_connections; i++) {
        if (load->begun[i] >= 0) continue;
        if (load->due[i] <= at) {
            if (slept) load->due[i] = at;
            ask(load, i, slept ? at : load->due[i]);
        } else if (load->due[i] < next) {
            next = load->due[i];
        }
    }
    return next > at + 0.2 ? 200 : (int)((next - at) * 1e3) + 1;
}

static void run(struct load *load) {
    struct epoll_event events[64];
    const double begin = now();
    for (int i = 0; i < load->n_connections; i++) {
        load->begun[i] = -1;
        load->due[i] = begin + i / (load->per_second > 0 ? load->per_second : 1);
    }
    bool slept = false;
    while (now() - begin < load->seconds) {
        const int wait_ms = ask_due(load, slept);
        const int n = epoll_wait(load->epoll, events, 64, wait_ms);
        for (int e = 0; e < n; e++) take(load, (int)events[e].data.u32);
        slept = n == 0;
    }
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
    load.latencies = calloc(MAX_LATENCIES, sizeof(double));
    if (load.epoll < 0 || !load.fds || !load.due || !load.begun || !load.latencies) die("load");
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
