/* Tokenizers that stay loaded: a short list, the one that was used last in front. */
#include "commands/loaded_internal.h"

#include "commands/tokens_internal.h"

#include <lagd/base/error.h>
#include <lagd/base/mem.h>
#include <lagd/engine/token.h>
#include <lagd/storage/rows.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct entry {
    struct entry *next;
    char id[LAG_ROW_ID];
    struct lag_tokenizer *tokenizer; /* owned */
    size_t n_bytes;
    int n_users;
    bool listed;                     /* else it goes with its last user */
};

struct lagd_loaded {
    pthread_mutex_t lock;
    const struct lagd_deps *deps;
    struct entry *first;    /* all that are listed or used */
    uint64_t n_drops;       /* so far: what was read across one may have been deleted */
};

int lagd_loaded_create(const struct lagd_deps *deps, struct lagd_loaded **ret, struct lag_error *err) {
    struct lagd_loaded *loaded = lag_calloc(1, sizeof(*loaded));
    if (!loaded) return lag_error_set(err, LAG_ENOMEM, "out of memory for tokenizers");
    (void)pthread_mutex_init(&loaded->lock, NULL);
    loaded->deps = deps;
    *ret = loaded;
    return 0;
}

static void free_entry(struct entry *entry) {
    lag_tokenizer_destroy(entry->tokenizer);
    free(entry);
}

void lagd_loaded_destroy(struct lagd_loaded *loaded) {
    if (!loaded) return;
    for (struct entry *entry; (entry = loaded->first) != NULL;) {
        loaded->first = entry->next;
        free_entry(entry);
    }
    (void)pthread_mutex_destroy(&loaded->lock);
    free(loaded);
}

/* Takes what nobody needs any more out of the list; freeing it may take long, and is done without the lock. */
static struct entry *take_unneeded_locked(struct lagd_loaded *loaded) {
    struct entry *unneeded = NULL;
    size_t n = 0, n_bytes = 0;
    for (struct entry **link = &loaded->first, *entry; (entry = *link) != NULL;) {
        if (entry->listed) {
            n++;
            n_bytes += entry->n_bytes;
            entry->listed = n <= LAGD_LOADED_MAX && n_bytes <= LAGD_LOADED_BYTES;
            if (!entry->listed) n_bytes -= entry->n_bytes;
        }
        if (entry->listed || entry->n_users > 0) {
            link = &entry->next;
            continue;
        }
        *link = entry->next;
        entry->next = unneeded;
        unneeded = entry;
    }
    return unneeded;
}

static void unlock(struct lagd_loaded *loaded) {
    struct entry *unneeded = take_unneeded_locked(loaded);
    (void)pthread_mutex_unlock(&loaded->lock);
    for (struct entry *entry; (entry = unneeded) != NULL;) {
        unneeded = entry->next;
        free_entry(entry);
    }
}

/* The one that is kept under this id, which comes to the front; NULL: there is none. */
static struct entry *find_locked(struct lagd_loaded *loaded, const char *id) {
    for (struct entry **link = &loaded->first, *entry; (entry = *link) != NULL; link = &entry->next) {
        if (!entry->listed || strcmp(entry->id, id) != 0) continue;
        *link = entry->next;
        entry->next = loaded->first;
        loaded->first = entry;
        return entry;
    }
    return NULL;
}

int lagd_loaded_take(struct lagd_loaded *loaded, const char *id, const struct lag_tokenizer **ret,
                     struct lag_error *err) {
    (void)pthread_mutex_lock(&loaded->lock);
    struct entry *entry = find_locked(loaded, id);
    const uint64_t n_drops = loaded->n_drops;
    if (entry) {
        entry->n_users++;
        *ret = entry->tokenizer;
    }
    (void)pthread_mutex_unlock(&loaded->lock);
    if (entry) return 0;
    entry = lag_calloc(1, sizeof(*entry));
    if (!entry) return lag_error_set(err, LAG_ENOMEM, "out of memory for a tokenizer");
    (void)lag_copy(entry->id, sizeof(entry->id), id);
    const int rc = lagd_tokens_load(loaded->deps, id, &entry->tokenizer, err);
    if (rc != 0) {
        free(entry);
        return rc;
    }
    entry->n_bytes = lag_tokenizer_memory(entry->tokenizer);
    entry->n_users = 1;
    *ret = entry->tokenizer;
    (void)pthread_mutex_lock(&loaded->lock);
    /* Two may have read it at the same time: one of them is kept. */
    entry->listed = n_drops == loaded->n_drops && !find_locked(loaded, id);
    entry->next = loaded->first;
    loaded->first = entry;
    unlock(loaded);
    return 0;
}

void lagd_loaded_give(struct lagd_loaded *loaded, const struct lag_tokenizer *tokenizer) {
    if (!tokenizer) return;
    (void)pthread_mutex_lock(&loaded->lock);
    for (struct entry *entry = loaded->first; entry; entry = entry->next)
        if (entry->tokenizer == tokenizer) entry->n_users--;
    unlock(loaded);
}

void lagd_loaded_drop(struct lagd_loaded *loaded, const char *id) {
    (void)pthread_mutex_lock(&loaded->lock);
    struct entry *entry = find_locked(loaded, id);
    if (entry) entry->listed = false;
    loaded->n_drops++;
    unlock(loaded);
}

size_t lagd_loaded_count(struct lagd_loaded *loaded) {
    size_t n = 0;
    (void)pthread_mutex_lock(&loaded->lock);
    for (const struct entry *entry = loaded->first; entry; entry = entry->next) n += entry->listed;
    (void)pthread_mutex_unlock(&loaded->lock);
    return n;
}
