/* A bounded queue of pointers between threads: a ring under a lock, and an eventfd for poll(2). */
#include <lagd/base/mailbox.h>

#include <lagd/base/check.h>
#include <lagd/base/error.h>
#include <lagd/base/mem.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct lag_mailbox {
    pthread_mutex_t mutex;
    size_t capacity, first, n_waiting; /* a ring */
    bool closed;
    int fd; /* its counter is 1 exactly while n_waiting > 0 */
    void *ring[];
};

int lag_mailbox_create(size_t capacity, struct lag_mailbox **ret, struct lag_error *err) {
    uint64_t bytes;
    if (capacity == 0) return lag_error_set(err, LAG_EINVAL, "a mailbox needs room for at least one message");
    if (!lag_mul_u64(capacity, sizeof(void *), &bytes) || !lag_add_u64(bytes, sizeof(struct lag_mailbox), &bytes)) {
        return lag_error_set(err, LAG_ENOMEM, "a mailbox of %zu messages does not fit in memory", capacity);
    }
    struct lag_mailbox *mailbox = lag_calloc(1, (size_t)bytes);
    if (!mailbox) return lag_error_set(err, LAG_ENOMEM, "out of memory for a mailbox of %zu messages", capacity);
    mailbox->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (mailbox->fd < 0) {
        int failed = errno;
        free(mailbox);
        return lag_error_errno(err, failed, "cannot create the event descriptor of a mailbox");
    }
    mailbox->capacity = capacity;
    (void)pthread_mutex_init(&mailbox->mutex, NULL);
    *ret = mailbox;
    return 0;
}

void lag_mailbox_destroy(struct lag_mailbox *mailbox) {
    if (!mailbox) return;
    LAG_ASSERT(mailbox->n_waiting == 0);
    (void)close(mailbox->fd);
    (void)pthread_mutex_destroy(&mailbox->mutex);
    free(mailbox);
}

static void raise_fd(struct lag_mailbox *mailbox) {
    uint64_t one = 1;
    ssize_t written = write(mailbox->fd, &one, sizeof(one));
    LAG_ASSERT(written == sizeof(one)); /* the counter was 0 and the descriptor never blocks */
    (void)written;
}

static void lower_fd(struct lag_mailbox *mailbox) {
    uint64_t counter;
    ssize_t got = read(mailbox->fd, &counter, sizeof(counter));
    LAG_ASSERT(got == sizeof(counter));
    (void)got;
}

static void *take_locked(struct lag_mailbox *mailbox) {
    if (mailbox->n_waiting == 0) return NULL;
    void *message = mailbox->ring[mailbox->first];
    mailbox->first = (mailbox->first + 1) % mailbox->capacity;
    if (--mailbox->n_waiting == 0) lower_fd(mailbox);
    return message;
}

int lag_mailbox_post(struct lag_mailbox *mailbox, void *message) {
    LAG_ASSERT(message);
    int status = 0;
    (void)pthread_mutex_lock(&mailbox->mutex);
    if (mailbox->closed) {
        status = LAG_ECANCELED;
    } else if (mailbox->n_waiting == mailbox->capacity) {
        status = LAG_EBUSY;
    } else {
        mailbox->ring[(mailbox->first + mailbox->n_waiting) % mailbox->capacity] = message;
        if (mailbox->n_waiting++ == 0) raise_fd(mailbox);
    }
    (void)pthread_mutex_unlock(&mailbox->mutex);
    return status;
}

void *lag_mailbox_take(struct lag_mailbox *mailbox) {
    (void)pthread_mutex_lock(&mailbox->mutex);
    void *message = take_locked(mailbox);
    (void)pthread_mutex_unlock(&mailbox->mutex);
    return message;
}

int lag_mailbox_fd(const struct lag_mailbox *mailbox) { return mailbox->fd; }

void lag_mailbox_close(struct lag_mailbox *mailbox) {
    (void)pthread_mutex_lock(&mailbox->mutex);
    mailbox->closed = true;
    (void)pthread_mutex_unlock(&mailbox->mutex);
}
