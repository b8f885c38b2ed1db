/* Conditional requests (RFC 9110 §13) on things that have a revision: their tag is "rN". */
#pragma once
#include "request/request_internal.h"

/* Does a list of tags name this one? Weak comparison, as If-None-Match asks for; "*" names all. header may be NULL. */
bool lagd_etag_listed(const char *header, const char *tag);
/* The revisions that If-Match allows. Weak tags never match; what is no tag of a revision matches none. */
void lagd_etag_precondition(const char *header, struct lagd_precondition *ret);
/* Sets ETag alone: of what also tells what moves without another revision. */
void lagd_etag_tell(struct lagd_request *request, int64_t revision);
/* Sets ETag. true: the client has this revision already, and the answer is made: 304. */
bool lagd_etag_fresh(struct lagd_request *request, int64_t revision);
/* The answered command's failed precondition as a problem. */
int lagd_fail_revision(struct lagd_request *request);
