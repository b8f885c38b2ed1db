/* What followers of events are sent: texts, topics, the ring, and a feed's way through all of it. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "stream/stream_internal.h"

static struct lagd_board board;
static char got[1 << 20];

static int set_up(void **state) {
    (void)state;
    return lagd_board_init(&board, 10);
}

static int tear_down(void **state) {
    (void)state;
    lagd_board_deinit(&board);
    return 0;
}

static struct lag_event_row row(int64_t seq, const char *type, const char *run) {
    struct lag_event_row made = {.seq = seq, .step = -1, .value = NAN};
    (void)snprintf(made.type, sizeof(made.type), "%s", type);
    (void)snprintf(made.run_id, sizeof(made.run_id), "%s", run);
    return made;
}

static void push(int64_t seq, const char *type, const char *run) {
    struct lag_event_row made = row(seq, type, run);
    struct lagd_text *text = lagd_text_event(&made);
    assert_non_null(text);
    lagd_board_push(&board, text, &made);
}

static void put_batch(int slot, const char *json, const char *run) {
    lagd_board_put_batch(&board, slot, lagd_text_make("run.metric", -1, json, strlen(json)), run);
}

/* Everything that the feed gives now, terminated, read in pieces of size. */
static const char *drain(struct lagd_feed *feed, size_t size) {
    size_t n = 0;
    for (;;) {
        ssize_t some = lagd_feed_read(feed, &board, got + n, size);
        assert_true(some >= 0);
        if (some == 0) break;
        n += (size_t)some;
        assert_true(n + size < sizeof(got));
    }
    got[n] = '\0';
    assert_true(feed->phase == LAGD_FEED_OVER || feed->phase == LAGD_FEED_BACKLOG || !lagd_feed_pending(feed, &board));
    return got;
}

static struct lagd_feed follow(int64_t after) {
    return (struct lagd_feed){.lines = true, .topics = LAGD_TOPICS_ALL, .has_after = after >= 0, .cursor = after};
}

/* The types of the lines in got, ' ' between. */
static const char *types(void) {
    static char names[4096];
    size_t n = 0;
    names[0] = '\0';
    for (const char *p = got; (p = strstr(p, "\"type\":\"")) && n + 64 < sizeof(names);) {
        p += strlen("\"type\":\"");
        n += (size_t)snprintf(names + n, sizeof(names) - n, "%s%.*s", n ? " " : "", (int)strcspn(p, "\""), p);
    }
    return names;
}

static void topics_are_read(void **state) {
    (void)state;
    unsigned topics = 77;
    assert_true(lagd_topics_parse("run,metric", &topics));
    assert_int_equal(topics, LAGD_TOPIC_RUN | LAGD_TOPIC_METRIC);
    char names[] = LAGD_TOPIC_NAMES, *to = names;
    for (const char *from = names; *from; from++) {
        if (*from != ' ') *to++ = *from;
    }
    *to = '\0';
    assert_true(lagd_topics_parse(names, &topics)); /* what people are told are all topics, and topics all */
    assert_int_equal(topics, LAGD_TOPICS_ALL);
    static const char *const wrong[] = {"", "run,", ",run", "runs", "ru", "run,,metric", "run metric"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) assert_false(lagd_topics_parse(wrong[i], &topics));
    assert_int_equal(topics, LAGD_TOPICS_ALL);
    assert_int_equal(lagd_topic_of("run.state"), LAGD_TOPIC_RUN);
    assert_int_equal(lagd_topic_of("growth.decision"), LAGD_TOPIC_GROWTH);
    assert_int_equal(lagd_topic_of("candidate.metric"), LAGD_TOPIC_METRIC);
    assert_int_equal(lagd_topic_of("determinism.mismatch"), LAGD_TOPIC_SYSTEM);
    assert_int_equal(lagd_topic_of("checkpoint.damaged"), LAGD_TOPIC_SYSTEM);
}

