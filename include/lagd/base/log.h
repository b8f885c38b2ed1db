/* Log lines to standard error. engine and storage never log above debug; daemon and api log each error once.
 * Control bytes are escaped, so one call is one line. Thread: any. */
#pragma once

enum lag_log_level { LAG_LOG_ERROR = 3, LAG_LOG_WARNING = 4, LAG_LOG_INFO = 6, LAG_LOG_DEBUG = 7 }; /* syslog values */

/* journal: lines begin with "<6>" priority prefixes instead of a time. */
void lag_log_setup(enum lag_log_level level, int journal);
void lag_log_set_level(enum lag_log_level level);
int lag_log_level_parse(const char *text, enum lag_log_level *ret); /* error, warning, info, debug */
void lag_log(enum lag_log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));
