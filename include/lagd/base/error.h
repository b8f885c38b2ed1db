/* Errors.
 *
 * A function returns 0 for success, a negative lag_code for a failure that the caller forwards unchanged, and, where
 * its header lists them, a small positive number for a condition that the caller must handle and never forwards.
 * Text for people travels in a caller-owned struct lag_error (NULL is allowed everywhere) and says what to change.
 * Thread: any; a struct lag_error belongs to one thread at a time. */
#pragma once

enum lag_code {
    LAG_OK = 0,
    LAG_EINVAL = -1,       /* the input is wrong; the text says how to mend it */
    LAG_ENOTFOUND = -2,    /* no such thing */
    LAG_EEXIST = -3,       /* the name is taken */
    LAG_ESTATE = -4,       /* not possible in the present state */
    LAG_ENOMEM = -5,       /* an allocation failed: there is no memory now */
    LAG_EIO = -6,          /* the operating system refused a read or write */
    LAG_ENOSPC = -7,       /* the disk is full */
    LAG_ECORRUPT = -8,     /* stored data does not verify */
    LAG_EBUSY = -9,        /* someone else holds it; try again later */
    LAG_ECANCELED = -10,   /* the caller asked to stop */
    LAG_ENONFINITE = -11,  /* NaN or infinity where a finite number is needed */
    LAG_EUNSUPPORTED = -12,/* well-formed, but this build or version cannot */
    LAG_EDENIED = -13,     /* not permitted (path outside the roots, permission bits) */
    LAG_ETOOBIG = -14,     /* larger than the stated limit */
    LAG_EVERSION = -15,    /* written by a newer lagd */
    LAG_EINTERNAL = -16,   /* a defect in lagd */
    LAG_EAWAY = -17,       /* files that are listed are not there: they may come back */
    LAG_ESHORT = -18,      /* no descriptor, thread or other thing of the system is free now */
    LAG_EPATH = -19,       /* the path leads nowhere: a part of it is no folder, is one, or is too long */
    LAG_EFIT = -20,        /* predicted not to fit in the memory that can be granted */
};

/* What kind of cause a code tells of, and so what is done about it. docs/errors.md lists both tables. */
enum lag_cause {
    LAG_CAUSE_NONE,    /* no error, or no lag_code */
    LAG_CAUSE_PASSES,  /* it may pass by itself: wait and try again */
    LAG_CAUSE_OUTSIDE, /* something outside has to be mended by a person: stop, tell it, go on when asked */
    LAG_CAUSE_DAMAGE,  /* what is stored is missing or no good: go back to what was stored before */
    LAG_CAUSE_ASKED,   /* it cannot be done as it was asked for: the caller's mistake (HTTP 4xx) */
    LAG_CAUSE_OWN,     /* the numbers themselves: trying again makes the same */
    LAG_CAUSE_STOP,    /* it was told to stop */
    LAG_CAUSE_DEFECT,  /* of lagd */
    LAG_N_CAUSES
};

struct lag_error {
    int code;
    char pointer[128]; /* JSON pointer (or config key) of the offending field, "" when none */
    char text[704];
};

/* Fills err (if not NULL) and returns code, so that it can be returned directly. */
int lag_error_set(struct lag_error *err, int code, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* The same, naming the field at fault, e.g. "/model/n_layer". */
int lag_error_at(struct lag_error *err, int code, const char *pointer, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* Code and text for errno value error_number, the code by lag_code_of_errno. The text is "<formatted>: <strerror>". */
int lag_error_errno(struct lag_error *err, int error_number, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Puts "<formatted>: " before the text already in err; returns err->code (LAG_EINTERNAL when err is NULL). */
int lag_error_wrap(struct lag_error *err, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* "invalid", "not_found", … for logs and tests. */
const char *lag_code_name(int code);
enum lag_cause lag_code_cause(int code);
/* By the table of errno values in error.c; LAG_EIO for those that are not in it. */
int lag_code_of_errno(int error_number);
