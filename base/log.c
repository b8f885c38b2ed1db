#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lagd/base/check.h"
#include "lagd/base/clock.h"
#include "lagd/base/error.h"
#include "lagd/base/log.h"

/* Global, because every thread logs and standard error is one. */
static atomic_int max_level = LAG_LOG_INFO;
static atomic_int for_journal;

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

void lag_log(enum lag_log_level level, const char *format, ...) {
    if ((int)level > atomic_load(&max_level)) return;
    int saved_errno = errno;
    char text[3000], line[4096];
    va_list args;
    va_start(args, format);
    int wanted = vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    if (wanted < 0) text[0] = '\0';
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
    if ((size_t)wanted >= sizeof(text)) {
        memcpy(line + length, "...", 3);
        length += 3;
    }
    line[length++] = '\n';
    write_line(line, length);
    errno = saved_errno;
}
