/* Commands to the supervisor: the only way by which the api changes anything. Thread: stated per function. */
#pragma once
#include <lagd/base/error.h>
#include <lagd/daemon/extension.h>
#include <lagd/daemon/fork_request.h>
#include <lagd/daemon/growth_request.h>
#include <lagd/daemon/plan_request.h>
#include <lagd/daemon/run_config.h>
#include <lagd/daemon/run_from.h>
#include <lagd/daemon/study_request.h>
#include <lagd/daemon/tokenizer_request.h>
struct lag_db;
struct lagd_supervisor;
struct lagd_fork;
struct lagd_growth_plan;

enum lagd_command_type {
    LAGD_RUN_CREATE,
    LAGD_RUN_PAUSE,
    LAGD_RUN_RESUME,
    LAGD_RUN_CANCEL,
    LAGD_RUN_CHECKPOINT,
    LAGD_RUN_PATCH,
    LAGD_RUN_DELETE,
    LAGD_RUN_FORK,
    LAGD_RUN_EXTEND,
    LAGD_GROWTH_CREATE,
    LAGD_GROWTH_CANCEL,
    LAGD_GROWTH_DECIDE,
    LAGD_GROWTH_AUDIT, /* makes a study: its id, and the state of the growth on LAG_ESTATE */
    LAGD_PLAN_SET,
    LAGD_PLAN_REMOVE,
    LAGD_DATASET_ADD,
    LAGD_DATASET_DELETE,
    LAGD_MODEL_ADD,
    LAGD_MODEL_DELETE,
    LAGD_TOKENIZER_ADD,  /* with a target: one that goes on from it */
    LAGD_TOKENIZER_DELETE,
    LAGD_TOKENIZER_CODE, /* ids are in u.coding; text: what they stand for, or the pieces */
    LAGD_STUDY_CREATE,
    LAGD_STUDY_PAUSE,
    LAGD_STUDY_RESUME,
    LAGD_STUDY_CANCEL,
    LAGD_STUDY_DELETE,
    LAGD_CHECKPOINT_KEEP,
    LAGD_CHECKPOINT_DELETE,
    LAGD_CHECKPOINT_CHECK, /* reads files, so that lagd_supervisor_hash_of knows them */
    LAGD_GENERATE,
    LAGD_KEY_ANSWER,
    LAGD_RELOAD,
    LAGD_PING,
    LAGD_N_COMMANDS
};
const char *lagd_command_name(enum lagd_command_type type);

/* Bytes of texts that people give. */
#define LAGD_PROMPT_MAX 2047
#define LAGD_REASON_MAX 511
struct lagd_dataset_add {
    char name[65];
    char path[LAG_ROW_PATH];    /* a file below the configured roots: absolute or relative to the only root … */
    char upload[LAG_ROW_PATH];  /* … or an uploaded temporary file, which is moved in (removed on failure) */
#define LAGD_UPLOAD_END ".part" /* of its name in uploads/, behind the request's id: a start removes such files */
    char file_name[128];        /* what the format is guessed from */
    char format[16];            /* auto, text, nanogpt, llmc_u16, llmc_u32 */
    int64_t vocab_size;         /* 0 = not declared */
    char tokenizer[LAG_ROW_NAME]; /* whose tokens are made of the text; "": the file is taken as it is */
    char documents[16], document_field[64];
    int64_t wait_s;             /* for the registration's end, at most; 0: as suits its size, -1: not at all */
};
struct lagd_model_add {
    char name[65];
    char path[LAG_ROW_PATH];    /* of a folder below the configured roots: absolute or relative to the only root */
};
struct lagd_generate_request {
    char checkpoint[LAG_ROW_ID]; /* id, or "" with run = its latest state */
    char prompt[LAGD_PROMPT_MAX + 1];
    int64_t n_tokens, top_k, seed;
    double temperature;
};
extern const struct lag_fields lagd_model_fields, lagd_dataset_fields,
    lagd_generate_fields; /* all; all but upload; all but checkpoint, prompt */
