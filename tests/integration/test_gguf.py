"""A checkpoint's model as llama.cpp loads it: model.gguf, read by other means, byte for byte."""
import json
import os
import struct
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import gguf
import hf_folder
import lagd
from gpt2 import Model, read_safetensors, validation_loss
from hf_folder import files_of, FOLDERS
from lagd import grown, run_body, started
from test_hf import rewrite
from test_models import add_tokens, body, bring, opened

NORMAL, CONTROL, UNUSED = 1, 3, 5


def export(daemon, checkpoint, dtype=None):
    """Pairs and tensors of model.gguf."""
    path = f"/api/v1/checkpoints/{checkpoint}/model.gguf" + (f"?dtype={dtype}" if dtype else "")
    status, headers, data = daemon.request("GET", path)
    assert status == 200 and headers["Content-Type"] == "application/octet-stream", (status, data[:300])
    assert int(headers["Content-Length"]) == len(data), headers
    assert headers["Content-Disposition"] == f'attachment; filename="{checkpoint}.gguf"', headers
    assert daemon.request("HEAD", path)[1]["Content-Length"] == headers["Content-Length"]
    return gguf.read(data)


def newest_of(daemon, run):
    daemon.wait_for(f"/runs/{run}", lambda r: r["state"] == "completed")
    return daemon.get(f"/runs/{run}/checkpoints")["items"][0]["id"]


def config_of(pairs, n_tokens):
    return {"n_layer": pairs["gpt2.block_count"], "n_head": pairs["gpt2.attention.head_count"],
            "n_embd": pairs["gpt2.embedding_length"], "n_inner": pairs["gpt2.feed_forward_length"],
            "n_positions": pairs["gpt2.context_length"], "vocab_size": n_tokens,
            "layer_norm_epsilon": pairs["gpt2.attention.layer_norm_epsilon"]}


def weights_are_the_checkpoints(daemon, checkpoint, dtype):
    pairs, tensors = export(daemon, checkpoint, dtype)
    stored = daemon.request("GET", f"/api/v1/checkpoints/{checkpoint}/files/model.safetensors")[2]
    wanted = {k.removeprefix("transformer."): v for k, v in read_safetensors(stored)[0].items()}
    found = gguf.as_hugging_face(tensors)
    assert sorted(found) == sorted(wanted)
    for name, (shape, numbers) in found.items():
        _, true_shape, data = wanted[name]
        true = struct.unpack(f"<{len(data) // 4}f", data)
        half = dtype == "f16" and len(shape) == 2 and name != "wpe.weight"
        if half:
            true = struct.unpack(f"<{len(true)}e", struct.pack(f"<{len(true)}e", *true))
        assert shape == true_shape and numbers == list(true), (name, dtype)
        kinds = {t[1] for n, t in tensors.items() if gguf.hugging_face_name(n) == name}
        assert kinds == {gguf.F16 if half else gguf.F32}, (name, kinds)
    return pairs


def the_file_is_what_the_format_says(folder):
    daemon = started(folder)
    grown(daemon)
    newest = newest_of(daemon, "one")
    for dtype in (None, "f32", "f16"):
        pairs = weights_are_the_checkpoints(daemon, newest, dtype)
        assert pairs["general.architecture"] == "gpt2" and pairs["general.name"] == "one at step 80", pairs
        assert pairs["general.file_type"] == (1 if dtype == "f16" else 0)
        shape = config_of(pairs, 256)
        assert [shape[k] for k in ("n_layer", "n_head", "n_embd", "n_inner", "n_positions")] == [4, 2, 32, 128, 32]
        assert abs(shape["layer_norm_epsilon"] - 1e-5) < 1e-12
        table = hf_folder.characters()
        assert pairs["tokenizer.ggml.model"] == "gpt2" and pairs["tokenizer.ggml.pre"] == "gpt-2"
        assert pairs["tokenizer.ggml.tokens"] == [table[b] for b in range(256)]
        assert pairs["tokenizer.ggml.token_type"] == [NORMAL] * 256 and pairs["tokenizer.ggml.merges"] == []
        # without these llama.cpp would end a text at token 11
        assert pairs["tokenizer.ggml.bos_token_id"] == pairs["tokenizer.ggml.eos_token_id"] == 0
        assert pairs["tokenizer.ggml.add_bos_token"] is False
    daemon.terminate()


def another_reader_finds_the_same_loss(folder):
    daemon = started(folder)
    daemon.post("/runs", run_body("one", "words", model={"n_layer": 1, "n_embd": 16}, schedule={"max_steps": 60},
                                  eval={"every_steps": 20}, start=False))
    daemon.post("/runs/one/growths", {"target": {"n_layer": 2}, "when": {"at_step": 40}, "pool": ["stack"],
                                      "probe": {"steps": 4, "eval_every": 2}})
    daemon.post("/runs/one/resume")
    newest_of(daemon, "one")
    points, seen = daemon.points("one"), {}
    for checkpoint in daemon.get("/runs/one/checkpoints")["items"]:
        if checkpoint["kind"] not in ("pre_growth", "final"):
            continue
        pairs, tensors = export(daemon, checkpoint["id"])
        model = Model(config_of(pairs, 256), gguf.as_hugging_face(tensors))
        found = validation_loss(model, lagd.text().encode(), rows=4, batches=2, context=32)
        known = points[checkpoint["step"]]["val/loss"]
        assert abs(found - known) < 1e-5, (checkpoint["step"], found, known)
        seen[checkpoint["step"]] = checkpoint["n_layer"]
    assert seen == {40: 1, 60: 2}, seen
    daemon.terminate()


