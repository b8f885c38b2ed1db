/* A few answers with the version of the database that they were made from. */
#include "request/kept_internal.h"

#include "request/response_internal.h"

#include <lagd/base/check.h>
#include <lagd/base/error.h>
#include <lagd/base/mem.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define N_ANSWERS 8
#define TARGET_SIZE 256
#define ANSWER_MAX_BYTES ((size_t)256 << 10)
#define KEPT_NS INT64_C(1000000000) /* bounds what another program could hide that wrote to the database by force */

struct answer {
    char target[TARGET_SIZE];
    uint64_t version;
    int64_t put_ns;
    struct lagd_response response; /* text: owned; NULL: free */
};
struct lagd_kept_answers {
    pthread_mutex_t lock;
    struct answer answers[N_ANSWERS];
};

int lagd_kept_create(struct lagd_kept_answers **ret) {
    struct lagd_kept_answers *kept = lag_calloc(1, sizeof(*kept));
    if (!kept) return LAG_ENOMEM;
    (void)pthread_mutex_init(&kept->lock, NULL);
    *ret = kept;
    return 0;
}

void lagd_kept_destroy(struct lagd_kept_answers *kept) {
    if (!kept) return;
    for (size_t i = 0; i < N_ANSWERS; i++) free(kept->answers[i].response.text);
    (void)pthread_mutex_destroy(&kept->lock);
    free(kept);
}

static char *copy_text(const struct lagd_response *response) {
    char *text = malloc(response->n_text + 1);
    if (!text) return NULL;
    memcpy(text, response->text, response->n_text);
    text[response->n_text] = '\0';
    return text;
}

bool lagd_kept_find(struct lagd_kept_answers *kept, const char *target, uint64_t version, int64_t now_ns,
                    struct lagd_response *ret) {
    bool found = false;
    (void)pthread_mutex_lock(&kept->lock);
    for (size_t i = 0; i < N_ANSWERS; i++) {
        const struct answer *answer = &kept->answers[i];
        if (!answer->response.text || answer->version != version || strcmp(answer->target, target) != 0) continue;
        char *text = now_ns - answer->put_ns <= KEPT_NS ? copy_text(&answer->response) : NULL;
        found = text != NULL;
        if (found) {
            *ret = answer->response;
            ret->text = text;
        }
        break;
    }
    (void)pthread_mutex_unlock(&kept->lock);
    return found;
}

/* The target's own place, or the oldest. */
static struct answer *place_for(struct lagd_kept_answers *kept, const char *target) {
    struct answer *oldest = &kept->answers[0];
    for (size_t i = 0; i < N_ANSWERS; i++) {
        struct answer *answer = &kept->answers[i];
        if (strcmp(answer->target, target) == 0) return answer;
        if (answer->put_ns < oldest->put_ns) oldest = answer;
    }
    return oldest;
}

void lagd_kept_put(struct lagd_kept_answers *kept, const char *target, uint64_t version, int64_t now_ns,
                   const struct lagd_response *response) {
    if (!response->text || response->fd >= 0 || response->stream || response->n_text > ANSWER_MAX_BYTES) return;
    if (strlen(target) >= TARGET_SIZE) return;
    char *text = copy_text(response);
    if (!text) return;
    (void)pthread_mutex_lock(&kept->lock);
    struct answer *answer = place_for(kept, target);
    free(answer->response.text);
    (void)lag_copy(answer->target, sizeof(answer->target), target);
    answer->version = version;
    answer->put_ns = now_ns;
    answer->response = *response;
    answer->response.text = text;
    (void)pthread_mutex_unlock(&kept->lock);
}
