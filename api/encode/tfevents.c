/* TensorBoard's event files. */
#include "encode/tfevents_internal.h"

#include <string.h>

#define VERSION "brain.Event:2"
#define CRC_POLYNOMIAL 0x82f63b78u
#define CRC_DELTA 0xa282ead8u

/* Tags of protobuf: the field's number, and its kind (0 whole number, 1 eight bytes, 2 with a length, 5 four bytes). */
#define FIELD(number, kind) ((number) << 3 | (kind))
enum {
    EVENT_WALL_TIME = FIELD(1, 1), EVENT_STEP = FIELD(2, 0), EVENT_VERSION = FIELD(3, 2), EVENT_SUMMARY = FIELD(5, 2),
    SUMMARY_VALUE = FIELD(1, 2), VALUE_TAG = FIELD(1, 2), VALUE_NUMBER = FIELD(2, 5),
};

uint32_t lagd_crc32c(const void *data, size_t size) {
    const unsigned char *bytes = data;
    uint32_t crc = UINT32_MAX;
    for (size_t i = 0; i < size; i++) {
        crc ^= bytes[i];
        for (int bit = 0; bit < 8; bit++) crc = crc >> 1 ^ (crc & 1 ? CRC_POLYNOMIAL : 0);
    }
    return ~crc;
}

static uint32_t check_of(const void *data, size_t size) {
    const uint32_t crc = lagd_crc32c(data, size);
    return (crc >> 15 | crc << 17) + CRC_DELTA;
}

static void put(struct lag_strbuf *out, const void *data, size_t size) { lag_strbuf_append_n(out, data, size); }

static void put_record(struct lag_strbuf *out, const struct lag_strbuf *event) {
    const uint64_t length = event->length;
    const uint32_t of_length = check_of(&length, sizeof(length)), of_data = check_of(event->data, event->length);
    put(out, &length, sizeof(length));
    put(out, &of_length, sizeof(of_length));
    put(out, event->data, event->length);
    put(out, &of_data, sizeof(of_data));
    out->failed = out->failed || event->failed;
}

static void put_number(struct lag_strbuf *out, uint64_t number) {
    unsigned char bytes[10];
    size_t n = 0;
    do {
        bytes[n++] = (unsigned char)((number & 0x7f) | (number > 0x7f ? 0x80 : 0));
        number >>= 7;
    } while (number > 0);
    put(out, bytes, n);
}

static void put_text(struct lag_strbuf *out, int field, const char *text, size_t length) {
    put_number(out, (uint64_t)field);
    put_number(out, length);
    put(out, text, length);
}

static void put_time(struct lag_strbuf *out, double wall_time) {
    put_number(out, EVENT_WALL_TIME);
    put(out, &wall_time, sizeof(wall_time));
}

void lagd_tfevents_begin(struct lag_strbuf *out, double wall_time) {
    struct lag_strbuf event = LAG_STRBUF_INIT;
    put_time(&event, wall_time);
    put_text(&event, EVENT_VERSION, VERSION, strlen(VERSION));
    put_record(out, &event);
    lag_strbuf_deinit(&event);
}

void lagd_tfevent_begin(struct lagd_tfevent *event, double wall_time, int64_t step) {
    lag_strbuf_clear(&event->event);
    lag_strbuf_clear(&event->summary);
    put_time(&event->event, wall_time);
    put_number(&event->event, EVENT_STEP);
    put_number(&event->event, (uint64_t)step);
}

void lagd_tfevent_add(struct lagd_tfevent *event, const char *tag, double value) {
    const float number = (float)value;
    const size_t length = strlen(tag);
    struct lag_strbuf one = LAG_STRBUF_INIT;
    put_text(&one, VALUE_TAG, tag, length);
    put_number(&one, VALUE_NUMBER);
    put(&one, &number, sizeof(number));
    put_text(&event->summary, SUMMARY_VALUE, one.data, one.length);
    event->summary.failed = event->summary.failed || one.failed;
    lag_strbuf_deinit(&one);
}

void lagd_tfevent_append(struct lagd_tfevent *event, struct lag_strbuf *out) {
    put_text(&event->event, EVENT_SUMMARY, event->summary.data, event->summary.length);
    event->event.failed = event->event.failed || event->summary.failed;
    put_record(out, &event->event);
}

void lagd_tfevent_deinit(struct lagd_tfevent *event) {
    lag_strbuf_deinit(&event->event);
    lag_strbuf_deinit(&event->summary);
}