def put(data, name, files):
    for file, content in files.items():
        path = os.path.join(data, name, file)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as f:
            f.write(content)


def a_brought_tokenizer_comes_along(folder):
    """As tokenizer.json, and as GPT-2's two files; its model has more tokens than it."""
    daemon, data = opened(folder)
    add_tokens(daemon, data)
    known = hf_folder.tokenizer()
    whole = files_of(FOLDERS["f32"])
    parts = {k: v for k, v in whole.items() if not k.startswith("tokenizer")}
    vocab = {**known["model"]["vocab"], **{t["content"]: t["id"] for t in known["added_tokens"]}}
    parts["vocab.json"] = json.dumps(vocab).encode()
    parts["merges.txt"] = ("#version: 0.2\n" + "\n".join(known["model"]["merges"]) + "\n").encode()
    for name, files in (("whole", whole), ("parts", parts)):
        put(data, name, files)
        assert bring(daemon, name)["state"] == "ready"
        daemon.post("/runs", body("r-" + name, "tokens", {"model": name}, schedule={"max_steps": 2, "warmup_steps": 1}))
        pairs, tensors = export(daemon, newest_of(daemon, "r-" + name))
        tokens = [t for t, _ in sorted(vocab.items(), key=lambda item: item[1])]
        assert pairs["tokenizer.ggml.tokens"] == tokens + [f"[PAD{i}]" for i in range(300, 320)]
        added = [CONTROL if name == "whole" else NORMAL] * 2  # two files do not say that they are special
        assert pairs["tokenizer.ggml.token_type"] == [NORMAL] * 298 + added + [UNUSED] * 20
        assert pairs["tokenizer.ggml.merges"] == known["model"]["merges"] and pairs["tokenizer.ggml.pre"] == "gpt-2"
        assert (pairs["tokenizer.ggml.bos_token_id"], pairs["tokenizer.ggml.eos_token_id"]) == (298, 299)
        assert tensors["token_embd.weight"][0] == [24, 320]
    # another kind is refused, and so is a file that has gone; hf.tar holds the first all the same
    other = {k: v for k, v in parts.items() if k not in ("vocab.json", "merges.txt")}
    put(data, "words", {**other, "vocab.txt": b"[UNK]\nhello\n"})
    assert bring(daemon, "words")["tokenizer"] == "WordPiece"
    daemon.post("/runs", body("r-words", "tokens", {"model": "words"}, schedule={"max_steps": 2, "warmup_steps": 1}))
    newest = newest_of(daemon, "r-words")
    status, _, told = daemon.request("GET", f"/api/v1/checkpoints/{newest}/model.gguf")
    assert status == 422 and b"WordPiece is not written into GGUF" in told and b"take hf.tar" in told, (status, told)
    assert daemon.request("GET", f"/api/v1/checkpoints/{newest}/hf.tar")[0] == 200
    newest = newest_of(daemon, "r-parts")
    model = daemon.get("/models/parts")["id"]
    os.rename(f"{daemon.state_dir}/models/{model}/merges.txt", f"{daemon.state_dir}/models/{model}/away")
    status, _, told = daemon.request("GET", f"/api/v1/checkpoints/{newest}/model.gguf")
    assert status == 409 and b"merges.txt of model parts is not there" in told, (status, told)
    daemon.terminate()


def tokens_without_a_tokenizer_have_none(folder):
    daemon, data = opened(folder)
    add_tokens(daemon, data)
    daemon.post("/runs", run_body("r", "tokens", model={"n_embd": 8}, schedule={"max_steps": 2, "warmup_steps": 1}))
    pairs, tensors = export(daemon, newest_of(daemon, "r"))
    assert pairs["tokenizer.ggml.model"] == "none" and pairs["gpt2.vocab_size"] == 300
    assert not any(key.startswith("tokenizer.ggml.t") for key in pairs) and tensors["token_embd.weight"][0] == [8, 300]
    daemon.terminate()


def what_cannot_be_given_is_refused(folder):
    daemon = started(folder)
    daemon.post("/runs", run_body("r", "words", schedule={"max_steps": 12}))
    newest = daemon.get("/checkpoints/" + newest_of(daemon, "r"))
    path = f"/api/v1/checkpoints/{newest['id']}/model.gguf"
    assert daemon.request("GET", "/api/v1/checkpoints/ckpt_none/model.gguf")[0] == 404
    status, _, told = daemon.request("GET", path + "?dtype=bf16")
    assert status == 400 and b"f32, f16" in told, told
    daemon.post("/runs", run_body("odd", "words", model={"n_embd": 24, "n_head": 2, "head_dim": 8},
                                  schedule={"max_steps": 12}))
    status, _, told = daemon.request("GET", f"/api/v1/checkpoints/{newest_of(daemon, 'odd')}/model.gguf")
    assert status == 422 and b"archive.tar" in told, told
    daemon.terminate()
    rewrite(daemon, newest, lambda data: data[:-4] + struct.pack("<f", -70000.0))
    daemon.start()
    status, _, told = daemon.request("GET", path + "?dtype=f16")
    assert status == 422 and b"is -70000, which F16 cannot hold" in told, told
    assert daemon.request("GET", path)[0] == 200
    daemon.terminate()


if __name__ == "__main__":
    lagd.main(the_file_is_what_the_format_says, another_reader_finds_the_same_loss, a_brought_tokenizer_comes_along,
              tokens_without_a_tokenizer_have_none, what_cannot_be_given_is_refused)
