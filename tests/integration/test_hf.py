"""A checkpoint's model as Hugging Face's libraries load it: hf.tar, unpacked and read by other means, file by file."""
import glob
import hashlib
import io
import json
import math
import os
import re
import sqlite3
import struct
import sys
import tarfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import lagd
from gpt2 import Model, read_safetensors, validation_loss
from hf_folder import characters as byte_characters
from lagd import grown, run_body, started

TEXTS = ["README.md", "config.json", "generation_config.json", "lagd_lineage.json"]
TOKENIZER = ["tokenizer.json", "tokenizer_config.json"]


def export(daemon, checkpoint, dtype=None):
    """The files of hf.tar by name, all of one folder."""
    path = f"/api/v1/checkpoints/{checkpoint}/hf.tar" + (f"?dtype={dtype}" if dtype else "")
    status, headers, data = daemon.request("GET", path)
    assert status == 200 and headers["Content-Type"] == "application/x-tar", (status, data[:300])
    assert int(headers["Content-Length"]) == len(data) and len(data) % 512 == 0, headers
    assert headers["Content-Disposition"] == f'attachment; filename="{checkpoint}-hf.tar"', headers
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        members = archive.getmembers()
        assert all(m.isreg() and m.mode == 0o644 and m.name.startswith(checkpoint + "-hf/") for m in members)
        files = {m.name.partition("/")[2]: archive.extractfile(m).read() for m in members}
    assert len(files) == len(members)
    return files


def names_of(config):
    c, inner = config["n_embd"], config["n_inner"]
    names = {"wte.weight": [config["vocab_size"], c], "wpe.weight": [config["n_positions"], c], "ln_f.weight": [c],
             "ln_f.bias": [c]}
    for i in range(config["n_layer"]):
        for name, shape in (("ln_1.weight", [c]), ("ln_1.bias", [c]), ("attn.c_attn.weight", [c, 3 * c]),
                            ("attn.c_attn.bias", [3 * c]), ("attn.c_proj.weight", [c, c]), ("attn.c_proj.bias", [c]),
                            ("ln_2.weight", [c]), ("ln_2.bias", [c]), ("mlp.c_fc.weight", [c, inner]),
                            ("mlp.c_fc.bias", [inner]), ("mlp.c_proj.weight", [inner, c]), ("mlp.c_proj.bias", [c])):
            names[f"h.{i}.{name}"] = shape
    return {"transformer." + name: shape for name, shape in names.items()}


def nearest_bf16(bits):
    """Of a float's bits, by comparing with both neighbours; equally near: the even one."""
    low = bits >> 16
    value, a, b = (struct.unpack("<f", struct.pack("<I", x))[0] for x in (bits, low << 16, (low + 1) << 16))
    below, above = abs(value - a), abs(b - value)
    return low if below < above or (below == above and low % 2 == 0) else low + 1


def converted(data, dtype):
    floats = struct.unpack(f"<{len(data) // 4}f", data)
    if dtype == "f16":
        return struct.pack(f"<{len(floats)}e", *floats)  # Python rounds to the nearest, and to even
    return struct.pack(f"<{len(floats)}H", *map(nearest_bf16, struct.unpack(f"<{len(floats)}I", data)))


# --- the tokenizer ---


def encode(tokenizer, text):
    """What a byte-level BPE does, by what the file says."""
    model, table = tokenizer["model"], byte_characters()
    ranks = {tuple(merge): i for i, merge in enumerate(model["merges"])}
    pieces = [table[b] for b in text.encode()]
    while True:
        pairs = [(ranks[pair], i) for i, pair in enumerate(zip(pieces, pieces[1:])) if pair in ranks]
        if not pairs:
            return [model["vocab"][piece] for piece in pieces]
        _, i = min(pairs)
        pieces[i:i + 2] = [pieces[i] + pieces[i + 1]]


