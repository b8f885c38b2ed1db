"""What a run takes along of a tokenizer with which its model did not come: hf.tar and model.gguf, in all ways in which
model and tokenizer may come together."""
import json
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import hf_folder
import lagd
from hf_folder import FOLDERS, files_of
from lagd import run_body
from test_gguf import export as export_gguf, newest_of, put
from test_hf import export as export_hf
from test_models import body, bring, opened

SHORT = {"schedule": {"max_steps": 2, "warmup_steps": 1}}
TEXT = "abc bcd the cat sat on the mat. " * 300
VOCAB = {**hf_folder.tokenizer()["model"]["vocab"], "<|begin|>": 298, "<|end|>": 299}
TOKENS = [t for t, _ in sorted(VOCAB.items(), key=lambda item: item[1])]
OF_TOKENIZERS = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "vocab.json", "merges.txt")


def ready(daemon, path):
    return daemon.wait_for(path, lambda row: row["state"] not in ("making", "registering"))


def folders():
    """One with tokenizer.json, and one in two parts, whose ends have other ids and which says how to generate."""
    whole = files_of(FOLDERS["f32"])
    parts = {k: v for k, v in files_of(FOLDERS["f16"], bos_token_id=7, eos_token_id=9).items()
             if not k.startswith("tokenizer")}
    parts["vocab.json"] = json.dumps(VOCAB).encode()
    parts["merges.txt"] = ("#version: 0.2\n" + "\n".join(hf_folder.tokenizer()["model"]["merges"]) + "\n").encode()
    parts["generation_config.json"] = b'{"eos_token_id": 9, "top_k": 5}'
    return {"whole": whole, "parts": parts}


def prepared(folder):
    """Both models, a tokenizer that was trained, and a text in the tokens of each."""
    daemon, data = opened(folder)
    for name, files in folders().items():
        put(data, name, files)
        assert bring(daemon, name)["state"] == "ready"
    with open(os.path.join(data, "text.txt"), "w", encoding="utf-8") as f:
        f.write(TEXT)
    daemon.post("/datasets", {"name": "text", "path": "text.txt"})
    daemon.post("/tokenizers", {"name": "own", "train": {"dataset": "text", "vocab_size": 270}})
    assert ready(daemon, "/tokenizers/own")["state"] == "ready"
    for name in ("whole", "parts", "own"):
        daemon.post("/datasets", {"name": "by-" + name, "path": "text.txt", "tokenizer": name})
        assert ready(daemon, "/datasets/by-" + name)["state"] == "ready"
    return daemon


def files_of_tokenizer(files):
    return {name: data for name, data in files.items() if name in OF_TOKENIZERS}


def ends_of(files):
    config, generation = (json.loads(files[name]) for name in ("config.json", "generation_config.json"))
    ends = [(one.get("bos_token_id"), one.get("eos_token_id")) for one in (config, generation)]
    assert ends[0] == ends[1], ends
    return ends[0]


def a_tokenizer_is_lent(folder):
    """A run from random weights, on tokens that the tokenizer of a model has made."""
    daemon = prepared(folder)
    for name, ends, size in (("whole", (298, 299), 300), ("parts", (7, 9), None)):
        run = daemon.post("/runs", run_body("r-" + name, "by-" + name, **SHORT))
        assert run["from_model"] is None and run["model"]["vocab_size"] == 300, run
        newest = newest_of(daemon, "r-" + name)
        files = export_hf(daemon, newest)
        assert files_of_tokenizer(files) == files_of_tokenizer(folders()[name]), sorted(files)
        assert ends_of(files) == ends and "top_k" not in json.loads(files["generation_config.json"])
        lineage = json.loads(files["lagd_lineage.json"])
        assert lineage["tokenizer"] == {"kind": "BPE", "vocab_size": size}, lineage["tokenizer"]
        assert lineage["tokenizer_note"] is None and lineage["model"] is None
        card = files["README.md"].decode()
        assert f"Its tokenizer is that of the model {name}, which made the tokens" in card and "pipeline(" in card
        pairs, _ = export_gguf(daemon, newest)
        assert pairs["tokenizer.ggml.tokens"] == TOKENS, pairs["tokenizer.ggml.tokens"][-9:]
        assert (pairs["tokenizer.ggml.bos_token_id"], pairs["tokenizer.ggml.eos_token_id"]) == ends
        assert daemon.post(f"/runs/r-{name}/generate", {"prompt": "abc", "n_tokens": 4})["text"]
    status, _, told = daemon.request("DELETE", "/api/v1/models/whole")
    assert status == 409 and b"by-whole has its tokens from it" in told, told
    daemon.terminate()


def a_model_takes_another_tokenizer(folder):
    """What it came with stays behind where that speaks of its own tokenizer."""
    daemon = prepared(folder)
    own = daemon.request("GET", "/api/v1/tokenizers/own/files/tokenizer.json")[2]
    daemon.post("/runs", body("a", "by-own", {"model": "parts"}, **SHORT))
    files = export_hf(daemon, newest_of(daemon, "a"))
    assert sorted(files_of_tokenizer(files)) == ["tokenizer.json", "tokenizer_config.json"], sorted(files)
    assert files["tokenizer.json"] == own and ends_of(files) == (0, 0)
    daemon.post("/runs", body("b", "by-parts", {"model": "whole"}, **SHORT))
    newest = newest_of(daemon, "b")
    files = export_hf(daemon, newest)
    assert files_of_tokenizer(files) == files_of_tokenizer(folders()["parts"]) and ends_of(files) == (7, 9)
    assert json.loads(files["config.json"])["task_specific_params"] == hf_folder.CONFIG["task_specific_params"]
    pairs, _ = export_gguf(daemon, newest)
    assert pairs["tokenizer.ggml.eos_token_id"] == 9 and pairs["tokenizer.ggml.tokens"][:300] == TOKENS
    # on its own tokens it goes out as it came
    daemon.post("/runs", body("c", "by-parts", {"model": "parts"}, **SHORT))
    files = export_hf(daemon, newest_of(daemon, "c"))
    came = folders()["parts"]
    for name in (*files_of_tokenizer(came), "generation_config.json"):
        assert files[name] == came[name], name
    assert json.loads(files["config.json"])["eos_token_id"] == 9
    daemon.terminate()


if __name__ == "__main__":
    lagd.main(a_tokenizer_is_lent, a_model_takes_another_tokenizer)
