#!/usr/bin/python3
"""Makes gpt2_tiny_wide.bin, which tests/engine/test_wide.c compares growths in width with.

A tiny GPT-2 in plain PyTorch operations in float64, and what the papers' formulas make of it, written here once more
element by element: clones by whole multiples and with a rest (Chen et al. 2016; Shen et al. 2022), uneven shares
(LEMON), AKI, the diagonal clone, and zero fan-out (Gesmundo & Maile). Needs python3-torch and python3-numpy; run it in
this folder.

Little-endian: int32 L H D C I T V B and n_cases; int32 tokens[B][T]; float64 parameters and logits of the parent; then
each case: char strategy[64]; int32 H D C I; float64 epsilon, parameters (NaN where a growth may put anything), logits.
D is the size of a head. Tensors are in the order of the engine's layout, without gaps.
"""
import math

import numpy as np
import torch

L, H, D, C, I, T, V, B, EPS = 2, 2, 2, 4, 6, 3, 5, 2, 1e-3
ANY = float("nan")


def shapes(h, d, c, i):
    a = h * d
    yield "wte", (V, c)
    yield "wpe", (T, c)
    for layer in range(L):
        for name, shape in [("ln1_w", (c,)), ("ln1_b", (c,)), ("qkv_w", (c, 3 * a)), ("qkv_b", (3 * a,)),
                            ("proj_w", (a, c)), ("proj_b", (c,)), ("ln2_w", (c,)), ("ln2_b", (c,)),
                            ("fc_w", (c, i)), ("fc_b", (i,)), ("fcproj_w", (i, c)), ("fcproj_b", (c,))]:
            yield f"{layer}.{name}", shape
    yield "lnf_w", (c,)
    yield "lnf_b", (c,)


def logits_of(p, x, h, d, c, eps):
    def norm(y, w, b):
        return torch.nn.functional.layer_norm(y, (c,), w, b, eps)
    y = p["wte"][x] + p["wpe"]
    mask = torch.triu(torch.ones(T, T, dtype=torch.bool), 1)
    for i in range(L):
        q = {k[2:]: v for k, v in p.items() if k.startswith(f"{i}.")}
        a = norm(y, q["ln1_w"], q["ln1_b"]) @ q["qkv_w"] + q["qkv_b"]
        a, k, v = (u.view(B, T, h, d).transpose(1, 2) for u in a.split(h * d, 2))
        s = (a @ k.transpose(-2, -1) / math.sqrt(d)).masked_fill(mask, float("-inf")).softmax(-1)
        y = y + (s @ v).transpose(1, 2).reshape(B, T, h * d) @ q["proj_w"] + q["proj_b"]
        f = norm(y, q["ln2_w"], q["ln2_b"]) @ q["fc_w"] + q["fc_b"]
        f = 0.5 * f * (1 + torch.tanh(math.sqrt(2 / math.pi) * (f + 0.044715 * f ** 3)))
        y = y + f @ q["fcproj_w"] + q["fcproj_b"]
    return norm(y, p["lnf_w"], p["lnf_b"]) @ p["wte"].T


