#!/usr/bin/python3
"""Makes gpt2_tiny_ligo.bin, which tests/engine/test_maps.c compares learned maps and their gradient with.

A tiny GPT-2 in plain PyTorch operations in float64 whose weights are all made from those of a smaller one (LiGO,
Wang et al., ICLR 2023): W'_l = sum_j w[l][j] R_j W_j C_j^T, w apart for each kind of tensor, C of what a tensor
writes and R of what it reads. autograd goes back through the model and through that sum. Needs python3-torch and
python3-numpy; run it in this folder.

Little-endian: int32 L H D C I of the small model, L H D C I of the large one, T V B; int32 tokens[B][T],
targets[B][T]; float64 parameters of the small model, all maps, loss, gradients of the maps. D is the size of a head.
Tensors are in the order of the engine's layout, maps in that of the engine's maps, without gaps.
"""
import math

import numpy as np
import torch

SMALL, LARGE, T, V, B, EPS = (2, 2, 2, 4, 5), (3, 3, 2, 7, 8), 3, 5, 2, 1e-3
KINDS = ["ln1_w", "ln1_b", "qkv_w", "qkv_b", "proj_w", "proj_b", "ln2_w", "ln2_b", "fc_w", "fc_b", "fcproj_w",
         "fcproj_b"]


def shapes(dims):
    layers, heads, size, c, inner = dims
    a = heads * size
    yield "wte", (V, c)
    yield "wpe", (T, c)
    for layer in range(layers):
        for kind, shape in zip(KINDS, [(c,), (c,), (c, 3 * a), (3 * a,), (a, c), (c,), (c,), (c,), (c, inner),
                                       (inner,), (inner, c), (c,)]):
            yield f"{layer}.{kind}", shape
    yield "lnf_w", (c,)
    yield "lnf_b", (c,)


def map_shapes():
    (layers, heads, size, c, inner), (layers2, heads2, size2, c2, inner2) = SMALL, LARGE
    for kind in KINDS:
        yield f"depth.{kind}", (layers2, layers)
    for name, shape, n in [("residual", (c2, c), 1), ("normed", (c2, c), 1), ("final", (c2, c), 1),
                           *[(x, (heads2 * size2, heads * size), layers) for x in ("query", "key", "value")],
                           ("ffn", (inner2, inner), layers), ("normed_read", (c2, c), 1),
                           ("value_read", (heads2 * size2, heads * size), layers),
                           ("ffn_read", (inner2, inner), layers)]:
        for layer in range(n):
            yield f"{name}.{layer}", shape


def grow(p, m):
    """The large model's weights."""
    def widened(kind, j):
        w = p[kind if j is None else f"{j}.{kind}"]
        at = j or 0
        if kind.startswith("qkv"):
            parts = zip(("query", "key", "value"), w.split(w.shape[-1] // 3, -1))
            w = torch.cat([part @ m[f"{name}.{at}"].T for name, part in parts], -1)
        elif kind.startswith("ln"):
            w = w @ m["final.0" if kind.startswith("lnf") else "normed.0"].T
        elif kind.startswith("fc_"):
            w = w @ m[f"ffn.{at}"].T
        else:
            w = w @ m["residual.0"].T
        reads = {"qkv_w": "normed_read.0", "fc_w": "normed_read.0", "proj_w": f"value_read.{at}",
                 "fcproj_w": f"ffn_read.{at}"}.get(kind)
        return m[reads] @ w if reads else w
    q = {}
    for name, _ in shapes(LARGE):
        layer, _, kind = name.rpartition(".")
        q[name] = widened(kind, None) if not layer else sum(
            m[f"depth.{kind}"][int(layer), j] * widened(kind, j) for j in range(SMALL[0]))
    return q


def loss_of(p, x, targets):
    layers, heads, size, c, inner = LARGE

    def norm(y, w, b):
        return torch.nn.functional.layer_norm(y, (c,), w, b, NORM_EPS)
    y = p["wte"][x] + p["wpe"]
    future = torch.triu(torch.ones(T, T, dtype=torch.bool), 1)
    for i in range(layers):
        q = {k[2:]: v for k, v in p.items() if k.startswith(f"{i}.")}
        a = norm(y, q["ln1_w"], q["ln1_b"]) @ q["qkv_w"] + q["qkv_b"]
        a, k, v = (u.view(B, T, heads, size).transpose(1, 2) for u in a.split(heads * size, 2))
        s = (a @ k.transpose(-2, -1) / math.sqrt(size)).masked_fill(future, float("-inf")).softmax(-1)
        y = y + (s @ v).transpose(1, 2).reshape(B, T, heads * size) @ q["proj_w"] + q["proj_b"]
        f = norm(y, q["ln2_w"], q["ln2_b"]) @ q["fc_w"] + q["fc_b"]
        f = 0.5 * f * (1 + torch.tanh(math.sqrt(2 / math.pi) * (f + 0.044715 * f ** 3)))
        y = y + f @ q["fcproj_w"] + q["fcproj_b"]
    logits = norm(y, p["lnf_w"], p["lnf_b"]) @ p["wte"].T
    return torch.nn.functional.cross_entropy(logits.reshape(B * T, V), targets.reshape(B * T))


# The engine begins with even copies, whose norms have gains times sqrt(k d / D), and that epsilon times k d / D.
COPIED = LARGE[3] // SMALL[3] * SMALL[3] / LARGE[3]
GAIN, NORM_EPS = math.sqrt(COPIED), EPS * COPIED


def main():
    generator = torch.Generator().manual_seed(13)

    def draw(shape, spread):
        return spread * torch.randn(*shape, generator=generator, dtype=torch.float64)
    p = {name: draw(shape, 0.7) for name, shape in shapes(SMALL)}
    for name in p:
        if name.endswith("_w") and p[name].dim() == 1:
            p[name] = 1 + 0.4 * p[name]
    m = {name: draw(shape, 0.6).requires_grad_() for name, shape in map_shapes()}
    tokens = torch.randint(0, V, (B, T), generator=generator)
    targets = torch.randint(0, V, (B, T), generator=generator)
    grown = grow(p, m)
    grown = {k: GAIN * v if k.endswith("_w") and v.dim() == 1 else v for k, v in grown.items()}
    loss = loss_of(grown, tokens, targets)
    loss.backward()
    with open("gpt2_tiny_ligo.bin", "wb") as f:
        np.array([*SMALL, *LARGE, T, V, B], "<i4").tofile(f)
        for x in (tokens, targets):
            x.numpy().astype("<i4").tofile(f)
        for x in [*p.values(), *m.values(), loss, *(v.grad for v in m.values())]:
            x.detach().numpy().astype("<f8").tofile(f)


if __name__ == "__main__":
    main()