static void a_text_has_two_forms(void **state) {
    (void)state;
    struct lag_event_row event = row(7, "run.state", "run_1");
    (void)snprintf(event.message, sizeof(event.message), "two\nlines \"and\" more");
    event.value = 0.5;
    struct lagd_text *text = lagd_text_event(&event);
    static const char json[] = "{\"seq\":7,\"ts\":null,\"type\":\"run.state\",\"run\":\"run_1\",\"value\":0.5,"
                               "\"message\":\"two\\nlines \\\"and\\\" more\"}";
    char wanted[512];
    (void)snprintf(wanted, sizeof(wanted), "id: 7\nevent: run.state\ndata: %s\n\n", json);
    assert_int_equal(text->n_sse, strlen(wanted));
    assert_memory_equal(text->data, wanted, text->n_sse);
    assert_int_equal(text->n_line, strlen(json) + 1);
    assert_memory_equal(text->data + text->line_at, json, strlen(json));
    assert_int_equal(text->data[text->line_at + text->n_line - 1], '\n');
    struct lagd_text *beat = lagd_text_beat(), *parts[] = {text, beat}, *both = lagd_text_join(parts, 2);
    assert_int_equal(both->n_sse, text->n_sse + beat->n_sse);
    assert_memory_equal(both->data + text->n_sse, ": hb\n\n", 6);
    assert_memory_equal(both->data + both->line_at + text->n_line, "{\"type\":\"hb\"}\n", beat->n_line);
    lagd_text_drop(both);
    lagd_text_drop(beat);
    lagd_text_drop(text);
}

static void a_fresh_feed_begins_now(void **state) {
    (void)state;
    push(11, "run.state", "run_1");
    struct lagd_feed feed = follow(-1);
    feed.lines = false;
    const char *text = drain(&feed, 4096);
    assert_memory_equal(text, "retry: 2000\n\nid: 11\nevent: hello\ndata: {", 37);
    assert_non_null(strstr(text, "id: 11\nevent: caught-up\n"));
    push(12, "run.state", "run_1");
    assert_true(lagd_feed_pending(&feed, &board));
    assert_memory_equal(drain(&feed, 4096), "id: 12\nevent: run.state\n", 24);
    board.beat++;
    assert_string_equal(drain(&feed, 4096), ": hb\n\n");
    lagd_feed_deinit(&feed);
}

static void pieces_make_the_same_text(void **state) {
    (void)state;
    static char whole[65536];
    for (int i = 11; i < 40; i++) push(i, "run.state", "run_1");
    for (size_t size = 1; size < 300; size += 37) {
        struct lagd_feed a = follow(12), b = follow(12);
        a.lines = b.lines = false;
        (void)snprintf(whole, sizeof(whole), "%s", drain(&a, 60000));
        char *notice = strstr(whole, "data: {\"ts\":\"2"); /* the times of notices may differ */
        assert_non_null(notice);
        assert_int_equal(strncmp(whole, drain(&b, size), (size_t)(notice - whole)), 0);
        assert_int_equal(strlen(whole), strlen(got));
        lagd_feed_deinit(&a);
        lagd_feed_deinit(&b);
    }
}

static void the_ring_serves_what_it_has(void **state) {
    (void)state;
    for (int i = 11; i <= 15; i++) push(i, "run.state", i % 2 ? "run_1" : "run_2");
    struct lagd_feed feed = follow(13);
    (void)drain(&feed, 4096);
    assert_string_equal(types(), "run.state run.state caught-up");
    assert_int_equal(feed.cursor, 15);
    struct lagd_feed mine = follow(10);
    (void)snprintf(mine.run_id, sizeof(mine.run_id), "run_2");
    (void)drain(&mine, 4096);
    assert_string_equal(types(), "run.state run.state caught-up");
    assert_non_null(strstr(got, "\"seq\":12"));
    assert_non_null(strstr(got, "\"cursor\":15"));
    struct lagd_feed none = follow(10);
    none.topics = LAGD_TOPIC_GROWTH;
    (void)drain(&none, 4096);
    assert_string_equal(types(), "caught-up");
    push(16, "run.state", "run_1");
    assert_false(lagd_feed_pending(&none, &board));
    assert_int_equal(none.cursor, 16);
}