def copies(n, new):
    """Which copy each of the units is, and how many there are of its source."""
    return [u // n for u in range(new)], [len(range(u % n, new, n)) for u in range(new)]


def shares(n, new, split):
    number, count = copies(n, new)
    ratio = (1 - split) / split
    return [ratio ** c / sum(ratio ** j for j in range(m)) for c, m in zip(number, count)]


class Clone:
    """Whole copies of the stream and a filled rest; heads, their numbers and FFN units in turn."""

    def __init__(self, parent, h, d, c, i, split=0.5, above=False, diagonal=False):
        self.p, self.h, self.d, self.c, self.i, self.above, self.diagonal = parent, h, d, c, i, above, diagonal
        self.k = c // C
        self.whole = self.k * C
        self.norm_share = shares(C, self.whole, split)
        self.head_share, self.unit_share = shares(H, h, split), shares(I, i, split)
        self.value_share = shares(D, d, split)
        # each query number and its key: the products of m copies add up to sqrt(d / D)
        _, counts = copies(D, d)
        self.score = [math.sqrt(math.sqrt(d / D) / m) for m in counts]

    def tensor(self, name, copied):
        """The tensor that a column comes from: copies come from the layer above where there is one."""
        if self.above and copied and name[0] == "0":
            name = "1" + name[1:]
        return self.p[name]

    def write(self, name, rows):
        """What writes to the stream: rows are (source row, share, number of the copy)."""
        out = np.zeros((len(rows), self.c))
        for r, (source, share, number) in enumerate(rows):
            for j in range(self.whole):
                value = self.tensor(name, j >= C)[source][j % C]
                if self.diagonal and number is not None:
                    share = 1.0 if number == j // C else 0.0
                out[r][j] = share * value
            for j in range(self.whole, self.c):
                out[r][j] = share * sum(self.p[name][source]) / C
        return out

    def vector(self, name):
        return self.write(name, [(0, 1.0, None)])[0]

    def read(self, name, columns):
        """What reads a norm: columns are (source column, factor, number of the copy)."""
        out = np.full((self.c, len(columns)), ANY)
        for j in range(self.whole):
            for o, (source, factor, number) in enumerate(columns):
                share = self.norm_share[j]
                if self.diagonal:
                    share = 1.0 if number == j // C else 0.0
                out[j][o] = share * factor * self.tensor(name, number > 0)[j % C][source]
        return out

    def columns(self):
        """Of qkv: (source, factor, number of the copy)."""
        out = []
        for part in range(3):
            for head in range(self.h):
                for n in range(self.d):
                    factor = self.score[n] if part < 2 else 1.0
                    out.append((part * H * D + head % H * D + n % D, factor, head // H or n // D))
        return out

    def norms(self, gain, bias, share, copied_from):
        eta = math.sqrt(self.whole / self.c)
        w, b = np.ones(self.c), np.zeros(self.c)
        for j in range(self.whole):
            w[j] = eta * share * self.tensor(gain, copied_from and j >= C)[j % C]
            b[j] = share * self.tensor(bias, copied_from and j >= C)[j % C]
        return w, b

    def grow(self):
        g = {"wte": self.write2("wte"), "wpe": self.write2("wpe")}
        for l in "01":
            g[l + ".ln1_w"], g[l + ".ln1_b"] = self.norms(l + ".ln1_w", l + ".ln1_b", 1.0, True)
            g[l + ".ln2_w"], g[l + ".ln2_b"] = self.norms(l + ".ln2_w", l + ".ln2_b", 1.0, True)
            columns = self.columns()
            g[l + ".qkv_w"] = self.read(l + ".qkv_w", columns)
            g[l + ".qkv_b"] = np.array([f * self.tensor(l + ".qkv_b", n > 0)[s] for s, f, n in columns])
            rows = [(head % H * D + n % D, self.head_share[head] * self.value_share[n], head // H)
                    for head in range(self.h) for n in range(self.d)]
            g[l + ".proj_w"], g[l + ".proj_b"] = self.write(l + ".proj_w", rows), self.bias(l + ".proj_b")
            units = [(u % I, 1.0, u // I) for u in range(self.i)]
            g[l + ".fc_w"] = self.read(l + ".fc_w", units)
            g[l + ".fc_b"] = np.array([self.tensor(l + ".fc_b", n > 0)[s] for s, _, n in units])
            rows = [(u % I, self.unit_share[u], u // I) for u in range(self.i)]
            g[l + ".fcproj_w"], g[l + ".fcproj_b"] = self.write(l + ".fcproj_w", rows), self.bias(l + ".fcproj_b")
        g["lnf_w"], g["lnf_b"] = self.norms("lnf_w", "lnf_b", 1 / self.k, False)
        return g, EPS * self.whole / self.c

    def write2(self, name):
        return self.write(name, [(r, 1.0, None) for r in range(len(self.p[name]))])

    def bias(self, name):
        out = np.zeros(self.c)
        for j in range(self.c):
            whole = j < self.whole
            out[j] = self.tensor(name, j >= C)[j % C] if whole else sum(self.p[name]) / C
        return out


def zero_fanout(p, h, d, c, i):
    """New units are fresh (ANY) and read at zero; the stream's are filled with the mean; new keys are zero, old ones
    multiplied by sqrt(d / D)."""
    eta, g = math.sqrt(C / c), {}

    def stream(rows, get):
        return np.array([[get(r, j) if j < C else sum(get(r, s) for s in range(C)) / C for j in range(c)]
                         for r in range(rows)])

    def norm(w, b):
        return (np.array([eta * w[j] if j < C else 1.0 for j in range(c)]),
                np.array([b[j] if j < C else 0.0 for j in range(c)]))
    g["wte"], g["wpe"] = (stream(len(p[n]), lambda r, j, n=n: p[n][r][j]) for n in ("wte", "wpe"))
    for l in "01":
        g[l + ".ln1_w"], g[l + ".ln1_b"] = norm(p[l + ".ln1_w"], p[l + ".ln1_b"])
        g[l + ".ln2_w"], g[l + ".ln2_b"] = norm(p[l + ".ln2_w"], p[l + ".ln2_b"])
        w, b = np.full((c, 3 * h * d), ANY), np.zeros(3 * h * d)
        for part in range(3):
            for head in range(h):
                for n in range(d):
                    o, source = part * h * d + head * d + n, part * H * D + head * D + n
                    if head < H and n < D:
                        scale = math.sqrt(d / D) if part == 1 else 1.0
                        w[:C, o], b[o] = scale * p[l + ".qkv_w"][:, source], scale * p[l + ".qkv_b"][source]
                    elif head < H and part == 1:
                        w[:C, o] = 0
                        w[C:, o] = 0
        g[l + ".qkv_w"], g[l + ".qkv_b"] = w, b
        old = {head * d + n: head * D + n for head in range(H) for n in range(D)}
        g[l + ".proj_w"] = stream(h * d, lambda r, j: p[l + ".proj_w"][old[r]][j] if r in old else 0.0)
        g[l + ".proj_b"] = stream(1, lambda r, j: p[l + ".proj_b"][j])[0]
        f, fb = np.full((c, i), ANY), np.zeros(i)
        f[:C, :I], fb[:I] = p[l + ".fc_w"], p[l + ".fc_b"]
        g[l + ".fc_w"], g[l + ".fc_b"] = f, fb
        g[l + ".fcproj_w"] = stream(i, lambda r, j: p[l + ".fcproj_w"][r][j] if r < I else 0.0)
        g[l + ".fcproj_b"] = stream(1, lambda r, j: p[l + ".fcproj_b"][j])[0]
    g["lnf_w"], g["lnf_b"] = norm(p["lnf_w"], p["lnf_b"])
    return g, EPS * C / c


def main():
    generator = torch.Generator().manual_seed(7)

    def random(*shape):
        return torch.randn(*shape, generator=generator, dtype=torch.float64).numpy()
    parent = {name: (1 + 0.3 * random(*shape)) if name.endswith(("_w",)) and len(shape) == 1
              else 0.7 * random(*shape) for name, shape in shapes(H, D, C, I)}
    tokens = torch.randint(0, V, (B, T), generator=generator)
    cases = [
        ("clone_width noise=0", (4, 2, 8, 12), lambda s: Clone(parent, *s).grow()),
        ("clone_width noise=0", (3, 3, 11, 7), lambda s: Clone(parent, *s).grow()),
        ("lemon split=0.3", (3, 3, 9, 9), lambda s: Clone(parent, *s, split=0.3).grow()),
        ("aki", (2, 2, 8, 6), lambda s: Clone(parent, *s, above=True).grow()),
        ("clone_diagonal noise=0", (4, 2, 8, 12), lambda s: Clone(parent, *s, diagonal=True).grow()),
        ("zero_fanout lr=continue", (3, 3, 6, 8), lambda s: zero_fanout(parent, *s)),
    ]

    def logits(p, h, d, c, eps):
        filled = {name: torch.tensor(np.where(np.isnan(v), random(*v.shape), v)) for name, v in p.items()}
        return logits_of(filled, tokens, h, d, c, eps).numpy()
    before = logits(parent, H, D, C, EPS)
    with open("gpt2_tiny_wide.bin", "wb") as f:
        np.array([L, H, D, C, I, T, V, B, len(cases)], "<i4").tofile(f)
        tokens.numpy().astype("<i4").tofile(f)
        for name, _ in shapes(H, D, C, I):
            parent[name].astype("<f8").tofile(f)
        before.astype("<f8").tofile(f)
        for text, shape, grow in cases:
            grown, eps = grow(shape)
            after = logits(grown, shape[0], shape[1], shape[2], eps)
            print(text, shape, "change of logits", abs(after - before).max())
            f.write(text.encode().ljust(64, b"\0"))
            np.array(shape, "<i4").tofile(f)
            np.array([eps], "<f8").tofile(f)
            for name, wanted in shapes(*shape):
                assert grown[name].shape == wanted, (name, grown[name].shape, wanted)
                grown[name].astype("<f8").tofile(f)
            after.astype("<f8").tofile(f)


if __name__ == "__main__":
    main()
