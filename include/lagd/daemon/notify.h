/* The notification protocol of systemd (sd_notify(3)): datagrams to $NOTIFY_SOCKET. Everything here does nothing when
 * that is unset, and never fails. Thread: any. */
#pragma once
#include <stdint.h>

/* Newline-separated assignments, e.g. "READY=1\nSTATUS=2 runs resumed". */
void lagd_notify(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* RELOADING=1 with the time that Type=notify-reload asks for. */
void lagd_notify_reloading(void);
/* Time between two WATCHDOG=1 that the service manager waits for, from $WATCHDOG_USEC; 0 = none wanted. */
int64_t lagd_notify_watchdog_ns(void);
