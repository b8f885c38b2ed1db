/* Who hears of commits: the HTTP server's streams. */
#pragma once
#include <stddef.h>
#include <stdint.h>
struct lag_error;
struct lag_point;
struct lagd_listener;

int lagd_listener_create(struct lagd_listener **ret, struct lag_error *err);
void lagd_listener_destroy(struct lagd_listener *listener);
/* Who is called from now on; fn NULL = nobody. Thread: any. */
void lagd_listener_on_events(struct lagd_listener *listener, void (*fn)(void *arg, int64_t last_seq), void *arg);
void lagd_listener_on_points(struct lagd_listener *listener,
                             void (*fn)(void *arg, const struct lag_point *points, size_t n_points), void *arg);
/* Tells them; last_seq 0 = the configuration was reloaded. arg: the listener, in the form that the store calls. They
 * may ask for the configuration meanwhile. Thread: any. */
void lagd_listener_events(void *arg, int64_t last_seq);
void lagd_listener_points(void *arg, const struct lag_point *points, size_t n_points);
