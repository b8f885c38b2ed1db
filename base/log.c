/* The log: one call is one line, to standard error or to the journal. */
#include <lagd/base/log.h>

#include "journal_internal.h"

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
#include <unistd.h>

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

/* One write a line, so that lines of different threads never mix. Nobody is left to tell when it fails. */
static void write_line(const char *line, size_t length) {
    while (length > 0) {
        ssize_t written = write(STDERR_FILENO, line, length);
        if (written < 0 && errno == EINTR) continue;
        if (written <= 0) return;
        line += written;
        length -= (size_t)written;
    }
}

/* Text with its priority, its fields and who says it, as the journal takes it. */
static int send_to_journal(enum lag_log_level level, const struct lag_log_field *fields, const char *text) {
    char lines[8192];
    int head = snprintf(lines, sizeof(lines), "PRIORITY=%d\nSYSLOG_IDENTIFIER=lagd\nMESSAGE=", (int)level);
    size_t length = (size_t)head + escape(lines + head, 4096, text);
    lines[length++] = '\n';
    for (; fields && fields->name; fields++) {
        if (!fields->value || !*fields->value || length + strlen(fields->name) + 300 > sizeof(lines)) continue;
        length += (size_t)snprintf(lines + length, sizeof(lines) - length, "%s=", fields->name);
        length += escape(lines + length, 256, fields->value);
        lines[length++] = '\n';
    }
    return lag_journal_send(lines, length);
}

static void write_text(enum lag_log_level level, const char *text, bool cut) {
    char line[4096];
    int head;
    if (atomic_load(&for_journal)) {
        head = snprintf(line, sizeof(line), "<%d>", (int)level);
    } else {
        char now[32];
        lag_clock_rfc3339(lag_clock_wall_ms(), now);
        head = snprintf(line, sizeof(line), "%s %s: ", now, level_name(level));
    }
    size_t length = (size_t)head;
    length += escape(line + length, sizeof(line) - length - 4, text);
    if (cut) {
        memcpy(line + length, "...", 3);
        length += 3;
    }
    line[length++] = '\n';
    write_line(line, length);
}

static void __attribute__((format(printf, 3, 0)))
say(enum lag_log_level level, const struct lag_log_field *fields, const char *format, va_list args) {
    int saved_errno = errno;
    char text[3000];
    int wanted = vsnprintf(text, sizeof(text), format, args);
    if (wanted < 0) text[0] = '\0';
    if (!atomic_load(&to_journal) || send_to_journal(level, fields, text) < 0)
        write_text(level, text, wanted >= (int)sizeof(text));
    errno = saved_errno;
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
