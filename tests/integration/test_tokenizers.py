"""Tokenizers: trained, read, extended, deleted; texts that become tokens by them; runs on such tokens."""
import json
import math
import os
import struct
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import lagd
from lagd import Daemon, run_body
from test_hf import export

WORDS = "the cat sat on the mat and the dog lay by the cat's bowl; we'll see 12 345 hats, caf\u00e9s.\n"


def opened(folder, failpoints=None):
    data = os.path.join(folder, "data")
    os.makedirs(data, exist_ok=True)
    daemon = Daemon(folder, config=f"[storage]\ndataset_roots = {data}\n")
    daemon.start(failpoints=failpoints)
    return daemon, data


def put(data, name, content):
    with open(os.path.join(data, name), "wb") as f:
        f.write(content if isinstance(content, bytes) else content.encode())


def ready(daemon, kind, name, state="ready"):
    lagd.until(lambda: daemon.get(f"/{kind}/{name}")["state"] not in ("making", "registering"), 60)
    row = daemon.get(f"/{kind}/{name}")
    assert row["state"] == state, row
    return row


def trained(daemon, data, name="mine", vocab_size=290, **train):
    if not any(d["name"] == "words" for d in daemon.get("/datasets")["items"]):
        put(data, "words.txt", WORDS * 40)
        daemon.post("/datasets", {"name": "words", "path": "words.txt"})
    made = daemon.post("/tokenizers", {"name": name, "train": {"dataset": "words", "vocab_size": vocab_size, **train}})
    assert made["state"] in ("making", "ready") and made["id"].startswith("tok_"), made
    return ready(daemon, "tokenizers", name)


def refused(daemon, path, body, status, words, pointer=None):
    try:
        daemon.post(path, body)
    except lagd.Problem as problem:
        text = json.dumps(problem.body, ensure_ascii=False)
        assert problem.status == status and words in text, (problem.status, text)
        assert pointer is None or f'"#{pointer}"' in text, text
    else:
        raise AssertionError(f"{path} took {body}")


def encode(daemon, name, text, **more):
    return daemon.post(f"/tokenizers/{name}/encode", {"text": text, **more})["ids"]


def decode(daemon, name, ids, **more):
    return daemon.post(f"/tokenizers/{name}/decode", {"ids": ids, **more})["text"]


def tokens_of(daemon, dataset):
    with open(os.path.join(daemon.state_dir, "datasets", dataset["id"], "tokens.bin"), "rb") as f:
        data = f.read()
    magic, version, n = struct.unpack("<3i", data[:12])
    assert (magic, version, n) == (20240520, 1, dataset["n_tokens"]) and len(data) == 1024 + 2 * n
    return list(struct.unpack(f"<{n}H", data[1024:]))


