/* TensorBoard's event files: records of tensorflow/core/lib/io/record_writer.h, each an Event of
 * tensorflow/core/util/event.proto in protobuf's encoding, with the scalars of one step.
 *
 * A record is its length (64 bits), a check of the length, the data, a check of the data; a check is a CRC-32C, rotated
 * and with a constant added. All numbers are little-endian. Pure. */
#pragma once
#include <lagd/base/strbuf.h>
#include <stddef.h>
#include <stdint.h>

uint32_t lagd_crc32c(const void *data, size_t size); /* Castagnoli's polynomial, reflected: 0x82f63b78 */

/* What a file begins with: the version of the format. wall_time: seconds since 1970. */
void lagd_tfevents_begin(struct lag_strbuf *out, double wall_time);

/* A step's scalars: begin, add each, then append the record. Values are written as floats, also those that are not
 * finite. */
struct lagd_tfevent {
    struct lag_strbuf event, summary;
};
#define LAGD_TFEVENT_INIT {LAG_STRBUF_INIT, LAG_STRBUF_INIT}
void lagd_tfevent_begin(struct lagd_tfevent *event, double wall_time, int64_t step);
void lagd_tfevent_add(struct lagd_tfevent *event, const char *tag, double value);
void lagd_tfevent_append(struct lagd_tfevent *event, struct lag_strbuf *out); /* out fails where memory is out */
void lagd_tfevent_deinit(struct lagd_tfevent *event);
