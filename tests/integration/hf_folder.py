"""Small GPT-2 folders as Hugging Face's libraries write them, made of a formula: no library is needed, and the same
bytes come out wherever they are made. tests/golden/make_models.py makes them with PyTorch, too, and keeps what it
found."""
import json
import os
import struct

CONFIG = {
    "activation_function": "gelu_new", "architectures": ["GPT2LMHeadModel"], "attn_pdrop": 0.1, "bos_token_id": 298,
    "embd_pdrop": 0.1, "eos_token_id": 299, "initializer_range": 0.02, "layer_norm_epsilon": 2e-05,
    "model_type": "gpt2", "n_ctx": 32, "n_embd": 24, "n_head": 3, "n_layer": 2, "n_positions": 32,
    "resid_pdrop": 0.1, "summary_type": "cls_index", "task_specific_params": {"text-generation": {"top_k": 50}},
    "torch_dtype": "float32", "transformers_version": "4.40.0", "vocab_size": 320,
}
TORCH = {"F32": "float32", "F16": "float16", "BF16": "bfloat16"}
TOKENIZER_SIZE = 300  # less than the vocabulary: that is kept
CONTEXT = CONFIG["n_positions"]


def shapes(config=CONFIG):
    c, inner = config["n_embd"], config.get("n_inner") or 4 * config["n_embd"]
    yield "wte.weight", [config["vocab_size"], c]
    yield "wpe.weight", [config["n_positions"], c]
    for i in range(config["n_layer"]):
        for name, shape in (("ln_1.weight", [c]), ("ln_1.bias", [c]), ("attn.c_attn.weight", [c, 3 * c]),
                            ("attn.c_attn.bias", [3 * c]), ("attn.c_proj.weight", [c, c]), ("attn.c_proj.bias", [c]),
                            ("ln_2.weight", [c]), ("ln_2.bias", [c]), ("mlp.c_fc.weight", [c, inner]),
                            ("mlp.c_fc.bias", [inner]), ("mlp.c_proj.weight", [inner, c]), ("mlp.c_proj.bias", [c])):
            yield f"h.{i}.{name}", shape
    yield "ln_f.weight", [c]
    yield "ln_f.bias", [c]


def count(shape):
    n = 1
    for one in shape:
        n *= one
    return n


def values(name, shape):
    """Numbers within ±0.35 (norms: near 1), each exact in single precision."""
    seed = sum(ord(c) * (i + 7) for i, c in enumerate(name))
    norm = ".ln_" in "." + name and name.endswith("weight")
    out = []
    for i in range(count(shape)):
        x = (i * 2654435761 + seed * 40503 + (i * i + seed) * 97) & 0xffffffff
        x = ((x ^ x >> 13) * 1597334677) & 0xffffffff
        y = ((x >> 12 & 0xfffff) - 0x80000) * 2.0 ** -20.5
        out.append(struct.unpack("<f", struct.pack("<f", 1 + y / 4 if norm else y))[0])
    return out


def bf16(value):
    bits = struct.unpack("<I", struct.pack("<f", value))[0]
    return (bits + 0x7fff + (bits >> 16 & 1)) >> 16 & 0xffff


def pack(dtype, numbers):
    if dtype == "BF16":
        return struct.pack(f"<{len(numbers)}H", *map(bf16, numbers))
    return struct.pack(f"<{len(numbers)}{'e' if dtype == 'F16' else 'f'}", *numbers)


def buffers(config=CONFIG, dtype="U8"):
    """What old versions stored beside the weights."""
    t = config["n_positions"]
    mask = bytes(int(k <= q) for q in range(t) for k in range(t))
    for i in range(config["n_layer"]):
        yield f"h.{i}.attn.bias", dtype, [1, 1, t, t], mask
        yield f"h.{i}.attn.masked_bias", "F32", [], struct.pack("<f", -1e4)


