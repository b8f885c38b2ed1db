/* Heads with a Content-Length that is no number, or too large. The HTTP library answers those itself, before anybody is
 * asked, and sends the head of its answer twice. It tells so in its log just before: then the answer is sent here, and
 * the library finds the connection closed for sending. Thread: the connection's worker. */
#pragma once
struct lagd_transport;

/* From the request line on, until the head is there or the request ends. */
void lagd_heads_add(struct lagd_transport *transport);
void lagd_heads_remove(struct lagd_transport *transport); /* harmless when it is not there */
/* format: of a line of the library's log, on one of its workers. */
void lagd_heads_heard(const char *format);