def a_tokenizer_is_trained_used_and_taken_away(folder):
    daemon, data = opened(folder)
    row = trained(daemon, data)
    assert row["kind"] == "BPE" and row["pattern"] == "gpt2" and row["vocab_size"] == 290, row
    assert row["eos_token"] == "<|endoftext|>" and row["eos_id"] == 0 and row["progress"] == 1, row
    assert row["n_merges"] == 290 - 257 and row["byte_level"] is True, row
    ids = encode(daemon, "mine", "the cat")
    assert len(ids) == 2 and decode(daemon, "mine", ids) == "the cat", ids
    for text in ("", "a\u0301\u200d\U0001f600 \t\n\n x<|endoftext|>y", "".join(map(chr, range(1, 300)))):
        assert decode(daemon, "mine", encode(daemon, "mine", text)) == text, text
    assert encode(daemon, "mine", "<|endoftext|>") == [0]
    answer = daemon.post("/tokenizers/mine/encode", {"text": "the caf\u00e9\u2028 cat<|endoftext|>", "pieces": True})
    assert len(answer["pieces"]) == answer["n_tokens"] == len(answer["ids"]), answer
    assert answer["pieces"] == [decode(daemon, "mine", [i]) for i in answer["ids"]], answer
    assert answer["pieces"][0] == "the" and answer["pieces"][-1] == "<|endoftext|>" and "\ufffd" in answer["pieces"]
    assert daemon.post("/tokenizers/mine/encode", {"text": ""}) == {"ids": [], "n_tokens": 0, "pieces": None}
    assert daemon.post("/tokenizers/mine/encode", {"text": "", "pieces": True})["pieces"] == []
    assert decode(daemon, "mine", [0, *ids], special_tokens=False) == "the cat"
    refused(daemon, "/tokenizers/mine/decode", {"ids": [290]}, 422, "no token has the id 290")
    refused(daemon, "/tokenizers/mine/decode", {"ids": [-1]}, 422, "/ids/0")
    refused(daemon, "/tokenizers/mine/encode", {}, 422, "/text")
    refused(daemon, "/tokenizers/nobody/encode", {"text": "x"}, 404, "there is no tokenizer nobody")

    files = daemon.get("/tokenizers/mine/files")["items"]
    assert [f["name"] for f in files] == ["tokenizer.json"], files
    status, _, text = daemon.request("GET", "/api/v1/tokenizers/mine/files/tokenizer.json")
    assert status == 200 and len(text) == files[0]["n_bytes"]
    assert len(json.loads(text)["model"]["merges"]) == row["n_merges"]
    put(data, "again.json", text)
    daemon.post("/tokenizers", {"name": "again", "path": "again.json"})
    again = ready(daemon, "tokenizers", "again")
    assert again["sha256"] == row["sha256"] and again["origin"] == "file", again
    assert encode(daemon, "again", WORDS) == encode(daemon, "mine", WORDS)
    model = json.loads(text)["model"]
    os.makedirs(os.path.join(data, "pair"))
    put(data, "pair/vocab.json", json.dumps(model["vocab"]))
    put(data, "pair/merges.txt", "#version: 0.2\n" + "\n".join(model["merges"]) + "\n")
    daemon.post("/tokenizers", {"name": "pair", "path": "pair"})
    ready(daemon, "tokenizers", "pair")
    assert encode(daemon, "pair", WORDS + "<|endoftext|>") == encode(daemon, "mine", WORDS + "<|endoftext|>")
    status, _, body = daemon.request("POST", "/api/v1/tokenizers?name=up", text,
                                     {"Content-Type": "application/octet-stream"})
    assert status == 202, body
    assert ready(daemon, "tokenizers", "up")["origin"] == "upload"

    daemon.post("/tokenizers/mine/extend", {"name": "more", "dataset": "words", "vocab_size": 300})
    more = ready(daemon, "tokenizers", "more")
    assert more["vocab_size"] == 300 and more["base"] == row["id"], more
    assert len(encode(daemon, "more", WORDS)) < len(encode(daemon, "mine", WORDS))
    # One that has been used stays loaded: what takes its files away is told when it has to be read again.
    directory, aside = os.path.join(daemon.state_dir, "tokenizers", more["id"]), os.path.join(folder, "aside")
    os.rename(directory, aside)
    assert encode(daemon, "more", WORDS) == encode(daemon, "more", WORDS)
    daemon.terminate()
    daemon.start()
    refused(daemon, "/tokenizers/more/encode", {"text": "x"}, 409, "are not there: put them back")
    os.rename(aside, directory)
    assert encode(daemon, "more", "the cat")
    for name in ("more", "up", "pair", "again"):
        daemon.call("DELETE", "/tokenizers/" + name)
    assert [t["name"] for t in daemon.get("/tokenizers")["items"]] == ["mine"]
    assert os.listdir(os.path.join(daemon.state_dir, "tokenizers")) == [row["id"]]
    daemon.terminate()


