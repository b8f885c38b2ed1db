/* A bounded queue of pointers, many senders and one receiver, with a file descriptor that becomes readable. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
struct lag_error;
struct lag_mailbox;

int lag_mailbox_create(size_t capacity, struct lag_mailbox **ret, struct lag_error *err);
/* The mailbox must be empty: whoever owns the messages drains it first. */
void lag_mailbox_destroy(struct lag_mailbox *mailbox);
/* Takes message on success. 0, LAG_EBUSY when full, LAG_ECANCELED when closed (the message stays the caller's).
 * Thread: any. */
int lag_mailbox_post(struct lag_mailbox *mailbox, void *message);
/* The next message (owned), or NULL when there is none. Thread: receiver. */
void *lag_mailbox_take(struct lag_mailbox *mailbox);
/* Readable while messages wait; for poll(2). Owned by the mailbox. */
int lag_mailbox_fd(const struct lag_mailbox *mailbox);
/* No message is taken any more; those that wait can still be taken. Thread: any. */
void lag_mailbox_close(struct lag_mailbox *mailbox);