def tensors(dtype="F32", prefix="transformer.", config=CONFIG, with_buffers=None, with_head=False, weights=pack):
    """[(name, dtype, shape, bytes)] in the order of a state_dict. weights: who packs the numbers."""
    out = [(prefix + name, dtype, shape, weights(dtype, values(name, shape))) for name, shape in shapes(config)]
    if with_buffers:
        out += [(prefix + name, *rest) for name, *rest in buffers(config, with_buffers)]
    if with_head:
        out.append(("lm_head.weight", *out[0][1:]))
    return out


def safetensors(items):
    header, at = {"__metadata__": {"format": "pt"}}, 0
    for name, dtype, shape, data in items:
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [at, at + len(data)]}
        at += len(data)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + b"".join(data for *_, data in items)


def shards(items, n):
    """{file: bytes} of n shards and their index."""
    names = [f"model-{i + 1:05}-of-{n:05}.safetensors" for i in range(n)]
    parts = [items[i * len(items) // n:(i + 1) * len(items) // n] for i in range(n)]
    where = {item[0]: name for name, part in zip(names, parts) for item in part}
    files = {name: safetensors(part) for name, part in zip(names, parts)}
    size = sum(len(item[3]) for item in items)
    files["model.safetensors.index.json"] = json.dumps({"metadata": {"total_size": size}, "weight_map": where}).encode()
    return files


def characters():
    """GPT-2's table of printable characters for bytes."""
    plain = [*range(0x21, 0x7f), *range(0xa1, 0xad), *range(0xae, 0x100)]
    others = [b for b in range(256) if b not in plain]
    return {**{b: chr(b) for b in plain}, **{b: chr(256 + i) for i, b in enumerate(others)}}


def tokenizer():
    """Of 298 tokens, and two that are added."""
    vocab = {c: b for b, c in sorted(characters().items())}
    merges = []
    for i in range(256, 298):
        a, b = chr(ord("a") + i % 20), chr(ord("a") + i // 20)
        merges.append(f"{a} {b}")
        vocab[a + b] = i
    added = [{"id": 298 + i, "content": text, "special": True} for i, text in enumerate(("<|begin|>", "<|end|>"))]
    return {"version": "1.0", "added_tokens": added, "normalizer": None,
            "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": False},
            "decoder": {"type": "ByteLevel"}, "post_processor": None,
            "model": {"type": "BPE", "dropout": None, "vocab": vocab, "merges": merges}}


# What make_models.py and test_models.py look at: name → how it is written.
FOLDERS = {
    "f32": {"dtype": "F32", "prefix": "transformer.", "with_buffers": "U8"},
    "f16": {"dtype": "F16", "prefix": "", "with_head": True},
    "bf16": {"dtype": "BF16", "prefix": "", "with_buffers": "BOOL", "shards": 3},
}


def files_of(how, weights=pack, **changes):
    how = dict(how)
    n_shards = how.pop("shards", 1)
    config = dict(CONFIG, torch_dtype=TORCH[how["dtype"]], **changes)
    items = tensors(weights=weights, config=config, **how)
    files = shards(items, n_shards) if n_shards > 1 else {"model.safetensors": safetensors(items)}
    files["config.json"] = (json.dumps(config, indent=2) + "\n").encode()
    files["tokenizer.json"] = json.dumps(tokenizer(), ensure_ascii=False).encode()
    files["special_tokens_map.json"] = b'{"eos_token": "<|end|>"}'
    return files


def write(folder, files):
    os.makedirs(folder, exist_ok=True)
    for name, data in files.items():
        with open(os.path.join(folder, name), "wb") as f:
            f.write(data)


def ids(n=3000):
    """Tokens of a data set, below the tokenizer's size."""
    out, x = [], 1
    for i in range(n):
        x = (x * 1103515245 + 12345 + i) & 0x7fffffff
        out.append((x >> 9) % (40 if i % 3 else TOKENIZER_SIZE))
    return out


def windows(tokens, rows, batches, context=CONTEXT):
    """As lagd's validation takes them: evenly spaced over the last tenth."""
    n = len(tokens) // 10
    for window in range(rows * batches):
        at = len(tokens) - n + window * (n - context) // (rows * batches)
        yield tokens[at:at + context + 1]
