/* Prints the OpenAPI document; docs/openapi.json is made with it:
 *     build/tests/api/print_openapi >docs/openapi.json */
#include <stdio.h>
#include <stdlib.h>

#include "openapi/openapi_internal.h"
#include <lagd/api/server.h>

int main(void) {
    struct lagd_json json;
    size_t length = 0;
    lagd_json_init(&json, true);
    lagd_openapi_write(&json, &lagd_routes);
    char *text = lagd_json_take(&json, &length);
    if (!text || fwrite(text, 1, length, stdout) != length || fflush(stdout) != 0) return 1;
    free(text);
    return 0;
}