def what_is_wrong_is_told(folder):
    daemon, data = opened(folder)
    trained(daemon, data)
    put(data, "unigram.json", json.dumps({"model": {"type": "Unigram", "vocab": []}}))
    put(data, "broken.json", "{")
    for name, words in (("unigram", "unigram.json: model: Unigram is not supported"), ("broken", "broken.json")):
        daemon.post("/tokenizers", {"name": name, "path": name + ".json"})
        assert words in ready(daemon, "tokenizers", name, "failed")["reason"]
    train = {"dataset": "words", "vocab_size": 400}
    for body, status, words, pointer in (
            ({"name": "x"}, 422, "name one of them", None),
            ({"name": "x", "path": "nowhere.json"}, 422, "no file or folder", "/path"),
            ({"name": "x", "path": "a.json", "train": train}, 422, "name one of them", None),
            ({"name": "mine", "train": train}, 409, "exists already", None),
            ({"name": "x", "train": {"dataset": "nobody", "vocab_size": 400}}, 422, "no dataset nobody",
             "/train/dataset"),
            ({"name": "x", "train": {"dataset": "words", "vocab_size": 200}}, 422, "must be larger than the 257",
             "/train/vocab_size"),
            ({"name": "x", "train": {**train, "pattern": "("}}, 422, "cannot be read", "/train/pattern")):
        refused(daemon, "/tokenizers", body, status, words, pointer)
    refused(daemon, "/tokenizers/mine/extend", {"name": "y", "dataset": "words", "vocab_size": 280}, 422,
            "290 tokens already", "/vocab_size")
    for body, words, pointer in (
            ({"tokenizer": "nobody"}, "no tokenizer nobody", "/tokenizer"),
            ({"tokenizer": "mine", "vocab_size": 400}, "leave vocab_size out", "/vocab_size"),
            ({"tokenizer": "mine", "documents": {"kind": "separator"}}, "need a field", "/documents/field")):
        refused(daemon, "/datasets", {"name": "d", "path": "words.txt", **body}, 422, words, pointer)
    # Files that are no text are never taken for one.
    head = json.dumps({"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}).encode()
    binaries = {"a safetensors": struct.pack("<Q", len(head)) + head + bytes(4), "a zip": b"PK\x03\x04" + bytes(200),
                "UTF-16": "\ufeff".encode("utf-16-le") + WORDS.encode("utf-16-le"),
                "tokens": struct.pack("<256i", 20240520, 1, 100, *[0] * 253) + bytes(200)}
    for what, content in binaries.items():
        status, _, body = daemon.request("POST", "/api/v1/datasets?name=b&tokenizer=mine", content,
                                         {"Content-Type": "application/octet-stream"})
        assert status == 422, (what, status, body)
    daemon.terminate()


def a_text_becomes_tokens(folder):
    daemon, data = opened(folder)
    trained(daemon, data)
    lines = [f"line {i} of the cat" for i in range(40)]
    texts = {
        "none": ("\n".join(lines), None, lambda ids: [i for i in ids]),
        "line": ("\r\n".join(lines) + "\n\n", None, None),
        "blank_line": ("\n\n" + "\n\n\n".join(lines) + "\n", None, None),
        "separator": ("###".join(lines), "###", None),
        "jsonl": ("\n".join(json.dumps({"body": line, "n": [1, {}]}) for line in lines), "body", None),
    }
    for kind, (text, field, _) in texts.items():
        put(data, kind + ".txt", text)
        documents = {"kind": kind, **({"field": field} if field else {})}
        daemon.post("/datasets", {"name": kind, "path": kind + ".txt", "tokenizer": "mine", "documents": documents})
        row = ready(daemon, "datasets", kind)
        assert row["tokenizer"] == "mine" and row["format"] == "llmc_u16" and row["vocab_size"] == 290, row
        ids = tokens_of(daemon, row)
        if kind == "none":
            assert ids == encode(daemon, "mine", text)
            assert row["text_bytes"] == len(text)
        else:
            ends = "\n" if kind == "blank_line" else ""
            wanted = [encode(daemon, "mine", line + ends) for line in lines]
            assert ids == [i for document in wanted for i in (0, *document)], (kind, ids[:40])
        assert abs(row["tokens_per_byte"] - row["n_tokens"] / row["text_bytes"]) < 1e-12
    refused(daemon, "/datasets", {"name": "none", "path": "none.txt"}, 409, "exists already")
    put(data, "bad.jsonl", '{"text": "a"}\n{"other": "%s"}\n' % ("x" * 99))
    status = daemon.request("POST", "/api/v1/datasets", json.dumps({
        "name": "bad", "path": "bad.jsonl", "tokenizer": "mine", "documents": {"kind": "jsonl"}}),
        {"Content-Type": "application/json"})
    assert status[0] == 422 and b"line 2" in status[2], status
    up = daemon.request("POST", "/api/v1/datasets?name=up&tokenizer=mine&documents=line", "\n".join(lines),
                        {"Content-Type": "application/octet-stream"})
    assert up[0] == 201, up
    row = ready(daemon, "datasets", "up")
    assert tokens_of(daemon, row) == tokens_of(daemon, daemon.get("/datasets/line"))
    refused_delete = daemon.request("DELETE", "/api/v1/tokenizers/mine")
    assert refused_delete[0] == 409 and b"has its tokens from it" in refused_delete[2], refused_delete
    for kind in (*texts, "up"):
        daemon.call("DELETE", "/datasets/" + kind)
    daemon.call("DELETE", "/tokenizers/mine")
    assert os.listdir(os.path.join(daemon.state_dir, "datasets")) == []
    daemon.terminate()


def runs_on_tokens(folder):
    daemon, data = opened(folder)
    trained(daemon, data)
    put(data, "text.txt", WORDS * 100)
    daemon.post("/datasets", {"name": "t", "path": "text.txt", "tokenizer": "mine"})
    dataset = ready(daemon, "datasets", "t")
    small = run_body("small", "t", **{"schedule": {"max_steps": 20}})
    small["model"] = {**small["model"], "vocab_size": 280}
    refused(daemon, "/runs", small, 422, "vocab_size", "/model/vocab_size")
    daemon.post("/runs", run_body("one", "t", **{"schedule": {"max_steps": 20}, "eval": {"every_steps": 5}}))
    run = daemon.wait_for("/runs/one", lambda r: r["state"] == "completed")
    assert run["model"]["vocab_size"] == 290, run["model"]
    bits = run["latest"]["val/loss"] / math.log(2) * dataset["tokens_per_byte"]
    assert abs(run["latest"]["val/bpb"] - bits) < 1e-9, run["latest"]
    sample = daemon.post("/runs/one/generate", {"prompt": "the cat", "n_tokens": 12, "seed": 3})
    assert sample["text"] and "?" not in sample["text"], sample
    assert sample == daemon.post("/runs/one/generate", {"prompt": "the cat", "n_tokens": 12, "seed": 3})
    files = export(daemon, daemon.get("/runs/one/checkpoints")["items"][0]["id"])
    mine = daemon.request("GET", "/api/v1/tokenizers/mine/files/tokenizer.json")[2]
    assert files["tokenizer.json"] == mine
    for name in ("config.json", "generation_config.json"):
        told = json.loads(files[name])
        assert told["eos_token_id"] == told["bos_token_id"] == 0, told
    checkpoint = daemon.get("/runs/one/checkpoints")["items"][0]["id"]
    gguf = daemon.request("GET", f"/api/v1/checkpoints/{checkpoint}/model.gguf")
    assert gguf[0] == 200 and b"<|endoftext|>" in gguf[2], gguf[0]
    assert json.loads(files["tokenizer_config.json"])["eos_token"] == "<|endoftext|>"
    assert json.loads(files["lagd_lineage.json"])["tokenizer"]["vocab_size"] == 290
    daemon.post("/runs", run_body("bytes", "words", **{"schedule": {"max_steps": 20}, "eval": {"every_steps": 5}}))
    latest = daemon.wait_for("/runs/bytes", lambda r: r["state"] == "completed")["latest"]
    assert abs(latest["val/bpb"] - latest["val/loss"] / math.log(2)) < 1e-9, latest
    daemon.terminate()


def tokens_of_others_are_refused(folder):
    """Where numbers mean other words: of two tokenizers with as many tokens, a model of one is none of the other."""
    daemon, data = opened(folder)
    put(data, "text.txt", WORDS * 100)
    trained(daemon, data)
    trained(daemon, data, "other", specials=["<s>"])
    file = daemon.request("GET", "/api/v1/tokenizers/mine/files/tokenizer.json")[2]
    daemon.request("POST", "/api/v1/tokenizers?name=again", file, {"Content-Type": "application/octet-stream"})
    daemon.post("/tokenizers/mine/extend", {"name": "more", "dataset": "words", "vocab_size": 300})
    newest = {}
    for name in ("mine", "other", "again", "more"):
        ready(daemon, "tokenizers", name)
        daemon.post("/datasets", {"name": "by-" + name, "path": "text.txt", "tokenizer": name})
        ready(daemon, "datasets", "by-" + name)
        daemon.post("/runs", run_body("r-" + name, "by-" + name, schedule={"max_steps": 2, "warmup_steps": 1}))
        daemon.wait_for("/runs/r-" + name, lambda r: r["state"] == "completed")
        newest[name] = daemon.get(f"/runs/r-{name}/checkpoints")["items"][0]["id"]

    def body_from(source, dataset):
        body = run_body(f"{source}-{dataset}", "by-" + dataset, schedule={"max_steps": 2, "warmup_steps": 1},
                        **{"from": {"checkpoint": newest[source]}})
        return {key: value for key, value in body.items() if key != "model"}

    refused(daemon, "/runs?dry_run=true", body_from("mine", "other"), 422, "but run r-mine was trained on those of "
            "tokenizer mine", "/dataset")
    for source, dataset in (("mine", "again"), ("again", "mine"), ("more", "mine"), ("more", "again")):
        daemon.post("/runs?dry_run=true", body_from(source, dataset))
    for other, words in (("other", "tokenizer mine has made the run's own: fused models read the same tokens"),
                         ("again", None)):
        daemon.post("/runs", run_body("w-" + other, "by-mine", schedule={"max_steps": 90, "warmup_steps": 1},
                                      start=False))
        growth = {"target": {"n_embd": 64, "n_head": 4, "n_inner": 256},
                  "pool": [{"operator": "fuse", "parents": [newest[other]]}]}
        if words:
            refused(daemon, f"/runs/w-{other}/growths?dry_run=true", growth, 422, words)
        else:
            daemon.post(f"/runs/w-{other}/growths?dry_run=true", growth)
    daemon.terminate()


def a_kill_leaves_nothing_half_listed(folder):
    daemon, data = opened(folder)
    trained(daemon, data, "sample")
    daemon.terminate()
    if not lagd.has_failpoints():
        return
    for point in ("tokenizer.inserted", "tokenizer.counted", "tokenizer.written", "tokenizer.ready"):
        daemon.start(failpoints=point + "=kill")
        try:
            daemon.post("/tokenizers", {"name": "mine", "train": {"dataset": "words", "vocab_size": 290}})
        except OSError:
            pass
        lagd.until(lambda: not daemon.alive(), 30)
        daemon.start()
        lagd.until(lambda: all(t["state"] != "making" for t in daemon.get("/tokenizers")["items"]), 60)
        rows = [t for t in daemon.get("/tokenizers")["items"] if t["name"] == "mine"]
        for row in rows:
            assert row["state"] == "ready" and row["sha256"] == daemon.get("/tokenizers/sample")["sha256"], (point, row)
            daemon.call("DELETE", "/tokenizers/mine")
        assert len(os.listdir(os.path.join(daemon.state_dir, "tokenizers"))) == 1, point
        daemon.terminate()
    put(data, "text.txt", WORDS * 100)
    for point in ("dataset.tokenize", "tokenize.written", "dataset.scanned"):
        daemon.start(failpoints=point + "=kill")
        try:
            daemon.post("/datasets", {"name": "t", "path": "text.txt", "tokenizer": "sample"})
        except OSError:
            pass
        lagd.until(lambda: not daemon.alive(), 30)
        daemon.start()
        row = ready(daemon, "datasets", "t")
        assert tokens_of(daemon, row) == encode(daemon, "sample", WORDS * 100), point
        daemon.call("DELETE", "/datasets/t")
        assert os.listdir(os.path.join(daemon.state_dir, "datasets")) == [], point
        daemon.terminate()


if __name__ == "__main__":
    lagd.main(a_tokenizer_is_trained_used_and_taken_away, what_is_wrong_is_told, a_text_becomes_tokens, runs_on_tokens,
              tokens_of_others_are_refused, a_kill_leaves_nothing_half_listed)