def the_tokenizer_is_bytes(files, n_positions):
    tokenizer = json.loads(files["tokenizer.json"])
    assert tokenizer["version"] == "1.0" and tokenizer["added_tokens"] == [], tokenizer
    assert tokenizer["normalizer"] is tokenizer["post_processor"] is tokenizer["truncation"] is None
    for part in ("pre_tokenizer", "decoder"):
        assert tokenizer[part]["type"] == "ByteLevel" and tokenizer[part]["add_prefix_space"] is False, tokenizer[part]
    model = tokenizer["model"]
    assert model["type"] == "BPE" and model["merges"] == [] and model["unk_token"] is None, list(model)
    assert model["byte_fallback"] is model["fuse_unk"] is False and model["dropout"] is None
    assert model["vocab"] == {character: b for b, character in byte_characters().items()}
    text = "In the beginning \t\r\n  was thé Wörd ¡­ÿ 中文 \U0001f600\0\x7f" + "".join(map(chr, range(0x700)))
    ids = encode(tokenizer, text)
    assert ids == list(text.encode()) and len(set(ids)) > 200
    characters = {i: c for c, i in model["vocab"].items()}
    back = {c: b for b, c in byte_characters().items()}
    assert bytes(back[characters[i]] for i in ids).decode() == text
    config = json.loads(files["tokenizer_config.json"])
    # Another class adds a token of its own; token_type_ids would be added to the embeddings.
    assert config["tokenizer_class"] == "PreTrainedTokenizerFast", config
    assert config["model_input_names"] == ["input_ids", "attention_mask"], config
    assert config["model_max_length"] == n_positions and config["clean_up_tokenization_spaces"] is False
    assert config["bos_token"] is config["eos_token"] is config["pad_token"] is config["unk_token"] is None


# --- cases ---


def every_file_is_what_it_should_be(folder):
    daemon = started(folder)
    grown(daemon)
    daemon.wait_for("/runs/one", lambda r: r["state"] == "completed")
    every = daemon.get("/runs/one/checkpoints")["items"]
    newest = every[0]
    stored = daemon.request("GET", f"/api/v1/checkpoints/{newest['id']}/files/model.safetensors")[2]
    files = {dtype: export(daemon, newest["id"], dtype) for dtype in ("f32", "bf16", "f16")}
    assert export(daemon, newest["id"]) == files["f32"]  # the default; and it is the same each time
    assert files["f32"]["model.safetensors"] == stored
    tensors, metadata = read_safetensors(stored)
    for dtype, name in (("f32", "float32"), ("bf16", "bfloat16"), ("f16", "float16")):
        assert sorted(files[dtype]) == sorted([*TEXTS, *TOKENIZER, "model.safetensors"]), sorted(files[dtype])
        config = json.loads(files[dtype]["config.json"])
        assert config["architectures"] == ["GPT2LMHeadModel"] and config["model_type"] == "gpt2", config
        assert config["activation_function"] == "gelu_new" and config["torch_dtype"] == name, config
        assert [config[k] for k in ("n_layer", "n_head", "n_embd", "n_inner", "n_positions", "vocab_size")] == \
               [4, 2, 32, 128, 32, 256], config
        for key in ("resid_pdrop", "embd_pdrop", "attn_pdrop", "layer_norm_epsilon", "initializer_range"):
            assert isinstance(config[key], float), (key, config[key])
        generation = json.loads(files[dtype]["generation_config.json"])
        assert all(c[k] is None for c in (config, generation) for k in ("bos_token_id", "eos_token_id")), config
        got, told = read_safetensors(files[dtype]["model.safetensors"])
        assert told == metadata and told["format"] == "pt" and told["lagd.step"] == "80", told
        assert {k: v[1] for k, v in got.items()} == names_of(config)
        assert {v[0] for v in got.values()} == {dtype.upper()}
        if dtype != "f32":
            assert all(got[k][2] == converted(tensors[k][2], dtype) for k in got), dtype
        the_tokenizer_is_bytes(files[dtype], 32)
    status, headers, body = daemon.request("HEAD", f"/api/v1/checkpoints/{newest['id']}/hf.tar?dtype=f16")
    assert status == 200 and not body and int(headers["Content-Length"]) > len(files["f16"]["model.safetensors"])
    where_it_comes_from(daemon, every, files["f32"])
    daemon.terminate()


