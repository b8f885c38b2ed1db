/* A folder that Hugging Face's libraries have written, as a model of lagd: config.json, the weights in one safetensors
 * file or in shards with an index, and the tokenizer's files. The folder is read below a root and without links; it is
 * looked at, copied, and from the copy the weights are checked and loaded. Names, with the prefix "transformer." or
 * without, and layouts are those of the parameter table (params.h).
 *
 * Errors name file, tensor or key, and rule: LAG_EINVAL, LAG_EUNSUPPORTED, LAG_ECORRUPT, LAG_ENONFINITE, LAG_ETOOBIG,
 * LAG_ENOTFOUND and LAG_EDENIED are the folder's; others, of reading it. Thread: one owner. */
#pragma once
#include <lagd/engine/state.h>
#include <lagd/base/hash.h>
struct lag_error;
struct lag_fs_watch;
struct lag_strbuf;
struct lag_import;

enum { LAG_IMPORT_NAME = 128 };
#define LAG_IMPORT_MAX_CONFIG_BYTES 65536

struct lag_import_file {
    char name[LAG_IMPORT_NAME];
    uint64_t n_bytes;
};
/* A tensor that is not read: a buffer, or the tied head's duplicate. */
struct lag_import_ignored {
    const char *file, *name, *dtype;
    char shape[96]; /* "[1,1,1024,1024]" */
};
struct lag_import_look {
    struct lag_spec spec;
    const char *dtype;       /* f32, bf16, f16, or mixed */
    const char *tokenizer;   /* none; bytes: as lagd's own, id = byte; else what tokenizer.json calls its model */
    int64_t tokenizer_size;  /* tokens that it knows; 0: not known */
    const char *config;      /* the text of config.json */
    const struct lag_import_file *files; /* all that are copied */
    size_t n_files;
    uint64_t n_bytes;        /* of all of them */
    const struct lag_import_ignored *ignored; /* sorted by name */
    size_t n_ignored;
};

/* Reads configuration, index and headers, and holds them against each other. relative: of the folder below root, ""
 * for root itself. */
int lag_import_open(const char *root, const char *relative, struct lag_import **ret, struct lag_error *err);
void lag_import_close(struct lag_import *import); /* NULL is allowed */
const struct lag_import_look *lag_import_look(const struct lag_import *import); /* borrowed */
/* Copies the files into the folder to, which is there and has none of them, durably but for their names. hashes: one a
 * file. LAG_ECANCELED by watch, which may be NULL. */
int lag_import_copy(const struct lag_import *import, const char *to, char (*hashes)[LAG_SHA256_HEX],
                    const struct lag_fs_watch *watch, struct lag_error *err);
/* Every element is finite, and a stored duplicate of the tied head is the embedding bit for bit. */
int lag_import_check(const struct lag_import *import, const struct lag_fs_watch *watch, struct lag_error *err);
/* Loads the weights into a state of this spec; the rest of it is left alone. */
int lag_import_load(const struct lag_import *import, struct lag_state *state, struct lag_error *err);
/* text: the config.json of an import. What it becomes for a model of this spec in this dtype ("float32", …): the text
 * itself where both are as it says; else with what has changed, and all its other keys. Pure. */
int lag_import_reconfigure(const char *text, const struct lag_spec *spec, const char *torch_dtype,
                           struct lag_strbuf *out, struct lag_error *err);
