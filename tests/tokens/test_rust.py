#!/usr/bin/python3
"""Ids and learnt merges are those of Hugging Face's tokenizers in Rust: usage: test_rust.py LAGTOKEN.

The short form of `./dev tokens`, on lagd's own sources and some code points: GPT-2, the same with a pattern that
PCRE2 reads, Llama 2, and what lagd itself learns by the patterns of Llama 3 and Qwen 2. `./dev deps test` installs the
packages; without them this is skipped."""
import glob
import os
import subprocess
import sys
import tempfile
import unicodedata

HERE = os.path.dirname(os.path.abspath(__file__))
PACKAGES = os.path.join(HERE, "node_modules")
sys.path.insert(0, os.path.join(HERE, "..", "bench"))
import peer_tokens

# Texts that lines of sources lack: other scripts, what composes, runs of white space, what looks like other tokens.
ODD = ["", " ", "   ", "\t x\u00a0 y\u3000z", "don't DON'T we'LL it'\u017f", "12345 \u0663\u0664 \u2167 1e-5",
       "<0x41> <s> </s>", "Über naïve café cafe\u0301 a\u0301\u0323b", "日本語の文章です。한국어 문장", "ภาษาไทย हिन्दी",
       "العربية עברית", "😀👩‍👩‍👧 \ufeff\u200b", "▁▁the▁cat  ▁ the", "x" * 300, "ab" * 200, "=" * 77,
       " " * 40 + "return;", "the quick brown fox " * 20]
# Code points that Python's Unicode knows, and so both libraries' do: what each makes of others differs by its version.
POINTS = [c for c in range(1, 0x20000, 37) if unicodedata.category(chr(c)) not in ("Cn", "Co", "Cs")]


def sources():
    paths = sorted(glob.glob(os.path.join(HERE, "..", "..", "engine", "*", "*.c")))[::4]
    lines = [line for path in paths for line in open(path, encoding="utf-8").read().split("\n")]
    return lines[:3000]


def main(lagtoken):
    if not os.path.isdir(os.path.join(PACKAGES, "@anush008", "tokenizers")):
        print("skipped: tests/tokens/node_modules is not there; ./dev deps test installs it where npm can be reached")
        return 77
    peers = peer_tokens.Peers(lagtoken, PACKAGES)
    with tempfile.TemporaryDirectory() as folder:
        lines = peer_tokens.write(folder, "lines.txt", "\n".join(sources() + ODD) + "\n")
        points = peer_tokens.write(folder, "points.txt", peer_tokens.points_text(POINTS))
        whole = peer_tokens.write(folder, "whole.txt", " ".join(sources()) + " \u00e9\n")
        files = peer_tokens.gpt2(PACKAGES, folder)
        files["llama2"] = os.path.join(PACKAGES, "@lenml", "tokenizer-llama2", "models", "tokenizer.json")
        for pattern in ("llama3", "qwen2"):
            learnt = subprocess.run([lagtoken, "train", lines, "2000", pattern], check=True, capture_output=True)
            files[pattern] = peer_tokens.write(folder, pattern + ".json", learnt.stdout.decode())
        for name, path in files.items():
            for what, text in (("lines", lines), ("single code points", points), ("line of all", whole)):
                peers.compare_ids(name, path, what, text)
        peers.compare_training(lines, folder)
    return 1 if peers.faults else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
