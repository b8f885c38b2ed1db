/* Reads one configuration file:
 *
 *     [section]
 *     key = value, of any length   ; a comment
 *     key: a list that ends in a comma,
 *          goes on in the next line, if that is indented
 *
 * Lines that begin with # or ; are comments. Line ends of Windows and a byte order mark are passed over. */
#pragma once
struct lag_error;

/* Borrowed for the call. section "": before the first one. line: where the key stands; 1 is the first. */
struct lagd_config_key {
    const char *section, *name, *value;
    int line;
};
/* Negative: the reading ends and forwards it. */
typedef int lagd_config_key_fn(void *arg, const struct lagd_config_key *key, struct lag_error *err);

/* Calls on_key for each key in order. LAG_EINVAL with path:line for a line that is none of these. Thread: any. */
int lagd_config_file_read(const char *path, lagd_config_key_fn *on_key, void *arg, struct lag_error *err);
