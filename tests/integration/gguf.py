"""A reader of GGUF files, after ggml's docs/gguf.md (version 3) and nothing of lagd's."""
import math
import struct

SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
TEXT, ARRAY = 8, 9
F32, F16 = 0, 1
# llama.cpp's names of a layer's parts, and Hugging Face's; whether the matrix is transposed.
PARTS = {"attn_norm": ("ln_1", False), "attn_qkv": ("attn.c_attn", True), "attn_output": ("attn.c_proj", True),
         "ffn_norm": ("ln_2", False), "ffn_up": ("mlp.c_fc", True), "ffn_down": ("mlp.c_proj", True)}
ENDS = {"token_embd.weight": "wte.weight", "position_embd.weight": "wpe.weight", "output_norm.weight": "ln_f.weight",
        "output_norm.bias": "ln_f.bias"}


class Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def scalar(self, kind):
        values = struct.unpack_from("<" + kind, self.data, self.at)
        self.at += struct.calcsize("<" + kind)
        return values[0]

    def text(self):
        n = self.scalar("Q")
        self.at += n
        return self.data[self.at - n:self.at].decode()

    def value(self, kind):
        if kind == TEXT:
            return self.text()
        if kind == ARRAY:
            kind, n = self.scalar("I"), self.scalar("Q")
            return [self.value(kind) for _ in range(n)]
        return self.scalar(SCALARS[kind])


def read(data):
    """The pairs of key and value, and {name: (dims as written, type, bytes)}."""
    reader = Reader(data)
    assert data[:4] == b"GGUF", data[:4]
    reader.at = 4
    version, n_tensors, n_pairs = reader.scalar("I"), reader.scalar("Q"), reader.scalar("Q")
    assert version == 3, version
    pairs = {}
    for _ in range(n_pairs):
        key = reader.text()
        assert key not in pairs, key
        pairs[key] = reader.value(reader.scalar("I"))
    alignment = pairs.get("general.alignment", 32)
    entries = []
    for _ in range(n_tensors):
        name = reader.text()
        dims = [reader.scalar("Q") for _ in range(reader.scalar("I"))]
        entries.append((name, dims, reader.scalar("I"), reader.scalar("Q")))
    begin = -(-reader.at // alignment) * alignment
    assert not any(data[reader.at:begin])
    tensors, at = {}, 0
    for name, dims, kind, offset in entries:
        n = math.prod(dims) * (2 if kind == F16 else 4)
        assert kind in (F32, F16) and offset == at and at % alignment == 0 and name not in tensors, (name, offset, at)
        tensors[name] = dims, kind, data[begin + at:begin + at + n]
        at += -(-n // alignment) * alignment
        assert not any(data[begin + offset + n:begin + at]), name
    assert begin + at == len(data), (begin, at, len(data))
    return pairs, tensors


def is_transposed(name):
    return name.startswith("blk.") and name.endswith(".weight") and PARTS[name.split(".")[2]][1]


def hugging_face_name(name):
    if name in ENDS:
        return ENDS[name]
    _, layer, part, kind = name.split(".")
    return f"h.{layer}.{PARTS[part][0]}.{kind}"


def as_hugging_face(tensors):
    """{Hugging Face's name: (shape, numbers)}, with every matrix as it lies there."""
    found = {}
    for name, (dims, kind, data) in tensors.items():
        numbers = struct.unpack(f"<{math.prod(dims)}{'e' if kind == F16 else 'f'}", data)
        shape = dims[::-1]
        if is_transposed(name):
            n_out, n_in = shape
            numbers = [numbers[o * n_in + i] for i in range(n_in) for o in range(n_out)]
            shape = [n_in, n_out]
        found[hugging_face_name(name)] = shape, list(numbers)
    return found
