/* The OpenAPI 3.1 document, made of the route table, the bodies' tables of fields and the answers' schemas. */
#pragma once
#include "json/json_out_internal.h"
#include "request/request_internal.h"

/* Pure. */
void lagd_openapi_write(struct lagd_json *json, const struct lagd_route_table *routes);
/* Answers with it. Thread: the connection's worker. */
lagd_route_fn lagd_h_openapi;
