/* The inside of the log: log.c makes entries of texts, log_writer.c brings them to their reader. */
#pragma once
#include <lagd/base/log.h>
#include <stdbool.h>
#include <stddef.h>

#define LAG_LOG_RECORD_BYTES 8192
#define LAG_LOG_LINE_BYTES 4096

/* One message in both its forms. The record goes to the journal; the line goes to standard error, where the journal
 * does not take the record, or where n_record is 0. */
struct lag_log_entry {
    size_t n_record, n_line;
    char record[LAG_LOG_RECORD_BYTES], line[LAG_LOG_LINE_BYTES];
};

/* cut: the text was longer than what is given. fields may be NULL. Thread: any. */
void lag_log_entry_make(struct lag_log_entry *entry, enum lag_log_level level, const struct lag_log_field *fields,
                        const char *text, bool cut);
/* Queues the entry, or counts it as lost where there is no room. false: no writer runs, so the caller writes it itself
 * by lag_log_output. Waits at most 100 ms, once for each time that the reader stands still. *ret_written: the entry is
 * out, for certain. Thread: any. */
bool lag_log_writer_put(const struct lag_log_entry *entry, bool *ret_written);
/* Writes now, and waits for the reader. false: what was written is not whole. Thread: any. */
bool lag_log_output(const struct lag_log_entry *entry);