def where_it_comes_from(daemon, every, files):
    newest = every[0]
    lineage = json.loads(files["lagd_lineage.json"])
    run = daemon.get("/runs/one/lineage")
    assert lineage["checkpoint"] == newest["id"] and lineage["step"] == 80 and lineage["run"] == run["run"], lineage
    assert lineage["stages"] == run["stages"] and [s["n_layer"] for s in run["stages"]] == [2, 4]
    assert lineage["growths"] == run["growths"] and len(run["growths"]) == 1 and lineage["candidate"] is None
    growth = daemon.get("/growths/" + run["growths"][0]["id"])
    assert lineage["decisions"] == [growth["decision"]]
    assert lineage["made_of"] == [{k: f[k] for k in ("name", "n_bytes", "sha256")} for f in newest["files"]]
    weights = hashlib.sha256(files["model.safetensors"]).hexdigest()
    assert weights in [f["sha256"] for f in lineage["made_of"]]
    dataset = daemon.get("/datasets/words")
    assert lineage["dataset"]["sha256"] == dataset["sha256"] and "path" not in lineage["dataset"]
    assert lineage["tokenizer"] == {"kind": "bytes", "vocab_size": 256} and lineage["tokenizer_note"] is None
    card = files["README.md"].decode()
    assert card.startswith("---\nlibrary_name: transformers\n") and card.count("\n---\n") == 1, card
    assert f'model="{newest["id"]}-hf"' in card and weights in card and "| 0 to 20 | 2 | 2 | 32 |" in card, card
    assert re.search(r"\| 20 to 80 \| 4 \| 2 \| 32 \| \d+ \| grown by ", card), card
    code = card.partition("```python\n")[2].partition("```")[0]
    assert code.count("\n") == 3 and 'write("And ", max_new_tokens=28)' in code, code  # 32 with the prompt's bytes
    compile(code, "card", "exec")
    # Of older states only what led to them is told, and whose they are.
    parent = json.loads(export(daemon, next(c["id"] for c in every if c["kind"] == "pre_growth"))["lagd_lineage.json"])
    assert [s["n_layer"] for s in parent["stages"]] == [2] and parent["growths"] == parent["decisions"] == [], parent
    assert parent["stages"][0]["to_step"] == parent["step"] == 20 and parent["shape"]["n_layer"] == 2
    grown_state = next(c for c in every if c["kind"] == "growth")
    child = json.loads(export(daemon, grown_state["id"])["lagd_lineage.json"])
    assert [s["n_layer"] for s in child["stages"]] == [2, 4] and len(child["decisions"]) == 1, child


def a_candidates_state_says_so(folder):
    daemon = started(folder)
    growth = grown(daemon, mode="manual")
    probed = next(c for c in daemon.get("/runs/one/checkpoints")["items"] if c["kind"] == "candidate")
    files = export(daemon, probed["id"], "bf16")
    lineage = json.loads(files["lagd_lineage.json"])
    candidate = daemon.get("/candidates/" + probed["candidate"])
    assert lineage["candidate"]["id"] == candidate["id"] and lineage["candidate"]["growth"] == growth, lineage
    assert lineage["growths"] == lineage["decisions"] == [] and [s["n_layer"] for s in lineage["stages"]] == [2]
    assert b"weights of a candidate on trial" in files["README.md"]
    daemon.terminate()


