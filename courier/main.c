/* lagd-notify: takes requests from lagd, one after the other, and sends them on. */
#include "courier_internal.h"

#include <lagd/base/error.h>
#include <curl/curl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { EXIT_USAGE = 2, ALLOW_MAX = 64, IDLE_MS = 300000, TEXT_MAX = 16384 + COURIER_BODY_MAX };

static const char help[] =
    "Usage: lagd-notify [--socket PATH] [--allow HOST]... [--ca FILE]\n\n"
    "Sends lagd's notifications to https addresses, which lagd itself, without network, cannot. It is started by\n"
    "lagd-notify.socket, and ends when nobody has asked for five minutes.\n\n"
    "  --socket PATH  listen there, where no socket was passed\n"
    "  --allow HOST   call this host, and only those that are named so\n"
    "  --ca FILE      certificates of authorities to trust instead of the system's\n"
    "  --version      print the version\n"
    "  --help         print this help\n";

struct options {
    const char *socket, *ca_file;
    const char *allowed[ALLOW_MAX + 1];
    int n_allowed;
};

/* -1: go on; else the exit status. */
static int parse(int argc, char **argv, struct options *ret) {
    static const struct option known[] = {
        {"socket", required_argument, NULL, 's'}, {"allow", required_argument, NULL, 'a'},
        {"ca", required_argument, NULL, 'c'},     {"version", no_argument, NULL, 'v'},
        {"help", no_argument, NULL, 'h'},         {0}};
    for (int option; (option = getopt_long(argc, argv, "h", known, NULL)) != -1;) {
        if (option == 's') ret->socket = optarg;
        else if (option == 'c') ret->ca_file = optarg;
        else if (option == 'a' && ret->n_allowed < ALLOW_MAX) ret->allowed[ret->n_allowed++] = optarg;
        else if (option == 'v') return printf("lagd-notify %s\n", LAGD_VERSION) > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
        else if (option == 'h') return fputs(help, stdout) >= 0 ? EXIT_SUCCESS : EXIT_FAILURE;
        else return EXIT_USAGE;
    }
    if (optind == argc) return -1;
    fprintf(stderr, "lagd-notify: %s is no option. Try 'lagd-notify --help'.\n", argv[optind]);
    return EXIT_USAGE;
}

static void serve(const struct options *options, int fd, char *text) {
    struct courier_request request;
    struct lag_error err = {0};
    long status = 0;
    int rc = courier_receive(fd, text, TEXT_MAX, &request, &err);
    if (rc == 0) rc = courier_check(request.url, options->n_allowed ? options->allowed : NULL, &err);
    if (rc == 0) rc = courier_post(&request, options->ca_file, &status, &err);
    if (rc != 0) fprintf(stderr, "lagd-notify: %s\n", err.text);
    courier_answer(fd, rc == 0 ? status : 502, rc == 0 ? "" : err.text);
}

static int run(const struct options *options) {
    struct lag_error err = {0};
    char *text = malloc(TEXT_MAX);
    int listener = -1, fd = -1;
    int rc = text ? courier_listen(options->socket, &listener, &err) : lag_error_set(&err, LAG_ENOMEM, "out of memory");
    while (rc == 0 && (rc = courier_accept(listener, IDLE_MS, &fd, &err)) == 0) {
        serve(options, fd, text);
        (void)close(fd);
    }
    free(text);
    if (rc >= 0) return EXIT_SUCCESS;
    fprintf(stderr, "lagd-notify: %s\n", err.text);
    return EXIT_FAILURE;
}

int main(int argc, char **argv) {
    struct options options = {0};
    const struct sigaction ignore = {.sa_handler = SIG_IGN};
    int status = parse(argc, argv, &options);
    if (status >= 0) return status;
    (void)sigaction(SIGPIPE, &ignore, NULL);
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        fputs("lagd-notify: libcurl cannot be set up\n", stderr);
        return EXIT_FAILURE;
    }
    status = run(&options);
    curl_global_cleanup();
    return status;
}
