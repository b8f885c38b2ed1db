/* Log lines to standard error. engine and storage never log above debug; daemon and api log each error once.
 * Control bytes are escaped, so one call is one line. Thread: any. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
struct lag_error;

enum lag_log_level { LAG_LOG_ERROR = 3, LAG_LOG_WARNING = 4, LAG_LOG_INFO = 6, LAG_LOG_DEBUG = 7 }; /* syslog values */

/* journal: lines begin with "<6>" priority prefixes instead of a time. */
void lag_log_setup(enum lag_log_level level, int journal);
void lag_log_set_level(enum lag_log_level level);
int lag_log_level_parse(const char *text, enum lag_log_level *ret); /* error, warning, info, debug */
void lag_log(enum lag_log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The same with fields for programs, which only the journal keeps. name: A-Z, 0-9 and _; NULL ends the list; a field
 * whose value is NULL or empty is left out. */
struct lag_log_field {
    const char *name, *value;
};
void lag_log_fields(enum lag_log_level level, const struct lag_log_field *fields, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The same whatever the level is; false: it is not certain that the line was written, so say it again later. text: at
 * most 3000 bytes. */
bool lag_log_for_certain(enum lag_log_level level, const struct lag_log_field *fields, const char *text);
/* From now on messages go to the journal by its own protocol, where standard error is connected to it, and to standard
 * error with priority prefixes while the journal refuses. 0: standard error is not the journal. Thread: main. */
int lag_log_to_journal(void);
/* From now on a thread writes, and a reader that stands still holds nobody up: a caller waits at most 100 ms, once. Up
 * to 256 KiB wait for the reader; what comes then is lost, counted, and told when the reader is back. Thread: main. */
int lag_log_start(struct lag_error *err);
/* Waits up to 2 s until all is written. Then callers write by themselves again, or lose what the reader does not take.
 * Thread: main. */
void lag_log_stop(void);
/* Lines that nobody will read, since the start of the process. Thread: any. */
uint64_t lag_log_n_lost(void);
