"""The dashboard knows the states that the daemon's tables have, and no others: test_states.py SOURCE_FOLDER

The tables come by way of docs/openapi.json, which tests/api/check_openapi.py holds to what lagd makes. Words that the
dashboard compares a state with, its marks and its colours must be states; each state has a mark."""
import glob
import json
import os
import re
import sys


def read(*path):
    with open(os.path.join(*path), encoding="utf-8") as file:
        return file.read()


def known(root):
    machines = json.loads(read(root, "docs", "openapi.json"))["x-lagd-states"]
    assert set(machines) == {"run", "growth", "candidate", "dataset", "study", "stage", "model",
                             "tokenizer"}, machines.keys()
    assert all(any(row["terminal"] for row in rows) and all(row["help"] for row in rows) for rows in machines.values())
    return {row["name"] for rows in machines.values() for row in rows}


def scripts(root):
    folders = [os.path.join(root, "web"), os.path.join(root, "web", "views"), os.path.join(root, "web", "charts")]
    for path in sorted(path for folder in folders for path in glob.glob(os.path.join(folder, "*.js"))):
        yield os.path.relpath(path, root), read(path)


def main(root):
    states = known(root)
    compared = set()
    for path, text in scripts(root):
        # A run, growth, candidate, dataset or study; connections and panels have states of their own, told by other
        # names.
        for word in re.findall(r"(?:run|growth|candidate|study|one)\.state [!=]== '(\w+)'", text):
            assert word in states, f"{path} compares a state with {word}, which is none"
            compared.add(word)
        for words in re.findall(r"\[([^\]]*)\]\s*\.includes\([\w.]*\.state\)", text):
            assert False, f"{path} lists states: {words}; ask states.js"
    assert compared, "no comparison was found: the expression above no longer fits the dashboard"
    marks = re.search(r"const MARKS = \{(.*?)\};", read(root, "web", "views", "parts.js"), re.S).group(1)
    marked = set(re.findall(r"(\w+):", marks))
    assert marked == states, f"marks and states differ: {sorted(marked ^ states)}"
    coloured = set(re.findall(r"\.badge\.(\w+)", read(root, "web", "style.css")))
    assert coloured and coloured <= states, f"colours of what is no state: {sorted(coloured - states)}"
    print(f"{len(states)} states, {len(compared)} of them compared with")


main(*sys.argv[1:])
