#!/usr/bin/python3
"""The peer of lagbench: the same training step of the same shape by PyTorch on the processor. Prints one JSON line.

usage: peer_torch.py L,H,C,T,B,V [--precision fp32|bf16] [--threads N] [--steps N]
       layers, heads, width, context, batch, vocabulary; bf16: autocast

A pre-LN decoder with learned positions, biases and a tied head; forward, backward, clipping by the global norm, AdamW.
GELU is the exact one, which PyTorch computes faster than the tanh form that lagd uses: the peer shall be at its best.
"""
import argparse
import contextlib
import json
import resource
import statistics
import time

import torch
from torch import nn
from torch.nn import functional as F


class Layer(nn.Module):
    def __init__(self, width, n_head):
        super().__init__()
        self.n_head = n_head
        self.norms = nn.ModuleList([nn.LayerNorm(width), nn.LayerNorm(width)])
        self.qkv, self.project = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.expand, self.contract = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def attend(self, x, future):
        batch, context, width = x.shape
        parts = self.qkv(x).reshape(batch, context, 3, self.n_head, width // self.n_head).permute(2, 0, 3, 1, 4)
        query, key, value = parts.unbind(0)
        if hasattr(F, "scaled_dot_product_attention"):
            mixed = F.scaled_dot_product_attention(query, key, value, is_causal=True)
        else:
            scores = query @ key.transpose(-1, -2) * (width // self.n_head) ** -0.5
            mixed = scores.masked_fill(future, -float("inf")).softmax(-1) @ value
        return self.project(mixed.transpose(1, 2).reshape(batch, context, width))

    def forward(self, x, future):
        x = x + self.attend(self.norms[0](x), future)
        return x + self.contract(F.gelu(self.expand(self.norms[1](x))))


class Decoder(nn.Module):
    def __init__(self, n_layer, n_head, width, context, vocab):
        super().__init__()
        self.tokens, self.positions = nn.Embedding(vocab, width), nn.Embedding(context, width)
        self.layers = nn.ModuleList(Layer(width, n_head) for _ in range(n_layer))
        self.norm = nn.LayerNorm(width)
        self.register_buffer("future", torch.ones(context, context, dtype=torch.bool).triu(1))
        for parameter in self.parameters():
            if parameter.dim() == 2:
                nn.init.normal_(parameter, std=0.02)

    def forward(self, tokens):
        x = self.tokens(tokens) + self.positions.weight
        for layer in self.layers:
            x = layer(x, self.future)
        return F.linear(self.norm(x), self.tokens.weight)


def step(model, optimizer, tokens, precision):
    begin = time.perf_counter()
    with torch.autocast("cpu", dtype=torch.bfloat16) if precision == "bf16" else contextlib.nullcontext():
        logits = model(tokens[:, :-1])
        loss = F.cross_entropy(logits.flatten(0, 1), tokens[:, 1:].flatten())
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    return time.perf_counter() - begin


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("shape")
    arguments.add_argument("--precision", choices=["fp32", "bf16"], default="fp32")
    arguments.add_argument("--threads", type=int, default=2)
    arguments.add_argument("--steps", type=int, default=15)
    arguments = arguments.parse_args()
    n_layer, n_head, width, context, batch, vocab = (int(x) for x in arguments.shape.split(","))
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    model = Decoder(n_layer, n_head, width, context, vocab)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, betas=(0.9, 0.95), weight_decay=0.1)
    took = [step(model, optimizer, torch.randint(vocab, (batch, context + 1)), arguments.precision)
            for _ in range(arguments.steps + 1)][1:]
    median = statistics.median(took)
    print(json.dumps({"peer": f"torch {torch.__version__}", "precision": arguments.precision,
                      "threads": arguments.threads,
                      "step_ms_median": round(median * 1e3, 2), "step_ms_min": round(min(took) * 1e3, 2),
                      "tokens_per_s": round(batch * context / median),
                      "peak_rss_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024}))


if __name__ == "__main__":
    main()