def another_reader_finds_the_same_loss(folder):
    """Before and after a growth, from nothing but the exported folder and the text."""
    daemon = started(folder)
    daemon.post("/runs", run_body("one", "words", model={"n_layer": 1, "n_embd": 16}, schedule={"max_steps": 60},
                                  eval={"every_steps": 20}, start=False))
    daemon.post("/runs/one/growths", {"target": {"n_layer": 2}, "when": {"at_step": 40}, "pool": ["stack"],
                                      "probe": {"steps": 4, "eval_every": 2}})
    daemon.post("/runs/one/resume")
    daemon.wait_for("/runs/one", lambda r: r["state"] == "completed")
    points, seen = daemon.points("one"), {}
    for checkpoint in daemon.get("/runs/one/checkpoints")["items"]:
        if checkpoint["kind"] not in ("pre_growth", "final"):
            continue
        known = points[checkpoint["step"]]["val/loss"]
        files = export(daemon, checkpoint["id"])
        ids = encode(json.loads(files["tokenizer.json"]), lagd.text())
        found = validation_loss(Model.of_files(files), ids, rows=4, batches=2, context=32)
        print(f"        step {checkpoint['step']}, {checkpoint['n_layer']} layers: {found - known:+.1e}")
        assert abs(found - known) < 1e-5, (checkpoint["step"], found, known)
        seen[checkpoint["step"]] = checkpoint["n_layer"]
    assert seen == {40: 1, 60: 2}, seen
    daemon.terminate()


def tokens_without_a_tokenizer_have_none(folder):
    daemon = started(folder)
    ids = [b % 50 for b in lagd.text().encode()]
    status, _, data = daemon.request("POST", "/api/v1/datasets?name=ids&file_name=ids.bin&format=nanogpt",
                                     struct.pack(f"<{len(ids)}H", *ids), {"Content-Type": "application/octet-stream"})
    assert status in (201, 202), data
    daemon.wait_for("/datasets/ids", lambda d: d["state"] == "ready")
    # a vocabulary as large as GPT-2's is not GPT-2's: it has no end of text
    daemon.post("/runs", run_body("big", "ids", model={"n_embd": 8, "vocab_size": 50257}, schedule={"max_steps": 2,
                                                                                                 "warmup_steps": 1}))
    daemon.wait_for("/runs/big", lambda r: r["state"] == "completed")
    newest = daemon.get("/runs/big/checkpoints")["items"][0]["id"]
    files = export(daemon, newest, "bf16")
    assert sorted(files) == sorted([*TEXTS, "model.safetensors"]), sorted(files)
    lineage = json.loads(files["lagd_lineage.json"])
    assert lineage["tokenizer"] is None and "ids holds nanogpt tokens" in lineage["tokenizer_note"], lineage
    assert b"No tokenizer is among the files" in files["README.md"]
    own = json.loads(daemon.request("GET", f"/api/v1/checkpoints/{newest}/files/config.json")[2])
    for config in (own, json.loads(files["config.json"]), json.loads(files["generation_config.json"])):
        assert config["bos_token_id"] is config["eos_token_id"] is None, config
    assert own["vocab_size"] == 50257
    daemon.terminate()


def keep_newest(daemon, run):
    """Its id; retention may be quicker than the request to keep it."""
    for _ in range(100):
        newest = daemon.get(f"/runs/{run}/checkpoints")["items"][0]["id"]
        if daemon.request("PATCH", f"/api/v1/checkpoints/{newest}", {"keep": True})[0] == 200:
            return newest
    raise AssertionError("no checkpoint could be kept")


def it_works_while_the_run_trains(folder):
    """Also where the files are too large to be read at once, and where looking for what f16 cannot hold takes long."""
    daemon = started(folder)
    daemon.post("/runs", run_body("r", "words", model={"n_embd": 512, "n_layer": 1, "n_positions": 8},
                                  batch={"sequences": 1}, schedule={"max_steps": 100000},
                                  eval={"every_steps": 1000}, checkpoint={"every_steps": 5, "keep_last": 1}))
    daemon.wait_for("/runs/r", lambda r: r["step"] >= 6)
    daemon.post("/runs/r/pause")
    daemon.terminate()
    daemon.start()  # no hash is known
    daemon.post("/runs/r/resume")
    daemon.wait_for("/runs/r", lambda r: r["state"] == "running")
    for dtype in ("f16", "f32", "bf16"):
        newest = keep_newest(daemon, "r")
        tensors, _ = read_safetensors(export(daemon, newest, dtype)["model.safetensors"])
        assert {t[0] for t in tensors.values()} == {dtype.upper()}
    run = daemon.get("/runs/r")
    assert run["state"] == "running", run
    daemon.terminate()


