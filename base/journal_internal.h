/* journald's native protocol: one datagram of NAME=value lines a message
 * (https://systemd.io/JOURNAL_NATIVE_PROTOCOL/). */
#pragma once
#include <stddef.h>

/* true when standard error is the journal's stream ($JOURNAL_STREAM names its device and inode) and its socket is
 * there. Before other threads log. */
int lag_journal_open(void);
/* lines: "NAME=value\n" each, without control bytes in values. 0, or -1 when it was not taken. Thread: any. */
int lag_journal_send(const char *lines, size_t length);
