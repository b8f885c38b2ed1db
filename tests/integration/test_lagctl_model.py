"""lagctl model: a folder is brought, looked at, begun from and deleted."""
import os
import re
import struct
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import hf_folder
import lagd
from test_lagctl import started


def a_model(folder):
    daemon, ctl = started(folder, config=f"[storage]\ndataset_roots = {folder}\n")
    hf_folder.write(os.path.join(folder, "my gpt2"), hf_folder.files_of(hf_folder.FOLDERS["bf16"]))
    hf_folder.write(os.path.join(folder, "wrong"), hf_folder.files_of(hf_folder.FOLDERS["f32"], n_head=5))
    with open(os.path.join(folder, "tokens.bin"), "wb") as f:
        f.write(struct.pack("<3000H", *hf_folder.ids()))
    ctl("model", "list", error="no models; bring one by")
    assert ctl("model", "add", "my gpt2/") == "my-gpt2: 22944 parameters, bf16, tokenizer BPE\n"
    ctl("model", "add", "my gpt2", status=4, error="exists already")
    ctl("model", "add", "wrong", "--name", "w", status=1, error="config.json: n_embd 24 is not a multiple of n_head 5")
    ctl("model", "show", "w", status=3, error="does not exist")  # one that failed leaves no name behind
    said = ctl("model", "list")
    assert re.search(r"^my-gpt2 +ready +2 +24 +22.9k +bf16 +BPE +55.4 KiB", said, re.M), said
    shown = ctl.json("model", "show", "my-gpt2")
    assert shown["config"]["vocab_size"] == 320 and len(shown["files"]) == 7, shown
    ctl("dataset", "add", "--path", "tokens.bin", "--format", "nanogpt", "--vocab-size", "300")
    ctl("run", "create", "--from-model", "my-gpt2", status=2, error="--dataset and --steps")
    ctl("run", "create", "--name", "a", "--from-model", "my-gpt2", "--dataset", "tokens", "--steps", "30")
    ctl("wait", "a", "--timeout", "60s")
    assert ctl.json("run", "show", "a")["from_model"] == "my-gpt2"
    last = ctl("ckpt", "list", "a", "-o", "name").split()[0]
    ctl("run", "create", "--name", "b", "--from-checkpoint", last, "--moments", "--dataset", "tokens", "--steps", "20")
    ctl("wait", "b", "--timeout", "60s")
    assert "from model" in ctl("run", "show", "b")
    ctl("model", "rm", "my-gpt2", status=4, error="is of this model")
    ctl("run", "rm", "a")
    ctl("run", "rm", "b")
    ctl("model", "rm", "my-gpt2")
    assert ctl.json("model", "list")["items"] == []
    daemon.terminate()


if __name__ == "__main__":
    lagd.main(a_model)