static void the_past_comes_in_pages(void **state) {
    (void)state;
    push(11, "run.state", "run_1");
    struct lagd_feed feed = follow(3), other = follow(500);
    assert_string_equal(drain(&feed, 4096), "");
    assert_int_equal(feed.phase, LAGD_FEED_BACKLOG);
    (void)drain(&other, 4096);
    assert_int_equal(other.phase, LAGD_FEED_BACKLOG); /* beyond the end: not the ring's to judge */
    struct lag_event_row old = row(4, "growth.state", "run_1");
    lagd_feed_page(&feed, &board, lagd_text_event(&old), 4);
    assert_int_equal(feed.phase, LAGD_FEED_BACKLOG);
    (void)drain(&feed, 4096);
    assert_string_equal(types(), "growth.state");
    lagd_feed_page(&feed, &board, NULL, 7);
    assert_false(lagd_feed_pending(&feed, &board));
    old = row(10, "dataset.added", "");
    lagd_feed_page(&feed, &board, lagd_text_event(&old), 10);
    assert_int_equal(feed.phase, LAGD_FEED_LIVE);
    (void)drain(&feed, 4096);
    assert_string_equal(types(), "dataset.added run.state caught-up");
    lagd_feed_deinit(&feed);
    lagd_feed_deinit(&other);
}

static void a_feed_that_lags_is_ended(void **state) {
    (void)state;
    struct lagd_feed feed = follow(10), quick = follow(10);
    (void)drain(&feed, 4096);
    for (int i = 0; i < (int)LAGD_RING_EVENTS; i++) push(11 + i, "run.state", "run_1");
    assert_int_equal(lagd_feed_read(&feed, &board, got, 10), 10); /* the first of all is on its way */
    push(11 + LAGD_RING_EVENTS, "run.state", "run_1");
    push(12 + LAGD_RING_EVENTS, "run.state", "run_1");
    assert_int_equal(board.ring.base_seq, 12);
    assert_true(lagd_feed_pending(&feed, &board));
    (void)drain(&feed, 4096);
    assert_string_equal(types(), "run.state lagged"); /* the one under way is whole */
    assert_non_null(strstr(got, "\"cursor\":11}"));
    assert_int_equal(feed.phase, LAGD_FEED_OVER);
    assert_int_equal(board.n_lagged, 1);
    (void)drain(&quick, 4096);
    assert_int_equal(quick.phase, LAGD_FEED_BACKLOG); /* not begun yet: the database has it all */
}

static void the_ring_is_bounded_in_bytes(void **state) {
    (void)state;
    struct lag_event_row event = row(0, "system.warning", "");
    memset(event.message, 'x', sizeof(event.message) - 1);
    for (event.seq = 11; event.seq < 5000; event.seq++) lagd_board_push(&board, lagd_text_event(&event), &event);
    assert_true(board.ring.n_bytes <= LAGD_RING_BYTES && board.ring.n_bytes > LAGD_RING_BYTES / 2);
    assert_true(board.ring.next - board.ring.first < LAGD_RING_EVENTS);
    assert_int_equal(board.ring.entries[board.ring.first % LAGD_RING_EVENTS].seq, board.ring.base_seq + 1);
}

