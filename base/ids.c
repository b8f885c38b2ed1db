/* Identifiers that sort by the time of their creation. */
#include <lagd/base/ids.h>

#include <lagd/base/check.h>
#include <lagd/base/clock.h>
#include <lagd/base/error.h>
#include <lagd/base/parse.h>
#include <errno.h>
#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

/* ULID, https://github.com/ulid/spec: 48 bits of milliseconds, then 80 random bits; Crockford's base 32, five bits a
 * character, the first one holding three. */
enum { ULID_CHARS = 26, RANDOM_BYTES = 10, POOL_BYTES = 32 * RANDOM_BYTES };
static const char alphabet[] = "0123456789abcdefghjkmnpqrstvwxyz";

/* The last identifier of this process. One for all threads, because order within a millisecond is promised to all. */
static struct {
    pthread_mutex_t mutex;
    int64_t ms;
    unsigned char random[RANDOM_BYTES];
    unsigned char pool[POOL_BYTES]; /* the last n_pool are unused: one call for 32 milliseconds */
    size_t n_pool;
} last = {.mutex = PTHREAD_MUTEX_INITIALIZER, .ms = -1};

static void fill_random(unsigned char *bytes, size_t length) {
    size_t done = 0;
    while (done < length) {
        ssize_t got = getrandom(bytes + done, length - done, 0);
        if (got > 0) done += (size_t)got;
        if (got < 0 && errno != EINTR) break;
    }
    if (done == length) return;
    /* A kernel without getrandom: identifiers must be unique, not secret. */
    uint64_t mix = (uint64_t)lag_clock_mono_ns() ^ ((uint64_t)getpid() << 40);
    for (; done < length; done++) {
        mix = mix * 6364136223846793005u + 1442695040888963407u;
        bytes[done] = (unsigned char)(mix >> 56);
    }
}

/* Mutex held. */
static void draw(unsigned char ret[RANDOM_BYTES]) {
    if (last.n_pool == 0) {
        fill_random(last.pool, POOL_BYTES);
        last.n_pool = POOL_BYTES;
    }
    last.n_pool -= RANDOM_BYTES;
    memcpy(ret, last.pool + POOL_BYTES - RANDOM_BYTES - last.n_pool, RANDOM_BYTES);
}

static bool increment(unsigned char *bytes, size_t length) {
    for (size_t i = length; i > 0; i--) {
        if (++bytes[i - 1] != 0) return true;
    }
    return false;
}

/* The next one in order. A wall clock that went back does not count: the last millisecond is kept. */
static void next_ulid(unsigned char ret[16]) {
    int64_t now_ms = LAG_MAX(lag_clock_wall_ms(), 0);
    (void)pthread_mutex_lock(&last.mutex);
    if (now_ms > last.ms || !increment(last.random, RANDOM_BYTES)) {
        last.ms = LAG_MAX(now_ms, last.ms + 1);
        draw(last.random);
        last.random[0] &= 0x7f; /* room to count up within this millisecond */
    }
    for (int i = 0; i < 6; i++) ret[i] = (unsigned char)(last.ms >> (40 - 8 * i));
    memcpy(ret + 6, last.random, RANDOM_BYTES);
    (void)pthread_mutex_unlock(&last.mutex);
}

void lag_id_new(const char *prefix, char ret[LAG_ID_SIZE]) {
    unsigned char ulid[16];
    next_ulid(ulid);
    size_t length = strlen(prefix);
    LAG_ASSERT(length + 1 + ULID_CHARS < LAG_ID_SIZE);
    memcpy(ret, prefix, length);
    ret[length++] = '_';
    for (int i = 0; i < ULID_CHARS; i++) {
        /* 26 characters hold 130 bits: two zero bits in front of the 128. */
        unsigned value = 0;
        for (int bit = 5 * i - 2; bit < 5 * i + 3; bit++) {
            unsigned one = bit < 0 ? 0 : (ulid[bit / 8] >> (7 - bit % 8)) & 1u;
            value = value << 1 | one;
        }
        ret[length++] = alphabet[value];
    }
    ret[length] = '\0';
}

void lag_id_follow(const char *id) {
    const char *mark = strchr(id, '_');
    unsigned char ulid[16] = {0};
    if (!mark || strlen(mark + 1) != ULID_CHARS || mark[1] > '7') return;
    for (int i = 0; i < ULID_CHARS; i++) {
        const char *place = strchr(alphabet, mark[1 + i]);
        if (!place) return;
        unsigned value = (unsigned)(place - alphabet);
        for (int bit = 5 * i - 2, j = 4; j >= 0; bit++, j--)
            if (bit >= 0) ulid[bit / 8] |= (unsigned char)((value >> j & 1u) << (7 - bit % 8));
    }
    int64_t ms = 0;
    for (int i = 0; i < 6; i++) ms = ms << 8 | ulid[i];
    (void)pthread_mutex_lock(&last.mutex);
    if (ms > last.ms || (ms == last.ms && memcmp(ulid + 6, last.random, RANDOM_BYTES) > 0)) {
        last.ms = ms;
        memcpy(last.random, ulid + 6, RANDOM_BYTES);
    }
    (void)pthread_mutex_unlock(&last.mutex);
}

bool lag_id_is(const char *text, const char *prefix) {
    size_t length = strlen(prefix);
    if (strncmp(text, prefix, length) != 0 || text[length] != '_') return false;
    const char *ulid = text + length + 1;
    if (strnlen(ulid, ULID_CHARS + 1) != ULID_CHARS || ulid[0] > '7') return false;
    return strspn(ulid, alphabet) == ULID_CHARS;
}

bool lag_id_is_any(const char *text) {
    static const char *const prefixes[] = {"run", "ds", "gr", "cand", "ckpt", "req", "st", "md", "tok"};
    for (size_t i = 0; i < LAG_COUNT(prefixes); i++)
        if (lag_id_is(text, prefixes[i])) return true;
    return false;
}

int lag_name_check(const char *name, struct lag_error *err) {
    if (!lag_name_valid(name))
        return lag_error_at(err, LAG_EINVAL, "/name",
                            "name must be 1 to " LAG_TEXT_OF(LAG_NAME_MAX)
                            " letters, digits or . _ -, and not begin with . or -");
    if (lag_id_is_any(name))
        return lag_error_at(err, LAG_EINVAL, "/name",
                            "name must not have the form of an id, as %s has: choose another", name);
    return 0;
}