/* The answer to a request with an Idempotency-Key, to be kept. */
struct lagd_key_answer {
    struct lag_key_row row;
    char *body;                 /* owned */
};
/* Obeyed by RUN_PATCH, RUN_DELETE and GROWTH_DECIDE: carried out only while the target has one of these revisions. */
struct lagd_precondition {
    bool given;
    int n;                      /* 0 with given: none is right */
    int64_t revisions[4];
};
struct lagd_command {
    enum lagd_command_type type;
    char target[LAG_ROW_NAME];  /* run, growth, dataset, model, tokenizer or checkpoint: id or name */
    char reason[LAGD_REASON_MAX + 1];
    union {
        struct lagd_run_config *run;          /* owned: freed with the command */
        struct lagd_run_patch *patch;         /* owned */
        struct lagd_extension_request *extension; /* owned */
        struct lagd_fork_request *fork;       /* owned; its run is the target */
        struct lagd_growth_request *growth;   /* owned */
        struct lagd_plan_request *plan;       /* owned; its run is the target */
        struct lagd_study_request *study;     /* owned */
        struct { bool approve; char candidate[LAG_ROW_ID]; } decide; /* approve with "" = the decision's pick */
        struct lagd_dataset_add *dataset;     /* owned */
        struct lagd_model_add *model;         /* owned */
        struct lagd_tokenizer_add *tokenizer; /* owned */
        struct lagd_coding *coding;           /* owned */
        struct lagd_generate_request *generate; /* owned */
        struct lagd_key_answer *answer;         /* owned */
        bool keep;
        char file[64];                        /* CHECKPOINT_CHECK: its name; "" = all of the checkpoint */
    } u;
    struct lagd_run_from *from; /* RUN_CREATE: what it begins from; NULL: random weights. owned */
    struct lagd_precondition if_match;
    /* The request's Idempotency-Key and fingerprint, "" without one: a row with status 0 is written in the transaction
     * of the command's effect. A pause, cancellation or checkpoint of a run with a thread leaves that to KEY_ANSWER. */
    char key[LAG_KEY_SIZE], fingerprint[65];
    int64_t key_ms; /* when the key came, by lagd_supervisor_now_ms */
    /* Of the daemon's own commands, NULL in others: also written in that transaction. resource: id of what is made or
     * changed. */
    int (*along)(struct lag_db *db, const char *resource, void *arg, struct lag_error *err);
    void *along_arg;
    /* the answer */
    bool mismatch;              /* on LAG_ESTATE: the precondition failed; revision is the present one */
    int64_t revision;
    int status;                 /* 0 or a lag_code, with err */
    struct lag_error err;
    char id[LAG_ROW_ID];        /* of what was made or changed */
    char state[LAG_ROW_STATE];  /* on LAG_ESTATE: the state that forbids it */
    char *text;                 /* GENERATE: the bytes made, base text; length in n_text. owned */
    size_t n_text;
    int64_t step;               /* GENERATE: of the state used; id is "" where that is no checkpoint */
    struct lag_state *lent;     /* GENERATE: the daemon's own on the way. owned */
    struct lagd_fork *copied;   /* RUN_FORK, RUN_CREATE: the same. owned */
    struct lagd_growth_plan *grown; /* RUN_FORK: of the growth that it begins with. owned */
    /* Called exactly once when the answer is there, on a thread of the daemon; it must not block. The command is the
     * receiver's again. */
    void (*done)(struct lagd_command *command);
    void *arg;
};
struct lagd_command *lagd_command_create(enum lagd_command_type type);
void lagd_command_destroy(struct lagd_command *command);
/* Takes the command on 0. LAG_EBUSY: too many wait; LAG_ECANCELED: the daemon is stopping. Thread: any. */
int lagd_supervisor_post(struct lagd_supervisor *supervisor, struct lagd_command *command);
