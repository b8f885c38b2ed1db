/* The server's inside: what is lent to requests, and one private struct for each other concern. Each of them keeps its
 * own lock; no function holds two at once. */
#pragma once
#include "request/services_internal.h"

struct lagd_heavy;
struct lagd_listeners;
struct lagd_reaper;
struct lagd_refusals;
struct lagd_policy;
struct lagd_sockets;
struct lagd_waits;

struct lagd_server {
    struct lagd_services services;
    struct lagd_policy *policy;       /* policy_internal.h: configuration and token in force */
    struct lagd_listeners *listeners; /* listeners_internal.h */
    struct lagd_sockets *sockets;     /* sockets_internal.h: accepted ones, with deadlines */
    struct lagd_waits *waits;         /* wait_internal.h: requests that are suspended */
    struct lagd_heavy *heavy;         /* heavy_internal.h: threads for handlers that take long */
    struct lagd_reaper *reaper;       /* reaper_internal.h: the thread that looks after time */
    struct lagd_refusals *refusals;   /* reply.c: how many were logged in this second */
};
