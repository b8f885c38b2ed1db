/* JSON bodies: text → jansson tree with the limits of a hostile world, tree → struct by a table of fields. Pure. */
#pragma once
#include <lagd/base/error.h>
#include <lagd/base/fields.h>
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#define LAGD_BODY_DEPTH 32
#define LAGD_FAULTS_MAX 8

/* What is wrong with a body; more than one thing may be. */
struct lagd_fault {
    bool unknown_field;
    char pointer[128], detail[256];
};
struct lagd_faults {
    int n;
    struct lagd_fault list[LAGD_FAULTS_MAX];
};
void lagd_fault_add(struct lagd_faults *faults, bool unknown_field, const char *pointer, const char *detail);
/* "unknown-field" when one is, else "validation". */
const char *lagd_faults_slug(const struct lagd_faults *faults);

/* Containers nest at most LAGD_BODY_DEPTH deep? Looks at brackets outside of texts only. */
bool lagd_json_depth_ok(const char *text, size_t length);
/* One JSON object; duplicates of a key, other top-level values, too big numbers and invalid UTF-8 are refused with
 * LAG_EINVAL. The tree is owned by the caller (json_decref). */
int lagd_json_parse(const char *text, size_t length, json_t **ret, struct lag_error *err);

/* Sets the fields of object from body; defaults are the caller's. Keys at the top that are in others (NULL-terminated,
 * or NULL) are left to the caller. pointer_prefix: "" or e.g. "/pool/1". 0, or LAG_EINVAL with at least one fault. */
int lagd_json_decode(json_t *body, const struct lag_fields *table, const char *const *others,
                     const char *pointer_prefix, void *object, struct lagd_faults *faults);
/* Appends "/<key>" to a JSON pointer, escaped (RFC 6901), cut when it does not fit. */
void lagd_pointer_append(char *pointer, size_t size, const char *key);
