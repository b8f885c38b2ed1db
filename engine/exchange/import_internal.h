/* Inside the import of a folder. Thread: one owner. */
#pragma once
#include "format/safetensors_internal.h"
#include <lagd/engine/import.h>

#define LAG_IMPORT_MAX_SHARDS 128
#define LAG_IMPORT_INDEX "model.safetensors.index.json"

struct lag_import_shard {
    char name[LAG_IMPORT_NAME];
    struct lag_st_file file;
};
/* Where a tensor of the layout lies. */
struct lag_import_place {
    const struct lag_import_shard *shard;
    const struct lag_st_entry *entry;
};
struct lag_import {
    const char *root, *relative;      /* while it is opened only */
    struct lag_import_look look;
    char *config;
    char tokenizer[24];
    struct lag_import_file *files;
    size_t n_files, files_capacity;
    struct lag_import_ignored *ignored;
    size_t n_ignored, ignored_capacity;
    int *fds;                         /* of the files */
    size_t fds_capacity;
    struct lag_import_shard *shards;
    size_t n_shards;
    struct json_t *index;             /* NULL: the weights are one file */
    struct lag_layout layout;
    struct lag_import_place *places;  /* one a tensor of the layout */
    struct lag_import_place head;     /* the tied head's duplicate; entry NULL: none is stored */
};

/* --- import.c --- */
/* Opens a file of the folder and takes it into the list of those that are copied. LAG_ENOTFOUND: it is not there. */
int lag_import_open_file(struct lag_import *import, const char *name, int *ret_fd, struct lag_error *err);
/* The same, and its text, which the caller frees; LAG_ETOOBIG above max_bytes. */
int lag_import_read_text(struct lag_import *import, const char *name, size_t max_bytes, char **ret, size_t *ret_length,
                         struct lag_error *err);

/* --- config.c: from the text of config.json. Errors name the key. Pure --- */
int lag_import_config(const char *text, size_t length, struct lag_spec *ret, struct lag_error *err);

/* Another name of the axis in config.json, or NULL. */
const char *lag_import_alias(enum lag_spec_axis axis);

/* --- index.c: weight_map of the index's text --- */
struct lag_import_names {
    char (*names)[LAG_IMPORT_NAME]; /* of the shards, each once */
    size_t n, capacity;
};
/* *ret_map: tensor → shard, released with json_decref(). The names are the caller's to free. Pure. */
int lag_import_index(const char *text, size_t length, struct json_t **ret_map, struct lag_import_names *ret,
                     struct lag_error *err);

/* --- tensors.c: finds the places of all tensors; layout, shards and index are there --- */
int lag_import_match(struct lag_import *import, struct lag_error *err);

/* --- tokenizer.c: what the folder's tokenizer is; its files join those that are copied --- */
int lag_import_tokenizer(struct lag_import *import, struct lag_error *err);
/* The same of tokenizer.json's text: its model's type, or "bytes". Pure. */
int lag_import_tokenizer_text(const char *text, size_t length, char ret[24], int64_t *ret_size, struct lag_error *err);
