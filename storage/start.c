/* What a start finds: lagd.db, its log and its mark, compared before SQLite opens them. */
#include "start_internal.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <lagd/base/cleanup.h>
#include <lagd/base/clock.h>
#include <lagd/base/error.h>
#include <lagd/base/fs.h>
#include <lagd/base/mem.h>
#include <lagd/storage/backup.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { DEFAULT_PAGE = 4096 };

static void find(struct lag_start *start, enum lag_finding finding, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static void find(struct lag_start *start, enum lag_finding finding, const char *format, ...) {
    va_list args;
    start->finding = finding;
    va_start(args, format);
    (void)vsnprintf(start->text, sizeof start->text, format, args);
    va_end(args);
}

bool lag_start_is_refused(enum lag_finding finding) { return finding >= LAG_START_DAMAGED; }

/* --- the verdict ------------------------------------------------------------------------------------------------- */

static bool same_log(const struct lag_facts *facts) {
    return facts->has_mark && facts->log.has_header && facts->mark.n_frames > 0 &&
           !memcmp(facts->log.salts, facts->mark.salts, sizeof facts->mark.salts);
}

/* Another program (SQLite's shell, for one) has copied the log into the file and removed it, as it does at its end. */
static bool was_copied(const struct lag_facts *facts) {
    const struct lag_mark *mark = &facts->mark;
    return mark->n_copied >= mark->n_frames ||
           (strcmp(mark->file, mark->newest) && !strcmp(facts->token.now, mark->newest));
}

/* The token in the file must be one from which this log went on, or one that was copied out of this log. A file of an
 * earlier schema has none, and the log that brought the first one says so. */
static bool belongs(const struct lag_facts *facts) {
    static const char none[] = "00000000000000000000000000000000";
    const struct lag_log *log = &facts->log;
    const char *token = facts->token.now[0] ? facts->token.now : none;
    if (log->token_page == 0 && !same_log(facts)) return true; /* of a lagd that wrote none */
    if (same_log(facts) && (!strcmp(token, facts->mark.file) || !strcmp(token, facts->mark.newest))) return true;
    if (log->token_page && !strcmp(token, log->first.before)) return true;
    for (size_t i = 0; i < log->n_tokens; i++)
        if (!strcmp(token, log->tokens[i])) return true;
    return false;
}

/* Of commits that end in an fsync each, a power cut can leave one whose frames reached the disk in any order. */
static void judge_tail(const struct lag_facts *facts, struct lag_start *ret) {
    const struct lag_log *log = &facts->log;
    bool is_exact = same_log(facts) && facts->same_boot; /* and all that it says is there */
    if (log->n_behind == 0 || is_exact) return;
    if (log->n_behind > 1)
        find(ret, LAG_START_DAMAGED, "the log is damaged in frame %" PRId64 ": %" PRId64 " commits lie behind it",
             log->n_frames + 1, log->n_behind);
    else
        find(ret, LAG_START_TORN, "the log ends in one commit that is not whole, as a power cut leaves it; it was "
             "not acknowledged and is left out");
}

static void judge_log(const struct lag_facts *facts, struct lag_start *ret) {
    const struct lag_log *log = &facts->log;
    const struct lag_mark *mark = &facts->mark;
    if (same_log(facts) && log->n_frames < mark->n_frames) {
        find(ret, LAG_START_DAMAGED, "the log is damaged behind frame %" PRId64 ", and %" PRId64 " frames of it were "
             "acknowledged", log->n_frames, mark->n_frames);
        ret->sets_log_aside = mark->n_copied > log->n_frames;
    } else if (log->n_frames > 0 && (facts->db_bytes == 0 || !belongs(facts))) {
        find(ret, LAG_START_STRANGE, "the log was written for another lagd.db than the one that lies there (a backup "
             "that was put back beside the log of later days?)");
        ret->sets_log_aside = true;
    } else if (facts->has_mark && !same_log(facts) && !was_copied(facts) && !strcmp(facts->token.now, mark->file)) {
        find(ret, LAG_START_GONE, "the log is gone, or another lies in its place, and %" PRId64 " of its frames were "
             "acknowledged and are nowhere else", mark->n_frames - mark->n_copied);
        ret->sets_log_aside = log->n_frames > 0;
    } else {
        judge_tail(facts, ret);
    }
}

void lag_start_judge(const struct lag_facts *facts, struct lag_start *ret) {
    *ret = (struct lag_start){.finding = LAG_START_GOOD};
    if (facts->db_bytes < 0) {
        if (facts->log.n_bytes <= 0 && !facts->has_mark) return;
        find(ret, LAG_START_ANEW, "lagd.db is gone: a new one is begun, and what lies in runs and datasets belongs to "
             "nothing in it. To go on with the old one, stop lagd and put back the whole state directory");
        ret->sets_log_aside = facts->log.n_bytes > 0;
        return;
    }
    judge_log(facts, ret);
    if (ret->finding != LAG_START_GOOD || !facts->has_mark || facts->log.n_frames > 0) return;
    if (strcmp(facts->token.now, facts->mark.file) && strcmp(facts->token.now, facts->mark.newest))
        find(ret, LAG_START_OTHER, "lagd.db is not the one that lagd wrote last (a backup was put back?): it goes on "
             "from what that file holds");
}

/* --- reading ----------------------------------------------------------------------------------------------------- */

static char *path_in(const char *dir, const char *name, struct lag_error *err) {
    char *path = lag_asprintf("%s/%s", dir, name);
    if (!path) (void)lag_error_set(err, LAG_ENOMEM, "no memory to open the database");
    return path;
}

static int read_file(const char *path, struct lag_facts *facts, struct lag_error *err) {
    struct stat info;
    facts->db_bytes = -1;
    LAG_CLEANUP(lag_close_p) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) return errno == ENOENT ? 0 : lag_error_errno(err, errno, "the database %s", path);
    if (fstat(fd, &info)) return lag_error_errno(err, errno, "cannot examine %s", path);
    if (!S_ISREG(info.st_mode)) return lag_error_set(err, LAG_EINVAL, "%s is not a regular file", path);
    facts->db_bytes = info.st_size;
    int64_t page = facts->log.token_page ? facts->log.token_page : facts->has_mark ? facts->mark.page : 0;
    uint32_t page_bytes = facts->log.has_header ? facts->log.page_bytes : DEFAULT_PAGE;
    int rc = lag_log_token_read(fd, page, page_bytes, &facts->token, err);
    return rc < 0 ? rc : 0;
}

