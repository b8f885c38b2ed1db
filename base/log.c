/* The log: one call is one line, to standard error or to the journal. */
#include <lagd/base/log.h>

#include "journal_internal.h"
#include "log_internal.h"

#include <lagd/base/check.h>
#include <lagd/base/clock.h>
#include <lagd/base/error.h>
#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

/* Global, because every thread logs and standard error is one. */
static atomic_int max_level = LAG_LOG_INFO;
static atomic_int for_journal, to_journal;

static const struct {
    enum lag_log_level level;
    const char *name;
} levels[] = {
    {LAG_LOG_ERROR, "error"}, {LAG_LOG_WARNING, "warning"}, {LAG_LOG_INFO, "info"}, {LAG_LOG_DEBUG, "debug"},
};

static const char *level_name(enum lag_log_level level) {
    for (size_t i = 0; i < LAG_COUNT(levels); i++) {
        if (levels[i].level == level) return levels[i].name;
    }
    return "note";
}

void lag_log_setup(enum lag_log_level level, int journal) {
    atomic_store(&max_level, (int)level);
    atomic_store(&for_journal, journal);
}

void lag_log_set_level(enum lag_log_level level) { atomic_store(&max_level, (int)level); }

int lag_log_level_parse(const char *text, enum lag_log_level *ret) {
    for (size_t i = 0; i < LAG_COUNT(levels); i++) {
        if (strcmp(levels[i].name, text) == 0) {
            *ret = levels[i].level;
            return 0;
        }
    }
    return LAG_EINVAL;
}

/* Copies text with control bytes as \n, \t, \xNN; returns the length. Stops before the line would not fit. */
static size_t escape(char *line, size_t size, const char *text) {
    size_t length = 0;
    for (const unsigned char *p = (const unsigned char *)text; *p && length + 5 < size; p++) {
        if (*p >= 0x20 && *p != 0x7f) {
            line[length++] = (char)*p;
        } else if (*p == '\n' || *p == '\t') {
            line[length++] = '\\';
            line[length++] = *p == '\n' ? 'n' : 't';
        } else {
            length += (size_t)snprintf(line + length, 5, "\\x%02x", *p);
        }
    }
    return length;
}

/* Text with its priority, its fields and who says it, as the journal takes it; returns the length. */
static size_t make_record(char *record, enum lag_log_level level, const struct lag_log_field *fields,
                          const char *text) {
    const size_t size = LAG_LOG_RECORD_BYTES;
    int head = snprintf(record, size, "PRIORITY=%d\nSYSLOG_IDENTIFIER=lagd\nMESSAGE=", (int)level);
    size_t length = (size_t)head + escape(record + head, 4096, text);
    record[length++] = '\n';
    for (; fields && fields->name; fields++) {
        if (!fields->value || !*fields->value || length + strlen(fields->name) + 300 > size) continue;
        length += (size_t)snprintf(record + length, size - length, "%s=", fields->name);
        length += escape(record + length, 256, fields->value);
        record[length++] = '\n';
    }
    return length;
}

static size_t make_line(char *line, enum lag_log_level level, const char *text, bool cut) {
    const size_t size = LAG_LOG_LINE_BYTES;
    int head;
    if (atomic_load(&for_journal)) {
        head = snprintf(line, size, "<%d>", (int)level);
    } else {
        char now[32];
        lag_clock_rfc3339(lag_clock_wall_ms(), now);
        head = snprintf(line, size, "%s %s: ", now, level_name(level));
    }
    size_t length = (size_t)head;
    length += escape(line + length, size - length - 4, text);
    if (cut) {
        memcpy(line + length, "...", 3);
        length += 3;
    }
    line[length++] = '\n';
    return length;
}

void lag_log_entry_make(struct lag_log_entry *entry, enum lag_log_level level, const struct lag_log_field *fields,
                        const char *text, bool cut) {
    entry->n_record = atomic_load(&to_journal) ? make_record(entry->record, level, fields, text) : 0;
    entry->n_line = make_line(entry->line, level, text, cut);
}

static void __attribute__((format(printf, 3, 0)))
say(enum lag_log_level level, const struct lag_log_field *fields, const char *format, va_list args) {
    int saved_errno = errno;
    char text[3000];
    struct lag_log_entry entry;
    int wanted = vsnprintf(text, sizeof(text), format, args);
    if (wanted < 0) text[0] = '\0';
    lag_log_entry_make(&entry, level, fields, text, wanted >= (int)sizeof(text));
    bool written;
    if (!lag_log_writer_put(&entry, &written)) (void)lag_log_output(&entry);
    errno = saved_errno;
}

bool lag_log_for_certain(enum lag_log_level level, const struct lag_log_field *fields, const char *text) {
    struct lag_log_entry entry;
    bool written;
    lag_log_entry_make(&entry, level, fields, text, false);
    return lag_log_writer_put(&entry, &written) ? written : lag_log_output(&entry);
}

void lag_log(enum lag_log_level level, const char *format, ...) {
    if ((int)level > atomic_load(&max_level)) return;
    va_list args;
    va_start(args, format);
    say(level, NULL, format, args);
    va_end(args);
}

void lag_log_fields(enum lag_log_level level, const struct lag_log_field *fields, const char *format, ...) {
    if ((int)level > atomic_load(&max_level)) return;
    va_list args;
    va_start(args, format);
    say(level, fields, format, args);
    va_end(args);
}

int lag_log_to_journal(void) {
    int is_journal = lag_journal_open();
    if (is_journal) {
        atomic_store(&for_journal, 1);
        atomic_store(&to_journal, 1);
    }
    return is_journal;
}