def rewrite(daemon, checkpoint, change):
    """Changes the bytes of a checkpoint's weights, and every hash of them: as if they had been written so."""
    place = glob.glob(daemon.state_dir + f"/runs/*/ckpt-*{checkpoint['id'][-8:]}")[0]
    path = os.path.join(place, "model.safetensors")
    with open(path, "r+b") as f:
        data = change(f.read())
        f.seek(0)
        f.write(data)
    old = next(f["sha256"] for f in checkpoint["files"] if f["name"] == "model.safetensors")
    new = hashlib.sha256(data).hexdigest()
    with open(os.path.join(place, "manifest.json"), "r+b") as f:
        body = f.read().rpartition(b",\n")[0].replace(old.encode(), new.encode())
        sealed = body + b',\n"sha256":"' + hashlib.sha256(body).hexdigest().encode() + b'"}\n'
        f.seek(0)
        f.write(sealed)
    with sqlite3.connect(os.path.join(daemon.state_dir, "lagd.db")) as db:
        for name, sha256 in (("model.safetensors", new), ("manifest.json", hashlib.sha256(sealed).hexdigest())):
            db.execute("UPDATE checkpoint_files SET sha256 = ? WHERE checkpoint_id = ? AND name = ?",
                       (sha256, checkpoint["id"], name))
    db.close()


def what_cannot_be_given_is_refused(folder):
    daemon = started(folder)
    daemon.post("/runs", run_body("r", "words", schedule={"max_steps": 12}))
    daemon.wait_for("/runs/r", lambda r: r["state"] == "completed")
    newest = daemon.get("/runs/r/checkpoints")["items"][0]
    path = f"/api/v1/checkpoints/{newest['id']}/hf.tar"
    assert daemon.request("GET", "/api/v1/checkpoints/ckpt_none/hf.tar")[0] == 404
    status, _, data = daemon.request("GET", path + "?dtype=f64")
    assert status == 400 and b"f32, bf16, f16" in data, data
    daemon.terminate()

    def plant(data):  # the last element of the last tensor
        return data[:-4] + struct.pack("<f", -70000.0)
    rewrite(daemon, newest, plant)
    daemon.start()
    status, _, data = daemon.request("GET", path + "?dtype=f16")
    assert status == 422 and b"is -70000, which F16 cannot hold: take bf16 or f32" in data, data
    for dtype in ("f32", "bf16"):
        assert daemon.request("GET", path + "?dtype=" + dtype)[0] == 200, dtype
    # what is not what was written does not go out
    place = glob.glob(daemon.state_dir + f"/runs/*/ckpt-*{newest['id'][-8:]}")[0]
    for name in ("model.safetensors", "manifest.json"):
        with open(os.path.join(place, name), "r+b") as f:
            good = f.read()
            f.seek(-3, os.SEEK_END)
            f.write(b"x")
        status, _, data = daemon.request("GET", path)
        assert status == 500 and b"damaged" in data, (name, status, data)
        with open(os.path.join(place, name), "wb") as f:
            f.write(good)
        assert daemon.request("GET", path)[0] == 200
        os.rename(os.path.join(place, name), os.path.join(place, "away"))
        assert daemon.request("GET", path)[0] == 409
        os.rename(os.path.join(place, "away"), os.path.join(place, name))
    daemon.terminate()


if __name__ == "__main__":
    lagd.main(every_file_is_what_it_should_be, a_candidates_state_says_so, another_reader_finds_the_same_loss,
              tokens_without_a_tokenizer_have_none, it_works_while_the_run_trains, what_cannot_be_given_is_refused)
