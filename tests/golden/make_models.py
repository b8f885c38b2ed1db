#!/usr/bin/python3
"""Makes models.txt, which tests/integration/test_models.py compares with: GPT-2 folders written by plain PyTorch.

Each line: name of a folder (tests/integration/hf_folder.py), SHA-256 of its weights' files one after the other in the
order of their names, and the mean loss of PyTorch in float64 over the windows that lagd validates on. Needs
python3-torch; run it in this folder.
"""
import hashlib
import math
import os
import sys

import torch

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "integration"))
import hf_folder

DTYPES = {"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}
ROWS, BATCHES = 4, 2


def as_torch(dtype, numbers):
    return torch.tensor(numbers, dtype=torch.float32).to(DTYPES[dtype])


def weights(dtype, numbers):
    tensor = as_torch(dtype, numbers)
    return bytes(tensor.view(torch.uint8).tolist())


def loss(config, p, ids):
    c, heads, eps = config["n_embd"], config["n_head"], config["layer_norm_epsilon"]
    t = len(ids) - 1
    norm = lambda x, name: torch.nn.functional.layer_norm(x, (c,), p[name + ".weight"], p[name + ".bias"], eps)
    linear = lambda x, name: x @ p[name + ".weight"] + p[name + ".bias"]
    h = p["wte.weight"][ids[:-1]] + p["wpe.weight"][:t]
    mask = torch.triu(torch.ones(t, t, dtype=torch.bool), 1)
    for i in range(config["n_layer"]):
        q, k, v = (u.view(t, heads, c // heads).transpose(0, 1)
                   for u in linear(norm(h, f"h.{i}.ln_1"), f"h.{i}.attn.c_attn").split(c, 1))
        a = (q @ k.transpose(-2, -1) / math.sqrt(c // heads)).masked_fill(mask, float("-inf")).softmax(-1) @ v
        h = h + linear(a.transpose(0, 1).reshape(t, c), f"h.{i}.attn.c_proj")
        f = linear(norm(h, f"h.{i}.ln_2"), f"h.{i}.mlp.c_fc")
        f = 0.5 * f * (1 + torch.tanh(math.sqrt(2 / math.pi) * (f + 0.044715 * f ** 3)))
        h = h + linear(f, f"h.{i}.mlp.c_proj")
    logits = norm(h, "ln_f") @ p["wte.weight"].T
    return torch.nn.functional.cross_entropy(logits, torch.tensor(ids[1:])).item()


def main():
    with open("models.txt", "w") as out:
        for name, how in hf_folder.FOLDERS.items():
            files = hf_folder.files_of(how, weights)
            digest = hashlib.sha256()
            for file in sorted(f for f in files if f.endswith(".safetensors")):
                digest.update(files[file])
            p = {n: as_torch(how["dtype"], hf_folder.values(n, shape)).double().view(shape)
                 for n, shape in hf_folder.shapes()}
            losses = [loss(hf_folder.CONFIG, p, ids) for ids in hf_folder.windows(hf_folder.ids(), ROWS, BATCHES)]
            out.write(f"{name} {digest.hexdigest()} {sum(losses) / len(losses):.9f}\n")


main()
