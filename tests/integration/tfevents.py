"""A reader of TensorBoard's event files, after the format's description and nothing of lagd's."""
import struct


def crc32c(data):
    crc = 0xffffffff
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82f63b78 if crc & 1 else 0)
    return crc ^ 0xffffffff


def check(data):
    crc = crc32c(data)
    return ((crc >> 15 | crc << 17) + 0xa282ead8) & 0xffffffff


def fields(data):
    """[(number, value)] of a message of protobuf's."""
    def number():
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 0x7f) << shift
            shift += 7
            if byte < 0x80:
                return value
    at, found = 0, []
    while at < len(data):
        tag = number()
        kind = tag & 7
        n = number() if kind == 2 else {0: 0, 1: 8, 5: 4}[kind]
        found.append((tag >> 3, number() if kind == 0 else data[at:at + n]))
        at += n
    assert at == len(data)
    return found


def read(data):
    """[(wall_time, step, {tag: value})], without the first record, which tells the version."""
    at, events = 0, []
    while at < len(data):
        length, of_length = struct.unpack_from("<QI", data, at)
        assert of_length == check(data[at:at + 8])
        record = data[at + 12:at + 12 + length]
        assert struct.unpack_from("<I", data, at + 12 + length)[0] == check(record) and len(record) == length
        at += 12 + length + 4
        event = dict(fields(record))
        time = struct.unpack("<d", event[1])[0]
        if 3 in event:
            assert not events and event[3] == b"brain.Event:2"
            continue
        scalars = {}
        for number, value in fields(event.get(5, b"")):
            assert number == 1
            one = dict(fields(value))
            scalars[one[1].decode()] = struct.unpack("<f", one[2])[0]
        events.append((time, event.get(2, 0), scalars))
    return events