static int read_facts(const char *dir, struct lag_facts *facts, struct lag_error *err) {
    char boot[37];
    LAG_CLEANUP(lag_free_p) char *db = path_in(dir, "lagd.db", err);
    LAG_CLEANUP(lag_free_p) char *log = path_in(dir, "lagd.db-wal", err);
    if (!db || !log) return LAG_ENOMEM;
    int rc = lag_mark_read(dir, &facts->mark, err);
    if (rc < 0) return rc;
    facts->has_mark = rc == 1;
    lag_mark_boot(boot);
    facts->same_boot = facts->has_mark && !strcmp(facts->mark.boot, boot);
    rc = lag_log_read(log, &facts->log, err);
    return rc ? rc : read_file(db, facts, err);
}

int lag_start_inspect(const char *dir, struct lag_start *ret, struct lag_error *err) {
    struct lag_facts facts = {.log = {.n_bytes = -1}};
    int rc = read_facts(dir, &facts, err);
    if (!rc) lag_start_judge(&facts, ret);
    if (!rc && facts.log.has_header) ret->good_bytes = lag_log_bytes(facts.log.n_frames, facts.log.page_bytes);
    lag_log_free(&facts.log);
    return rc;
}

int lag_start_set_log_aside(const char *dir, char *ret_name, size_t size, struct lag_error *err) {
    (void)snprintf(ret_name, size, "lagd.db-wal.set-aside-%" PRId64, lag_clock_wall_ms());
    LAG_CLEANUP(lag_free_p) char *from = path_in(dir, "lagd.db-wal", err);
    LAG_CLEANUP(lag_free_p) char *to = path_in(dir, ret_name, err);
    return from && to ? lag_fs_rename_durable(from, to, err) : LAG_ENOMEM;
}

/* What cannot be opened at all is told by who opens it. */
static bool can_be_read(const char *dir) {
    struct stat info;
    LAG_CLEANUP(lag_free_p) char *db = path_in(dir, "lagd.db", NULL);
    return !stat(dir, &info) && S_ISDIR(info.st_mode) && db && (!access(db, R_OK) || errno == ENOENT);
}

/* Inspects and refuses. */
static int look(const char *dir, struct lag_start *ret, struct lag_error *err) {
    int rc = lag_start_inspect(dir, ret, err);
    if (rc || !lag_start_is_refused(ret->finding)) return rc;
    return lag_error_set(err, LAG_ECORRUPT, "%s: %s. Nothing was changed. Put back the whole state directory from a "
                         "backup; or run 'lagd recover' with the same configuration, which keeps copies and goes on "
                         "with what is whole", dir, ret->text);
}

int lag_store_inspect(const char *dir, struct lag_error *err) {
    struct lag_start start;
    return can_be_read(dir) ? look(dir, &start, err) : 0;
}

int lag_start_admit(const char *dir, char *ret_text, size_t size, struct lag_error *err) {
    struct lag_start start;
    char name[64];
    if (!can_be_read(dir)) return 0;
    int rc = look(dir, &start, err);
    if (rc) return rc;
    if (start.sets_log_aside) rc = lag_start_set_log_aside(dir, name, sizeof name, err);
    if (!rc) (void)lag_copy(ret_text, size, start.text);
    return rc;
}
