"""llama.cpp itself loads model.gguf: it finds lagd's validation loss before and after a growth, and lagd's tokens.

It comes with the npm package node-llama-cpp, which `./dev deps test` installs into tests/llama; without it this is
skipped."""
import json
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
LLAMA = os.path.join(HERE, "..", "llama")
sys.path.insert(0, HERE)
import hf_folder
import lagd
from hf_folder import FOLDERS, files_of
from lagd import run_body, started
from test_hf import encode
from test_gguf import newest_of, put
from test_models import add_tokens, body, bring, opened

TEXTS = ["In the beginning God created", " it's 12345 o'clock,\n\n  and thé Wörd\tis 中文 \U0001f600 so-be-it\r\n"]
MERGED = ["bone no  man", "phone's anon,  nonagon\n\n tom-tom"]


def ask(folder, data, windows=(), texts=()):
    path = os.path.join(folder, "model.gguf")
    with open(path, "wb") as f:
        f.write(data)
    said = subprocess.run(["node", os.path.join(LLAMA, "nll.mjs"), path], check=True, stdout=subprocess.PIPE,
                          input=json.dumps({"windows": windows, "texts": texts}).encode(), timeout=120).stdout
    return json.loads(said)


def fetch(daemon, checkpoint, dtype="f32"):
    status, _, data = daemon.request("GET", f"/api/v1/checkpoints/{checkpoint}/model.gguf?dtype={dtype}")
    assert status == 200, data
    return data


def windows_of(ids, n, context):
    """As the run's own validation takes them: evenly spaced over the last tenth."""
    n_validation = len(ids) // 10
    starts = [len(ids) - n_validation + i * (n_validation - context) // n for i in range(n)]
    return [list(ids[at:at + context + 1]) for at in starts]


def it_finds_the_same_loss(folder):
    daemon = started(folder)
    daemon.post("/runs", run_body("one", "words", model={"n_head": 4}, schedule={"max_steps": 120},
                                  eval={"every_steps": 20}, start=False))
    daemon.post("/runs/one/growths", {"target": {"n_layer": 4, "n_embd": 64}, "when": {"at_step": 80},
                                      "pool": [{"operator": "stack", "with": "clone_width"}],
                                      "probe": {"steps": 4, "eval_every": 2}})
    daemon.post("/runs/one/resume")
    newest_of(daemon, "one")
    points, seen = daemon.points("one"), set()
    windows = windows_of(lagd.text().encode(), 4 * 2, 32)
    for checkpoint in daemon.get("/runs/one/checkpoints")["items"]:
        if checkpoint["kind"] not in ("pre_growth", "final"):
            continue
        for dtype, most in (("f32", 1e-5), ("f16", 5e-3)):
            found = ask(folder, fetch(daemon, checkpoint["id"], dtype), windows=windows)["nll"]
            off = sum(found) / len(found) - points[checkpoint["step"]]["val/loss"]
            print(f"        step {checkpoint['step']}, {checkpoint['n_layer']} layers, {dtype}: {off:+.1e}")
            assert abs(off) < most, (checkpoint["step"], dtype, off)
        seen.add(checkpoint["n_layer"])
    assert seen == {2, 4}, seen
    daemon.terminate()


def it_finds_the_same_tokens(folder):
    """Bytes, and a brought tokenizer with merges."""
    daemon, data = opened(folder)
    daemon.upload("words", lagd.text())
    daemon.post("/runs", run_body("bytes", "words", schedule={"max_steps": 2, "warmup_steps": 1}))
    found = ask(folder, fetch(daemon, newest_of(daemon, "bytes")), texts=TEXTS)
    assert found["ids"] == [list(text.encode()) for text in TEXTS], found["ids"]
    assert found["texts"] == TEXTS
    add_tokens(daemon, data)
    put(data, "brought", files_of(FOLDERS["f32"]))
    assert bring(daemon, "brought")["state"] == "ready"
    daemon.post("/runs", body("r", "tokens", {"model": "brought"}, schedule={"max_steps": 2, "warmup_steps": 1}))
    found = ask(folder, fetch(daemon, newest_of(daemon, "r")), texts=MERGED)
    known = hf_folder.tokenizer()
    known["model"]["merges"] = [merge.split() for merge in known["model"]["merges"]]
    # word by word: no merge crosses a space, as none has one
    assert found["ids"] == [encode(known, text) for text in MERGED] and found["texts"] == MERGED, found
    daemon.terminate()


def it_cuts_text_the_same_way(folder):
    """By tokenizers that lagd has trained, one for each pattern that has a name there."""
    daemon = started(folder)
    for pattern in ("gpt2", "llama3", "qwen2"):
        daemon.post("/tokenizers", {"name": pattern, "train": {"dataset": "words", "vocab_size": 600,
                                                               "pattern": pattern}})
        daemon.wait_for("/tokenizers/" + pattern, lambda t: t["state"] == "ready")
        daemon.request("POST", f"/api/v1/datasets?name=t-{pattern}&tokenizer={pattern}", lagd.text().encode(),
                       {"Content-Type": "text/plain"})
        daemon.wait_for("/datasets/t-" + pattern, lambda d: d["state"] == "ready")
        daemon.post("/runs", run_body("r-" + pattern, "t-" + pattern, model={"vocab_size": 600},
                                      schedule={"max_steps": 2, "warmup_steps": 1}))
        found = ask(folder, fetch(daemon, newest_of(daemon, "r-" + pattern)), texts=TEXTS)
        ids = [daemon.post(f"/tokenizers/{pattern}/encode", {"text": text})["ids"] for text in TEXTS]
        assert found["ids"] == ids and found["texts"] == TEXTS, (pattern, found, ids)
    daemon.terminate()


if __name__ == "__main__":
    if not os.path.isdir(os.path.join(LLAMA, "node_modules", "node-llama-cpp")):
        print("skipped: tests/llama/node_modules is not there; ./dev deps test installs it where npm can be reached")
        sys.exit(77)
    lagd.main(it_finds_the_same_loss, it_finds_the_same_tokens, it_cuts_text_the_same_way)
