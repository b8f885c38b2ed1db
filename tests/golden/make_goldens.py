#!/usr/bin/python3
"""Makes gpt2_tiny.bin, which tests/engine/test_goldens.c compares the engine with.

A tiny GPT-2 in plain PyTorch operations, in float64 (the truth) and float32 (the peer whose error is the yardstick).
Needs python3-torch and python3-numpy; run it in this folder.

Little-endian: int32 header L H C I T V B n_steps; int32 tokens[B][T], targets[B][T]; then float64 arrays: parameters,
logits, loss, gradients, losses of n_steps AdamW steps, final parameters, and the largest absolute error of float32 in
each tensor of: logits (1), loss (1), gradients (one a tensor), losses (1), final parameters (one a tensor).
Tensors are in the order of the engine's layout, without gaps.

gpt2_tiny_frozen.bin: AdamW steps in which all but the last layer is frozen for a while. It is what --frozen makes,
alone: float64 losses and gradient norms of n_steps, final parameters, and float32's largest error in losses (1), norms
(1) and final parameters (one a tensor).
gpt2_tiny_bf16.bin: the same errors of PyTorch's bfloat16 autocast, float64. It is what --bf16 makes, alone.
"""
import contextlib
import math
import sys

import numpy as np
import torch

L, H, C, T, V, B, STEPS = 2, 3, 12, 7, 23, 2, 20
I = 4 * C
FROZEN = range(5, 12)  # steps
LR, BETAS, EPS, DECAY, CLIP = 1e-2, (0.9, 0.95), 1e-8, 0.1, 1.0


def shapes():
    yield "wte", (V, C)
    yield "wpe", (T, C)
    for i in range(L):
        for name, shape in [("ln1_w", (C,)), ("ln1_b", (C,)), ("qkv_w", (C, 3 * C)), ("qkv_b", (3 * C,)),
                            ("proj_w", (C, C)), ("proj_b", (C,)), ("ln2_w", (C,)), ("ln2_b", (C,)),
                            ("fc_w", (C, I)), ("fc_b", (I,)), ("fcproj_w", (I, C)), ("fcproj_b", (C,))]:
            yield f"{i}.{name}", shape
    yield "lnf_w", (C,)
    yield "lnf_b", (C,)


def norm(x, w, b):
    return torch.nn.functional.layer_norm(x, (C,), w, b, 1e-5)


def logits_of(p, x):
    h = p["wte"][x] + p["wpe"]
    mask = torch.triu(torch.ones(T, T, dtype=torch.bool), 1)
    for i in range(L):
        q = {k[len(str(i)) + 1:]: v for k, v in p.items() if k.startswith(f"{i}.")}
        a = norm(h, q["ln1_w"], q["ln1_b"]) @ q["qkv_w"] + q["qkv_b"]
        a, k, v = (u.view(B, T, H, C // H).transpose(1, 2) for u in a.split(C, 2))
        s = (a @ k.transpose(-2, -1) / math.sqrt(C // H)).masked_fill(mask, float("-inf")).softmax(-1)
        h = h + (s @ v).transpose(1, 2).reshape(B, T, C) @ q["proj_w"] + q["proj_b"]
        f = norm(h, q["ln2_w"], q["ln2_b"]) @ q["fc_w"] + q["fc_b"]
        f = 0.5 * f * (1 + torch.tanh(math.sqrt(2 / math.pi) * (f + 0.044715 * f ** 3)))
        h = h + f @ q["fcproj_w"] + q["fcproj_b"]
    return norm(h, p["lnf_w"], p["lnf_b"]) @ p["wte"].T


def loss_of(p, x, y):
    return torch.nn.functional.cross_entropy(logits_of(p, x).view(-1, V), y.reshape(-1))


def adamw(p):
    groups = [{"params": [v for v in p.values() if v.dim() > 1], "weight_decay": DECAY},
              {"params": [v for v in p.values() if v.dim() == 1], "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, LR, BETAS, EPS)


def wide(v):
    return v.detach().double().numpy().ravel()


def run_frozen(start, x, y, dtype):
    """A frozen parameter has no gradient: neither AdamW nor its decay nor the norm knows it meanwhile."""
    p = {k: v.to(dtype, copy=True).requires_grad_() for k, v in start.items()}
    opt, losses, norms = adamw(p), [], []
    for step in range(STEPS):
        for k, v in p.items():
            v.requires_grad_(step not in FROZEN or k.startswith(f"{L - 1}."))
        opt.zero_grad(set_to_none=True)
        l = loss_of(p, x, y)
        l.backward()
        norms.append(torch.nn.utils.clip_grad_norm_(p.values(), CLIP).item())
        opt.step()
        losses.append(l.item())
    return dict(losses=[np.array(losses)], norms=[np.array(norms)], final=[wide(v) for v in p.values()])


def run(start, x, y, dtype, cast=contextlib.nullcontext):
    """Everything the engine is compared with, as float64 arrays."""
    p = {k: v.to(dtype, copy=True).requires_grad_() for k, v in start.items()}
    with cast():
        logits = logits_of(p, x).detach()
        loss = loss_of(p, x, y)
    loss.backward()
    grads = {k: v.grad.clone() for k, v in p.items()}
    opt = adamw(p)
    losses = []
    for _ in range(STEPS):
        opt.zero_grad()
        with cast():
            l = loss_of(p, x, y)
        l.backward()
        torch.nn.utils.clip_grad_norm_(p.values(), CLIP)
        opt.step()
        losses.append(l.item())
    return dict(logits=[wide(logits)], loss=[wide(loss)], grads=[wide(v) for v in grads.values()],
                losses=[np.array(losses)], final=[wide(v) for v in p.values()])


def write_errors(f, truth, peer):
    for key in truth:
        f.write(np.array([np.abs(a - b).max() for a, b in zip(truth[key], peer[key])], "<f8").tobytes())


def main():
    torch.manual_seed(7)
    torch.set_num_threads(1)
    start = {}
    for name, shape in shapes():
        w = torch.randn(shape, dtype=torch.float64) * (0.3 if len(shape) > 1 else 0.1)
        if name.endswith(("ln1_w", "ln2_w", "lnf_w")):
            w = w + 1
        start[name] = w.float().double()  # exact in float32
    x, y = torch.randint(V, (B, T)), torch.randint(V, (B, T))
    if "--bf16" in sys.argv:
        truth = run(start, x, y, torch.float64)
        half = run(start, x, y, torch.float32, lambda: torch.autocast("cpu", dtype=torch.bfloat16))
        with open("gpt2_tiny_bf16.bin", "wb") as f:
            write_errors(f, truth, half)
        return
    if "--frozen" in sys.argv:
        truth = run_frozen(start, x, y, torch.float64)
        with open("gpt2_tiny_frozen.bin", "wb") as f:
            for part in truth.values():
                for array in part:
                    f.write(array.astype("<f8").tobytes())
            write_errors(f, truth, run_frozen(start, x, y, torch.float32))
        return
    truth, peer = run(start, x, y, torch.float64), run(start, x, y, torch.float32)
    with open("gpt2_tiny.bin", "wb") as f:
        f.write(np.array([L, H, C, I, T, V, B, STEPS], "<i4").tobytes())
        f.write(x.numpy().astype("<i4").tobytes())
        f.write(y.numpy().astype("<i4").tobytes())
        for w in start.values():
            f.write(w.numpy().astype("<f8").tobytes())
        for part in truth.values():
            for array in part:
                f.write(array.astype("<f8").tobytes())
        write_errors(f, truth, peer)


main()
