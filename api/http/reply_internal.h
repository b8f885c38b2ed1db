/* The end of a request: its response handed to the HTTP library, counted and logged. */
#pragma once
#include <microhttpd.h>
struct lagd_refusals;
struct lagd_transport;

/* MHD_NO closes the connection. Thread: the connection's worker. */
enum MHD_Result lagd_reply(struct lagd_transport *transport);

/* Counts the refusals that were logged in this second. */
int lagd_refusals_create(struct lagd_refusals **ret); /* LAG_ENOMEM */
void lagd_refusals_destroy(struct lagd_refusals *refusals);