static void the_last_batch_wins(void **state) {
    (void)state;
    put_batch(3, "{\"type\":\"old\"}", "run_1");
    struct lagd_feed feed = follow(-1), mine = follow(-1), deaf = follow(-1);
    (void)snprintf(mine.run_id, sizeof(mine.run_id), "run_2");
    deaf.topics = LAGD_TOPICS_ALL & ~(unsigned)LAGD_TOPIC_METRIC;
    (void)drain(&feed, 4096);
    assert_string_equal(types(), "hello caught-up"); /* what was before is not new */
    (void)drain(&mine, 4096);
    (void)drain(&deaf, 4096);
    put_batch(3, "{\"type\":\"a1\"}", "run_1");
    put_batch(0, "{\"type\":\"b1\"}", "run_2");
    put_batch(3, "{\"type\":\"a2\"}\n", "run_1");
    push(11, "run.state", "run_1");
    (void)drain(&feed, 4096);
    assert_null(strstr(got, "\n\n"));
    assert_string_equal(types(), "run.state b1 a2"); /* states first, then points in their order */
    (void)drain(&mine, 4096);
    assert_string_equal(types(), "b1");
    (void)drain(&deaf, 4096);
    assert_string_equal(types(), "run.state");
    assert_false(lagd_feed_pending(&deaf, &board));
}

/* A run that goes back takes its batch with it; one that is being copied is copied to its end. */
static void a_batch_that_was_taken_back_is_not_told(void **state) {
    (void)state;
    struct lagd_feed feed = follow(-1), other = follow(-1);
    (void)drain(&feed, 4096);
    (void)drain(&other, 4096);
    put_batch(1, "{\"type\":\"back\"}", "run_1");
    put_batch(2, "{\"type\":\"on\"}", "run_2");
    assert_int_equal(lagd_feed_read(&other, &board, got, 5), 5);
    lagd_board_drop_batches(&board, "run_1");
    (void)drain(&feed, 4096);
    assert_string_equal(types(), "on");
    assert_string_equal(drain(&other, 4096), "e\":\"back\"}\n{\"type\":\"on\"}\n");
    put_batch(1, "{\"type\":\"again\"}", "run_1");
    (void)drain(&feed, 4096);
    assert_string_equal(types(), "again");
    lagd_feed_deinit(&feed);
    lagd_feed_deinit(&other);
}

/* A batch that is replaced while it is being copied is copied to its end. */
static void a_batch_under_way_stays(void **state) {
    (void)state;
    struct lagd_feed feed = follow(-1);
    (void)drain(&feed, 4096);
    put_batch(1, "{\"type\":\"first\"}", "run_1");
    assert_int_equal(lagd_feed_read(&feed, &board, got, 5), 5);
    put_batch(1, "{\"type\":\"second\"}", "run_1");
    assert_string_equal(drain(&feed, 4096), "e\":\"first\"}\n{\"type\":\"second\"}\n");
    lagd_feed_deinit(&feed);
}

static void closing_gives_the_rest_and_a_bye(void **state) {
    (void)state;
    struct lagd_feed feed = follow(10), past = follow(3), expelled = follow(10);
    (void)drain(&feed, 4096);
    (void)drain(&past, 4096);
    (void)drain(&expelled, 4096);
    expelled.closing = true;
    assert_true(lagd_feed_pending(&expelled, &board));
    (void)drain(&expelled, 4096);
    assert_string_equal(types(), "bye");
    push(11, "run.state", "run_1");
    board.closing = true;
    assert_true(lagd_feed_pending(&feed, &board) && lagd_feed_pending(&past, &board));
    (void)drain(&feed, 4096);
    assert_string_equal(types(), "run.state bye");
    (void)drain(&past, 4096);
    assert_string_equal(types(), "bye");
    assert_non_null(strstr(got, "\"cursor\":3}"));
    assert_true(feed.phase == LAGD_FEED_OVER && past.phase == LAGD_FEED_OVER && expelled.phase == LAGD_FEED_OVER);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(topics_are_read),
        TEST(a_text_has_two_forms),
        TEST(a_fresh_feed_begins_now),
        TEST(pieces_make_the_same_text),
        TEST(the_ring_serves_what_it_has),
        TEST(the_past_comes_in_pages),
        TEST(a_feed_that_lags_is_ended),
        TEST(the_ring_is_bounded_in_bytes),
        TEST(the_last_batch_wins),
        TEST(a_batch_that_was_taken_back_is_not_told),
        TEST(a_batch_under_way_stays),
        TEST(closing_gives_the_rest_and_a_bye),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
