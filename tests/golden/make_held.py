#!/usr/bin/python3
"""Makes gpt2_tiny_held.bin, which tests/engine/test_held.c compares gates and masks with.

A tiny GPT-2 in plain PyTorch operations in float64 whose branches are held back: each adds g (m * a) W + g n b to the
residual stream, with a gate g that is trained (Gate-Zero Growth, SkipInit), and masks m of heads and FFN units and n of
the bias that are not (MSG, Yao et al., ICLR 2024). Needs python3-torch and python3-numpy; run it in this folder.

Little-endian: int32 L H D C I T V B; int32 tokens[B][T], targets[B][T]; of each layer int32 masks in eighths: heads'
outputs[H * D], FFN units[I], the two biases; float64 parameters, logits, loss, gradients. D is the size of a head.
Tensors are in the order of the engine's layout, without gaps.
"""
import math

import numpy as np
import torch

L, H, D, C, I, T, V, B, EPS = 3, 2, 2, 4, 6, 3, 5, 2, 1e-3
GATES = [(0.0, 0.7), (-0.4, 1.0), (1.3, 0.0)]
MASKS = [([8, 8, 3, 3], [8, 8, 8, 5, 5, 0], 8, 8),  # a head and units are new
         ([2, 2, 2, 2], [2] * 6, 2, 2),             # a layer is
         ([0, 0, 0, 0], [8] * 6, 0, 8)]


def shapes():
    a = H * D
    yield "wte", (V, C)
    yield "wpe", (T, C)
    for layer in range(L):
        for name, shape in [("ln1_w", (C,)), ("ln1_b", (C,)), ("qkv_w", (C, 3 * a)), ("qkv_b", (3 * a,)),
                            ("proj_w", (a, C)), ("proj_b", (C,)), ("ln2_w", (C,)), ("ln2_b", (C,)),
                            ("fc_w", (C, I)), ("fc_b", (I,)), ("fcproj_w", (I, C)), ("fcproj_b", (C,)),
                            ("proj_gate", (1,)), ("fcproj_gate", (1,))]:
            yield f"{layer}.{name}", shape
    yield "lnf_w", (C,)
    yield "lnf_b", (C,)


def logits_of(p, x):
    def norm(y, w, b):
        return torch.nn.functional.layer_norm(y, (C,), w, b, EPS)
    y = p["wte"][x] + p["wpe"]
    future = torch.triu(torch.ones(T, T, dtype=torch.bool), 1)
    for i in range(L):
        q = {k[2:]: v for k, v in p.items() if k.startswith(f"{i}.")}
        heads, units, proj_bias, fcproj_bias = (torch.tensor(m, dtype=torch.float64) / 8 for m in MASKS[i])
        a = norm(y, q["ln1_w"], q["ln1_b"]) @ q["qkv_w"] + q["qkv_b"]
        a, k, v = (u.view(B, T, H, D).transpose(1, 2) for u in a.split(H * D, 2))
        s = (a @ k.transpose(-2, -1) / math.sqrt(D)).masked_fill(future, float("-inf")).softmax(-1)
        a = (s @ v).transpose(1, 2).reshape(B, T, H * D)
        y = y + q["proj_gate"] * ((heads * a) @ q["proj_w"] + proj_bias * q["proj_b"])
        f = norm(y, q["ln2_w"], q["ln2_b"]) @ q["fc_w"] + q["fc_b"]
        f = 0.5 * f * (1 + torch.tanh(math.sqrt(2 / math.pi) * (f + 0.044715 * f ** 3)))
        y = y + q["fcproj_gate"] * ((units * f) @ q["fcproj_w"] + fcproj_bias * q["fcproj_b"])
    return norm(y, p["lnf_w"], p["lnf_b"]) @ p["wte"].T


def main():
    generator = torch.Generator().manual_seed(11)
    p = {}
    for name, shape in shapes():
        value = 0.7 * torch.randn(*shape, generator=generator, dtype=torch.float64)
        if name.endswith("_w") and len(shape) == 1:
            value = 1 + 0.4 * value
        if name.endswith("_gate"):
            value = torch.tensor([GATES[int(name[0])][0 if ".proj" in name else 1]], dtype=torch.float64)
        p[name] = value.requires_grad_()
    tokens = torch.randint(0, V, (B, T), generator=generator)
    targets = torch.randint(0, V, (B, T), generator=generator)
    logits = logits_of(p, tokens)
    loss = torch.nn.functional.cross_entropy(logits.reshape(B * T, V), targets.reshape(B * T))
    loss.backward()
    with open("gpt2_tiny_held.bin", "wb") as f:
        np.array([L, H, D, C, I, T, V, B], "<i4").tofile(f)
        for x in (tokens, targets):
            x.numpy().astype("<i4").tofile(f)
        for heads, units, *biases in MASKS:
            np.array(heads + units + biases, "<i4").tofile(f)
        for x in [*p.values(), logits, loss, *(v.grad for v in p.values())]:
            x.detach().numpy().astype("<f8").tofile(f)


if __name__ == "__main__":
    main()
