#!/usr/bin/python3
"""Makes gpt2_tiny_fused.bin, which tests/engine/test_fuse.c compares fusions with.

Tiny GPT-2s of different widths in plain PyTorch operations in float64, and what Deep Fusion's formulas (Mazzawi et al.,
arXiv 2306.11903) make of them: embeddings and norms end to end, block-diagonal matrices, the last norm with the shares.
Needs python3-torch and python3-numpy; run it in this folder.

Little-endian: int32 L D T V B and n_cases; int32 tokens[B][T]; then each case: char strategy[64]; int32 n_models; the
models, the run's own first; the fused one; its logits. A model is int32 H C I; float64 epsilon, parameters. Tensors are
in the order of the engine's layout, without gaps.
"""
import numpy as np
import torch

from make_wide import B, D, L, T, V, logits_of, shapes

EPS = (1e-3, 5e-3, 1e-2)


def block_diagonal(blocks):
    out = np.zeros((sum(b.shape[0] for b in blocks), sum(b.shape[1] for b in blocks)))
    row = col = 0
    for b in blocks:
        out[row:row + b.shape[0], col:col + b.shape[1]] = b
        row, col = row + b.shape[0], col + b.shape[1]
    return out


def thirds(tensor, axis):
    return np.split(tensor, 3, axis)


def fuse(models, shares):
    g = {"wte": np.concatenate([m["wte"] for m in models], 1), "wpe": np.concatenate([m["wpe"] for m in models], 1)}
    for i in range(L):
        def of(name):
            return [m[f"{i}.{name}"] for m in models]
        for name in ("ln1_w", "ln1_b", "ln2_w", "ln2_b", "proj_b", "fc_b", "fcproj_b"):
            g[f"{i}.{name}"] = np.concatenate(of(name))
        for name in ("proj_w", "fc_w", "fcproj_w"):
            g[f"{i}.{name}"] = block_diagonal(of(name))
        parts = [thirds(w, 1) for w in of("qkv_w")]
        g[f"{i}.qkv_w"] = np.concatenate([block_diagonal([p[t] for p in parts]) for t in range(3)], 1)
        parts = [thirds(b, 0) for b in of("qkv_b")]
        g[f"{i}.qkv_b"] = np.concatenate([np.concatenate([p[t] for p in parts]) for t in range(3)])
    for name in ("lnf_w", "lnf_b"):
        g[name] = np.concatenate([s * m[name] for s, m in zip(shares, models)])
    return g


def main():
    generator = torch.Generator().manual_seed(11)

    def model(h, c, i):
        def random(*shape):
            return torch.randn(*shape, generator=generator, dtype=torch.float64).numpy()
        return {name: 1 + 0.3 * random(*shape) if name.endswith("_w") and len(shape) == 1 else 0.7 * random(*shape)
                for name, shape in shapes(h, D, c, i)}
    sizes = [(2, 4, 6), (1, 3, 5), (3, 6, 2)]
    models = [model(*s) for s in sizes]
    tokens = torch.randint(0, V, (B, T), generator=generator)
    cases = [("fuse lambda=0.3 parents=a", (0, 1), (0.3, 0.7)), ("fuse parents=a", (2, 0), (0.5, 0.5)),
             ("fuse lambda=0.2 parents=a+b", (1, 0, 2), (0.2, 0.4, 0.4))]

    def write(f, size, eps, p):
        np.array(size, "<i4").tofile(f)
        np.array([eps], "<f8").tofile(f)
        for name, wanted in shapes(size[0], D, size[1], size[2]):
            assert p[name].shape == wanted, (name, p[name].shape, wanted)
            p[name].astype("<f8").tofile(f)

    def logits(p, size, eps):
        return logits_of({k: torch.tensor(v) for k, v in p.items()}, tokens, size[0], D, size[1], eps).numpy()
    with open("gpt2_tiny_fused.bin", "wb") as f:
        np.array([L, D, T, V, B, len(cases)], "<i4").tofile(f)
        tokens.numpy().astype("<i4").tofile(f)
        for text, which, shares in cases:
            size = tuple(sum(sizes[w][axis] for w in which) for axis in range(3))
            eps = sum(EPS[w] * sizes[w][1] for w in which) / size[1]
            fused = fuse([models[w] for w in which], shares)
            after = logits(fused, size, eps)
            mean = sum(s * logits(models[w], sizes[w], EPS[w]) for w, s in zip(which, shares))
            print(text, size, "from the mean of logits", abs(after - mean).max(), "of", abs(mean).max())
            f.write(text.encode().ljust(64, b"\0"))
            np.array([len(which)], "<i4").tofile(f)
            for w in which:
                write(f, sizes[w], EPS[w], models[w])
            write(f, size, eps, fused)
            after.astype("<f8").tofile(f)


main()
