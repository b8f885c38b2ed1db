#!/usr/bin/env python3
"""An independent reader of a checkpoint folder, from the format's description and Python's library alone.

Usage: check_safetensors.py FOLDER. Checks the structure of the safetensors files, hashes and sizes against
manifest.json, config.json's keys, names and shapes against the spec, and prints one line per tensor, sorted by name:
name, shape, and the SHA-256 of its data."""
import hashlib
import json
import os
import struct
import sys


def no_duplicates(pairs):
    assert len({k for k, _ in pairs}) == len(pairs), "duplicate key"
    return dict(pairs)


def read_safetensors(path):
    raw = open(path, "rb").read()
    (n,) = struct.unpack("<Q", raw[:8])
    assert n % 8 == 0 and raw[8:9] == b"{", "header"
    header = json.loads(raw[8:8 + n].decode("utf-8"), object_pairs_hook=no_duplicates)
    metadata = header.pop("__metadata__")
    assert metadata["format"] == "pt" and all(isinstance(v, str) for v in metadata.values())
    data, at, out = raw[8 + n:], 0, {}
    assert list(header) == sorted(header), "order of the reference writer: by name"
    for name, info in header.items():
        begin, end = info["data_offsets"]
        width = {"F32": 4, "F64": 8}[info["dtype"]]
        count = 1
        for d in info["shape"]:
            count *= d
        assert begin == at and end - begin == count * width, name
        values = struct.unpack("<%d%s" % (count, "f" if width == 4 else "d"), data[begin:end])
        out[name] = (info["shape"], values, hashlib.sha256(data[begin:end]).hexdigest())
        at = end
    assert at == len(data), "the data end with the file"
    return metadata, out


def expected_shapes(c):
    C, inner = c["n_embd"], c["n_inner"]
    shapes = {"transformer.wte.weight": [c["vocab_size"], C], "transformer.wpe.weight": [c["n_positions"], C],
              "transformer.ln_f.weight": [C], "transformer.ln_f.bias": [C]}
    for i in range(c["n_layer"]):
        h = "transformer.h.%d." % i
        for norm in ("ln_1", "ln_2"):
            shapes[h + norm + ".weight"] = shapes[h + norm + ".bias"] = [C]
        for name, rows, cols in (("attn.c_attn", C, 3 * C), ("attn.c_proj", C, C), ("mlp.c_fc", C, inner),
                                 ("mlp.c_proj", inner, C)):
            shapes[h + name + ".weight"], shapes[h + name + ".bias"] = [rows, cols], [cols]
    return shapes


def main(folder):
    manifest = json.load(open(os.path.join(folder, "manifest.json")), object_pairs_hook=no_duplicates)
    for entry in manifest["files"]:
        raw = open(os.path.join(folder, entry["name"]), "rb").read()
        assert len(raw) == entry["n_bytes"] and hashlib.sha256(raw).hexdigest() == entry["sha256"], entry["name"]
    config = json.load(open(os.path.join(folder, "config.json")))
    wanted = """architectures model_type vocab_size n_positions n_embd n_layer n_head n_inner activation_function
        resid_pdrop embd_pdrop attn_pdrop layer_norm_epsilon initializer_range scale_attn_weights
        scale_attn_by_inverse_layer_idx reorder_and_upcast_attn use_cache tie_word_embeddings bos_token_id eos_token_id
        torch_dtype""".split()
    assert sorted(config) == sorted(wanted), sorted(config)
    assert config["architectures"] == ["GPT2LMHeadModel"] and config["activation_function"] == "gelu_new"
    spec = manifest["spec"]
    assert spec["norm_eps"] == config["layer_norm_epsilon"]
    for key in ("vocab_size", "n_positions", "n_embd", "n_layer", "n_head", "n_inner"):
        assert config[key] == spec[key], key
    metadata, model = read_safetensors(os.path.join(folder, "model.safetensors"))
    assert metadata["lagd.step"] == str(manifest["step"]) and metadata["lagd.run"] == manifest["meta"]["run_id"]
    assert metadata["lagd.growth"] == manifest["meta"]["growth_text"]
    shapes = expected_shapes(config)
    assert {k: v[0] for k, v in model.items()} == shapes
    _, moments = read_safetensors(os.path.join(folder, "optimizer.safetensors"))
    assert {k: v[0] for k, v in moments.items()} == {p + k: v for k, v in shapes.items() for p in ("m.", "v.")}
    for name, (shape, values, digest) in sorted({**model, **moments}.items()):
        print(name, "x".join(map(str, shape)), digest)


main(sys.argv[1])
