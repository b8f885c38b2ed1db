#!/usr/bin/python3
"""A model of another program, brought to lagd, grown and taken away again: ./dev demo FROM=hf

usage: demo_hf.py LAGD TEXT

lagd trains a tokenizer on the text and makes tokens of it. Plain PyTorch trains a small GPT-2 on them and writes the
folder that Hugging Face's libraries would: config.json, model.safetensors, tokenizer.json. lagd takes the folder in,
grows the model by LAG and trains on. Then PyTorch opens what lagd gives away, with nothing of lagd's, and finds the
same loss. All of it happens in a temporary folder, which goes at the end.
"""
import glob
import http.client
import json
import math
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tarfile
import tempfile
import textwrap
import time

import torch
from torch.nn import functional

SHAPE = {"n_layer": 2, "n_head": 4, "n_embd": 64, "n_positions": 64}
VOCABULARY, TORCH_STEPS, SEQUENCES, LR, EVAL_BATCHES = 512, 300, 12, 2e-3, 8
GROW_AT, GROWS_TO, LAG, STEPS = 100, {"n_layer": 4}, 150, 500
POOL = ["stack", "interleave", "midas", "zero_stack"]
HEADER = 256 * 4  # bytes before the tokens of an llm.c file


def say(label, text):
    print(textwrap.fill(" ".join(text.split()), 110, initial_indent=f"{label:12}", subsequent_indent=" " * 12),
          flush=True)


# --- a GPT-2 in plain PyTorch ----------------------------------------------------------------------------------------

def names_of(config):
    """Hugging Face's names and shapes; matrices of layers are [in][out]."""
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


def begin(config):
    def first(name, shape):
        if name.endswith("bias"):
            return torch.zeros(shape)
        return torch.ones(shape) if "ln_" in name else torch.randn(shape) * 0.02
    return {name: first(name, shape).requires_grad_() for name, shape in names_of(config)}


