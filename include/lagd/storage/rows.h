/* Plain rows, as stored. Texts are always terminated; "" stands for SQL NULL. Times are wall-clock milliseconds.
 * Ids: ds_…, tok_…, md_…, run_…, gr_…, cand_…, ckpt_…, st_…. Thread: any (data only). */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#define LAG_ROW_ID 40
#define LAG_ROW_NAME 72
#define LAG_ROW_STATE 24
#define LAG_ROW_TEXT 704     /* reasons */
#define LAG_ROW_VERDICT 1024 /* its sentences, and what events say */
#define LAG_ROW_CONFIG 4096  /* a run's configuration or a growth's request, in the text form of base/fields.h */
#define LAG_ROW_SET 2720     /* ids with a comma between: the candidates of a growth */
#define LAG_ROW_SCHEDULES 2048 /* a line for each schedule that a run went through */
#define LAG_ROW_BATCHES 768    /* a line for each length that its training sequences got */
#define LAG_ROW_STRATEGY 448
#define LAG_ROW_RECIPE 2576 /* of the deepest model */
#define LAG_ROW_PATH 1024
#define LAG_ROW_POOL 8192 /* what a growth is to choose from, a line a strategy */

/* The whole-number axes of a model, as the engine names them. head_dim 0: n_embd / n_head, as wherever that is so. */
struct lag_shape {
    int64_t n_layer, n_head, n_embd, n_inner, n_positions, vocab_size, head_dim;
};
struct lag_dataset_row {
    char id[LAG_ROW_ID], name[LAG_ROW_NAME];
    char origin[16];           /* file, upload */
    char path[LAG_ROW_PATH];   /* of an upload relative to the state directory, else absolute */
    char format[16];
    int64_t n_bytes, n_tokens, max_id, vocab_size;
    char sha256[65];
    int64_t created_ms;
    char state[LAG_ROW_STATE], reason[LAG_ROW_TEXT]; /* "" when it is inserted: ready */
    int64_t n_bytes_done;      /* of its registration */
    int64_t device, inode, mtime_ns, ctime_ns; /* of the file when it was last hashed; all 0: not known */
    /* Of one whose tokens are made of a text; else "" and 0. The tokenizer is one of its own, or a model's. */
    char tokenizer_id[LAG_ROW_ID], tokenizer_name[LAG_ROW_NAME], tokenizer_sha256[65];
    char text_path[LAG_ROW_PATH]; /* as path */
    char text_sha256[65];
    int64_t text_bytes;        /* that the tokens stand for */
    char documents[16], document_field[64];
};
/* A file tokenizers/<id>/tokenizer.json. */
struct lag_tokenizer_row {
    char id[LAG_ROW_ID], name[LAG_ROW_NAME];
    char origin[16];           /* file, upload, trained, extended */
    char path[LAG_ROW_PATH];   /* it is read from there; of an upload relative to the state directory */
    char request[LAG_ROW_CONFIG]; /* how it is trained, in the text form of base/fields.h */
    char dataset_id[LAG_ROW_ID], base_id[LAG_ROW_ID]; /* what it learns from, and goes on from */
    char state[LAG_ROW_STATE], reason[LAG_ROW_TEXT];
    int64_t n_done, n_all;     /* bytes read and merges learnt */
    char kind[24], pattern[16]; /* this and what follows: "" and 0 before it is ready */
    int64_t vocab_size, n_merges, n_added;
    int64_t eos, bos;          /* ids, -1: none */
    char eos_token[64], bos_token[64];
    bool byte_level;
    int64_t n_bytes;
    char sha256[65];
    int64_t created_ms;
};
/* A folder of Hugging Face's libraries that was copied into models/<id>. */
struct lag_model_row {
    char id[LAG_ROW_ID], name[LAG_ROW_NAME];
    char path[LAG_ROW_PATH];   /* it was copied from there */
    char state[LAG_ROW_STATE], reason[LAG_ROW_TEXT];
    int64_t n_bytes;           /* of its files; 0 before they are known */
    int64_t n_bytes_done;      /* they are copied, and then read again: of twice n_bytes */
    struct lag_shape shape;    /* this and what follows: all 0 and "" before it is ready */
    double norm_eps;
    int64_t n_params;
    char dtype[8];             /* f32, bf16, f16, mixed */
    char tokenizer[24];        /* none, bytes, or what tokenizer.json calls its model */
    int64_t tokenizer_size;    /* 0: not known */
    int64_t created_ms;
};
struct lag_model_file_row {
    char model_id[LAG_ROW_ID], name[128], sha256[65];
    int64_t n_bytes;
};
/* A tensor of its files that is not read. */
struct lag_model_ignored_row {
    char model_id[LAG_ROW_ID], name[128], file[128], dtype[16], shape[96];
};
struct lag_run_row {
    char id[LAG_ROW_ID], name[LAG_ROW_NAME], dataset_id[LAG_ROW_ID], dataset_name[LAG_ROW_NAME];
    char state[LAG_ROW_STATE], reason[LAG_ROW_TEXT];
    char config[LAG_ROW_CONFIG];
    struct lag_shape shape;    /* the present one: growth changes it */
    bool gated;                /* its residual branches have gates */
    int64_t masked_until;      /* the step at which its last mask is at 1; 0: it had none */
    int64_t n_params, step, max_steps, tokens;
    double flops;              /* spent by the run itself */
    double lr_scale;           /* 1; halved by rollbacks */
    int64_t n_rollbacks, rollback_step; /* the step that was not finite last, -1 */
    bool waits;                /* paused for want of what may come back: it is tried again by itself */
    char growth_id[LAG_ROW_ID];/* growth under way, else the first of those that wait, "" when none */
    /* What it was forked or made from: "" and 0 when it was not. It may be gone since; its name is that of then. */
    char origin_run[LAG_ROW_ID], origin_name[LAG_ROW_NAME], origin_checkpoint[LAG_ROW_ID];
    int64_t origin_step;
    char model_id[LAG_ROW_ID], model_name[LAG_ROW_NAME]; /* the model that it, or what it was forked from, began from */
    char schedules[LAG_ROW_SCHEDULES]; /* of a run that was extended: each with the step that it is from; else "" */
    char batches[LAG_ROW_BATCHES]; /* lengths of sequences that growths brought, with the step each is from; else "" */
    char health[16];           /* good, above_best, diverged: its validation losses; "" = none yet */
    int64_t revision, created_ms, updated_ms;
};
struct lag_growth_row {
    char id[LAG_ROW_ID], run_id[LAG_ROW_ID];
    char state[LAG_ROW_STATE], reason[LAG_ROW_TEXT], mode[16];
    char request[LAG_ROW_CONFIG];
    int64_t at_step;           /* asked for; -1 = the next boundary */
    int64_t start_step;        /* where the parent stands, -1 before */
    char parent_checkpoint[LAG_ROW_ID];
    struct lag_shape from, to; /* the parent, and what it is to become */
    int64_t probe_steps;       /* the lag; once an allocator has ended the probe or leads it on, up to where */
    int64_t n_batches, eval_sequences;
    int64_t tokens_per_sequence; /* of training after it; 0: as before */
    int64_t eval_stride;       /* an evaluation between takes every so-many-th batch; 1: each takes all */
    double parent_loss;        /* NaN before it is known */
    double parent_flops;       /* what finding it took */
    int64_t first_rung;        /* the earliest step of the first rung; 0: no rungs, every candidate goes to the lag */
    int64_t prior_cases;       /* growths that the prior of its candidates is made of; 0: there is none */
    char prior_of[8], prior_like[8]; /* finals, lags; both, factor, any: as in daemon/prior.h */
    char audit[12], audit_reason[LAG_ROW_TEXT]; /* "", wanted, made, refused; why the last */
    int64_t revision, created_ms, updated_ms;
};
/* A model that a growth fuses with its run's own. */
struct lag_growth_parent_row {
    char growth_id[LAG_ROW_ID], checkpoint_id[LAG_ROW_ID];
    char run_id[LAG_ROW_ID], run_name[LAG_ROW_NAME]; /* whose it is; it may be gone since, the name is that of then */
    int64_t step, memory_bytes; /* of its state */
    char sha256[65];            /* of its weights' file, "" = not known */
};
struct lag_candidate_row {
    int64_t number;            /* key of its probe losses */
    char id[LAG_ROW_ID], growth_id[LAG_ROW_ID];
    int64_t position;          /* order in the pool, 0 … */
    char op[32], strategy[LAG_ROW_STRATEGY]; /* canonical text */
    char names[512];           /* all names merged into it, ", " between */
    char recipe[LAG_ROW_RECIPE]; /* "0 1 1 2" */
    bool eligible;
    char state[LAG_ROW_STATE], reason[LAG_ROW_TEXT];
    int64_t t, n_params, rewarm_steps;
    double loss_at_0, loss_at_lag, flops; /* NaN = not there */
    char checkpoint[LAG_ROW_ID];
    double prior;              /* its place by the prior, 0 first to 1 last; NaN = not known */
};
/* A growth that has a decision, and a candidate of it, as far as the prior asks. */
struct lag_prior_growth_row {
    char growth_id[LAG_ROW_ID], mode[16], basis[20], pick_at_lag[LAG_ROW_ID];
    bool tied;
    struct lag_shape from, to;
    int64_t start_step, max_steps; /* of its run */
    char study_state[LAG_ROW_STATE]; /* of the study whose candidates it trains; "" = it is of none */
};
struct lag_prior_candidate_row {
    char id[LAG_ROW_ID], op[32], state[LAG_ROW_STATE];
    bool eligible;
    double loss_at_lag;        /* NaN = not there */
};
struct lag_decision_row {
    char growth_id[LAG_ROW_ID];
    char candidate[LAG_ROW_ID];   /* applied or to be applied; "" = go on as before */
    char pick_at_0[LAG_ROW_ID];   /* the first where several share the lowest loss: tied_at_0 lists them then */
    char pick_at_lag[LAG_ROW_ID], runner_up[LAG_ROW_ID];
    double margin, margin_low, margin_high, tau, tau_0; /* NaN = undefined */
    double flops;                 /* spent by all candidates */
    double run_flops;             /* spent by the run itself up to then; NaN = not known */
    bool tied, lag_short;
    char basis[20];               /* verified, provisional, tied, nothing_to_decide, person */
    char tied_set[LAG_ROW_SET], tied_at_0[LAG_ROW_SET];
    double delta, p_now, p_end;   /* the difference that mattered; chances, NaN = unknown */
    double gain, gain_low, gain_high; /* loss of not growing above the pick's; NaN = undefined */
    double gain_flops, gain_flops_low, gain_flops_high; /* the same at equal FLOPs */
    double gain_flops_t;          /* steps of the pick that cost as much as the lag of not growing */
    int64_t short_by;             /* enum lag_short, together */
    char decided_by[16];          /* lag, user */
    char verdict[LAG_ROW_VERDICT], reason[LAG_ROW_TEXT];
    int64_t decided_ms;
};
/* What an applied growth did to the model, measured right after it. */
#define LAG_ROW_RATIOS 6656
struct lag_effect_row {
    char growth_id[LAG_ROW_ID];
    double loss_before, loss_after, logit_change, new_share, connection_rate; /* NaN = not finite */
    bool preserved;
    char rms_ratios[LAG_ROW_RATIOS]; /* one a layer, a blank between */
    int64_t measured_ms;
};
/* One look of an allocator at a growth's candidates. */
struct lag_rung_row {
    char growth_id[LAG_ROW_ID];
    int64_t r, t;              /* 1, 2, …; steps since the growth */
    char action[12];           /* go_on, end, extend */
    char kept[LAG_ROW_SET], stopped[LAG_ROW_SET], taken_up[LAG_ROW_SET];
    char leader[LAG_ROW_ID], basis[20];
    double p_now, p_end;       /* NaN = unknown */
    char reason[LAG_ROW_TEXT];
    int64_t decided_ms;
};
struct lag_checkpoint_row {
    char id[LAG_ROW_ID], run_id[LAG_ROW_ID], candidate_id[LAG_ROW_ID];
    /* periodic, pre_growth, growth, candidate, final, pause, manual, fork, start, pre_decay */
    char kind[16];
    char path[LAG_ROW_PATH];   /* relative to the state directory */
    struct lag_shape shape;
    bool gated;                /* as a run's */
    int64_t masked_until;
    int64_t step, n_bytes;
    char fingerprint[128];
    bool keep;                 /* retention leaves it alone */
    int64_t created_ms;
};
struct lag_checkpoint_file_row {
    char checkpoint_id[LAG_ROW_ID], name[64], sha256[65];
    int64_t n_bytes;
};
struct lag_series_row {
    int64_t id;
    char owner[LAG_ROW_ID];    /* run or candidate */
    char key[LAG_ROW_NAME];    /* train/loss, val/loss, optim/lr, optim/grad_norm, perf/tokens_per_s */
    bool exact;                /* a recomputed value must equal the stored one */
    int64_t n_points, first_step, last_step;
    double last_value;
    double min_value;          /* of a key val/…: its lowest one, the first that has it; NaN and -1 in others */
    int64_t min_step;
};
struct lag_point { int64_t series, step; double value; }; /* value NaN or infinite is stored as NULL */
struct lag_event_row {
    int64_t seq, ts_ms;
    char type[48];             /* see event_types.h */
    char run_id[LAG_ROW_ID], growth_id[LAG_ROW_ID], candidate_id[LAG_ROW_ID];
    char state[LAG_ROW_STATE];
    int64_t step;              /* -1 = none */
    double value;              /* NaN = none */
    char message[LAG_ROW_VERDICT];
};
/* An Idempotency-Key and what was answered to it. */
#define LAG_KEY_SIZE 256       /* with its terminator */
#define LAG_KEY_LIFE_MS (INT64_C(24) * 3600 * 1000)
struct lag_key_row {
    char key[LAG_KEY_SIZE], fingerprint[65]; /* of the request: SHA-256 */
    char resource[LAG_ROW_ID]; /* what was made or changed */
    int64_t created_ms, status; /* 0: the effect is there, the answer was not written down */
    char headers[LAG_ROW_TEXT]; /* of the answer: "Name: value", one a line */
};