def logits_of(p, config, ids):
    """ids: [batch][time]."""
    c, n_head, n = config["n_embd"], config["n_head"], ids.shape[1]
    norm = lambda x, name: functional.layer_norm(x, (c,), p[name + ".weight"], p[name + ".bias"],
                                                 config["layer_norm_epsilon"])
    affine = lambda x, name: x @ p[name + ".weight"] + p[name + ".bias"]
    heads = lambda x: x.view(*x.shape[:2], n_head, c // n_head).transpose(1, 2)
    later = torch.ones(n, n, dtype=torch.bool).triu(1)
    x = p["wte.weight"][ids] + p["wpe.weight"][:n]
    for i in range(config["n_layer"]):
        q, k, v = map(heads, affine(norm(x, f"h.{i}.ln_1"), f"h.{i}.attn.c_attn").split(c, dim=2))
        scores = (q @ k.transpose(2, 3) / math.sqrt(c // n_head)).masked_fill(later, -math.inf)
        mixed = (scores.softmax(3) @ v).transpose(1, 2).reshape(x.shape)
        x = x + affine(mixed, f"h.{i}.attn.c_proj")
        hidden = affine(norm(x, f"h.{i}.ln_2"), f"h.{i}.mlp.c_fc")
        hidden = hidden / 2 * (1 + torch.tanh(math.sqrt(2 / math.pi) * (hidden + 0.044715 * hidden ** 3)))
        x = x + affine(hidden, f"h.{i}.mlp.c_proj")
    return norm(x, "ln_f") @ p["wte.weight"].T


def loss_of(p, config, windows):
    """windows: [batch][time + 1]; each place is asked for the next token."""
    logits = logits_of(p, config, windows[:, :-1])
    return functional.cross_entropy(logits.reshape(-1, logits.shape[2]), windows[:, 1:].reshape(-1))


def train(p, config, tokens, steps):
    n_train = len(tokens) - len(tokens) // 10 - config["n_positions"] - 1
    optimizer = torch.optim.AdamW(p.values(), lr=LR, betas=(0.9, 0.95), weight_decay=0.1)
    for _ in range(steps):
        starts = torch.randint(n_train, (SEQUENCES,))
        loss = loss_of(p, config, torch.stack([tokens[s:s + config["n_positions"] + 1] for s in starts]))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def validation_loss(p, config, tokens):
    """On the windows of lagd's validation: evenly spaced over the last tenth."""
    n_validation, n = len(tokens) // 10, SEQUENCES * EVAL_BATCHES
    starts = [len(tokens) - n_validation + i * (n_validation - config["n_positions"]) // n for i in range(n)]
    with torch.no_grad():
        return loss_of(p, config, torch.stack([tokens[s:s + config["n_positions"] + 1] for s in starts])).item()


def write(p, config, prompt, length):
    """Greedy."""
    ids = list(prompt)
    with torch.no_grad():
        for _ in range(length):
            window = torch.tensor([ids[-config["n_positions"]:]])
            ids.append(logits_of(p, config, window)[0, -1].argmax().item())
    return ids


# --- the files that Hugging Face's libraries write and read ----------------------------------------------------------

def write_folder(folder, p, config, tokenizer):
    os.makedirs(folder)
    header, data, at = {"__metadata__": {"format": "pt"}}, [], 0
    for name, tensor in p.items():
        raw = tensor.detach().numpy().tobytes()
        header["transformer." + name] = {"dtype": "F32", "shape": list(tensor.shape),
                                         "data_offsets": [at, at + len(raw)]}
        data.append(raw)
        at += len(raw)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(os.path.join(folder, "model.safetensors"), "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text + b"".join(data))
    with open(os.path.join(folder, "config.json"), "w", encoding="utf-8") as f:
        json.dump(config, f)
    with open(os.path.join(folder, "tokenizer.json"), "wb") as f:
        f.write(tokenizer)


def read_folder(folder):
    with open(os.path.join(folder, "model.safetensors"), "rb") as f:
        n = struct.unpack("<Q", f.read(8))[0]
        header, data = json.loads(f.read(n)), f.read()
    header.pop("__metadata__", None)
    p = {}
    for name, one in header.items():
        begin_, end = one["data_offsets"]
        p[name.removeprefix("transformer.")] = torch.frombuffer(
            bytearray(data[begin_:end]), dtype=torch.float32).view(one["shape"])
    with open(os.path.join(folder, "config.json"), encoding="utf-8") as f:
        config = json.load(f)
    with open(os.path.join(folder, "tokenizer.json"), encoding="utf-8") as f:
        tokenizer = json.load(f)
    assert {name: list(tensor.shape) for name, tensor in p.items()} == dict(names_of(config)), "tensors and config.json"
    return p, config, tokenizer


def text_of(tokenizer, ids):
    """A byte-level BPE's tokens as text, by what tokenizer.json says."""
    plain = [*range(0x21, 0x7f), *range(0xa1, 0xad), *range(0xae, 0x100)]
    others = [b for b in range(256) if b not in plain]
    byte_of = {**{chr(b): b for b in plain}, **{chr(256 + i): b for i, b in enumerate(others)}}
    tokens = {i: token for token, i in tokenizer["model"]["vocab"].items()}
    return bytes(byte_of[c] for i in ids for c in tokens.get(i, "")).decode(errors="replace")


def tokens_of(path):
    """Of an llm.c file: 256 whole numbers before tokens of 16 bits."""
    with open(path, "rb") as f:
        data = f.read()[HEADER:]
    return torch.tensor(struct.unpack(f"<{len(data) // 2}H", data))


# --- lagd ------------------------------------------------------------------------------------------------------------

class Connection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=600)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.connect(self.path)


class Lagd:
    def __init__(self, program, folder):
        self.folder = folder
        self.state = os.path.join(folder, "state")
        self.socket = os.path.join(folder, "lagd.sock")
        config = os.path.join(folder, "lagd.conf")
        with open(config, "w", encoding="utf-8") as f:
            f.write(f"[storage]\ndataset_roots = {folder}/data\n")
        with open(os.path.join(folder, "lagd.log"), "ab") as log:
            self.process = subprocess.Popen(
                [program, "--config", config, "--state-dir", self.state, "--listen", "127.0.0.1:0", "--socket",
                 self.socket], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.until(lambda: self.is_ready() or self.process.poll() is not None)
        if self.process.poll() is not None:
            sys.exit(f"demo: lagd ended at its start; {folder}/lagd.log tells why")

    def is_ready(self):
        try:
            return self.request("GET", "/readyz")[0] == 200
        except OSError:
            return False

    def request(self, method, path, body=None, kind="application/json"):
        connection = Connection(self.socket)
        try:
            data = json.dumps(body).encode() if isinstance(body, dict) else body
            connection.request(method, path, data, {"Content-Type": kind} if data is not None else {})
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def take(self, path, method="GET", body=None, kind="application/json"):
        status, data = self.request(method, "/api/v1" + path, body, kind)
        if status >= 400:
            sys.exit(f"demo: {method} {path}: {json.loads(data).get('detail')}")
        return data

    def get(self, path):
        return json.loads(self.take(path))

    def post(self, path, body=None, kind="application/json"):
        return json.loads(self.take(path, "POST", body if body is not None else {}, kind) or b"null")

    @staticmethod
    def until(condition):
        while not condition():
            time.sleep(0.1)

    def wait_for(self, path, state):
        def is_there():
            row = self.get(path)
            if row["state"] in ("failed", "cancelled", "paused", "damaged"):
                sys.exit(f"demo: {path} is {row['state']}: {row.get('reason') or row.get('error')}")
            return row["state"] == state
        self.until(is_there)
        return self.get(path)

    def file_of(self, dataset):
        """Where lagd keeps the tokens that it made."""
        return glob.glob(os.path.join(self.state, "datasets", dataset["id"], "*.bin"))[0]

    def end(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait()


# --- what happens ----------------------------------------------------------------------------------------------------

def make_tokens(lagd, text):
    """A tokenizer, and the text in its tokens: (tokenizer.json, ids)."""
    lagd.take("/datasets?name=text", "POST", text, "text/plain")
    lagd.wait_for("/datasets/text", "ready")
    lagd.post("/tokenizers", {"name": "pieces", "train": {"dataset": "text", "vocab_size": VOCABULARY,
                                                          "pattern": "gpt2"}})
    known = lagd.wait_for("/tokenizers/pieces", "ready")
    with open(os.path.join(lagd.folder, "data", "text.txt"), "wb") as f:
        f.write(text)
    lagd.post("/datasets", {"name": "tokens", "path": "text.txt", "tokenizer": "pieces"})
    made = lagd.wait_for("/datasets/tokens", "ready")
    say("tokenizer", f"{known['vocab_size']} tokens trained on {len(text)} bytes: {made['n_tokens']} tokens")
    return lagd.take("/tokenizers/pieces/files/tokenizer.json"), tokens_of(lagd.file_of(made))


def make_model(lagd, tokenizer, tokens):
    """The folder that a person brings."""
    config = {"architectures": ["GPT2LMHeadModel"], "model_type": "gpt2", "activation_function": "gelu_new",
              "layer_norm_epsilon": 1e-5, "vocab_size": VOCABULARY, "torch_dtype": "float32", **SHAPE}
    torch.manual_seed(11)
    p = begin(config)
    train(p, config, tokens, TORCH_STEPS)
    loss = validation_loss(p, config, tokens)
    write_folder(os.path.join(lagd.folder, "data", "brought"), p, config, tokenizer)
    say("PyTorch", f"{config['n_layer']} layers, {TORCH_STEPS} steps: validation loss {loss:.6f}")
    return loss


def grow(lagd, loss):
    """Brought, grown and trained on; the run's last checkpoint."""
    lagd.post("/models", {"name": "brought", "path": "brought"})
    model = lagd.wait_for("/models/brought", "ready")
    lagd.post("/runs", {"name": "grown", "from": {"model": "brought"}, "dataset": "tokens", "seed": 11, "start": False,
                        "schedule": {"kind": "wsd", "max_steps": STEPS, "warmup_steps": 20}, "optim": {"lr": LR},
                        "batch": {"sequences": SEQUENCES}, "eval": {"every_steps": 100, "batches": EVAL_BATCHES}})
    growth = lagd.post("/runs/grown/growths", {"target": GROWS_TO, "when": {"at_step": GROW_AT}, "pool": POOL,
                                               "probe": {"steps": LAG}})
    lagd.post("/runs/grown/resume")
    lagd.wait_for("/runs/grown", "completed")
    points = [json.loads(line) for line in lagd.take("/runs/grown/export").splitlines()]
    losses = {point["step"]: point["val/loss"] for point in points if "val/loss" in point}
    say("lagd", f"the same {model['n_params']} parameters at step 0: {losses[0]:.6f}, {losses[0] - loss:+.1e}")
    say("", f"{lagd.get('/growths/' + growth['id'])['decision']['verdict']}")
    say("", f"{lagd.get('/runs/grown')['model']['n_layer']} layers at step {STEPS}: {losses[STEPS]:.6f}")
    return lagd.get("/runs/grown/checkpoints")["items"][0]["id"], losses


def open_again(lagd, checkpoint, tokens, loss):
    """By PyTorch, from nothing but the archive."""
    archive, folder = os.path.join(lagd.folder, "model.tar"), os.path.join(lagd.folder, "taken")
    with open(archive, "wb") as f:
        f.write(lagd.take(f"/checkpoints/{checkpoint}/hf.tar"))
    with tarfile.open(archive) as tar:
        tar.extractall(folder)
    p, config, tokenizer = read_folder(os.path.join(folder, os.listdir(folder)[0]))
    again = validation_loss(p, config, tokens)
    shape = f"{config['n_layer']} layers of {config['n_embd']}"
    say("PyTorch", f"reads {shape} in hf.tar: {again:.6f}, {again - loss:+.1e}")
    start = tokens[len(tokens) - len(tokens) // 10:][:16].tolist()
    ids = write(p, config, start, 40)
    say("", f"and goes on: {text_of(tokenizer, start)!r} … {text_of(tokenizer, ids[16:])!r}")
    size = len(lagd.take(f"/checkpoints/{checkpoint}/model.gguf?dtype=f16"))
    say("llama.cpp", f"would take model.gguf, {size} bytes with the tokenizer inside")
    return again


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__.split("\n\n")[1])
    with open(sys.argv[2], "rb") as f:
        text = f.read()
    torch.set_num_threads(1)  # the model is small, and other programs may want the rest
    folder = tempfile.mkdtemp(prefix="lagd-demo-")
    os.mkdir(os.path.join(folder, "data"))
    lagd = None
    try:
        lagd = Lagd(os.path.abspath(sys.argv[1]), folder)
        tokenizer, tokens = make_tokens(lagd, text)
        brought = make_model(lagd, tokenizer, tokens)
        checkpoint, losses = grow(lagd, brought)
        again = open_again(lagd, checkpoint, tokens, losses[STEPS])
        if max(abs(losses[0] - brought), abs(again - losses[STEPS])) > 1e-5:
            sys.exit("demo: lagd and PyTorch disagree")
    finally:
        if lagd:
            lagd.end()
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
