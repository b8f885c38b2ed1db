"""What the lints share: walking the tree, C without comments and texts, reporting, and the self-test.

A lint is a function check(root) that yields "path:line: what is wrong and what to do". Its planted faults are a list of
(expected text or None, {path: content}): a tree with one fault, or a clean one, that the self-test writes to a
temporary folder and checks."""
import os
import re
import sys
import tempfile

SKIPPED_FOLDERS = {"node_modules", "subprojects", "__pycache__"}
LAYERS = ("base", "engine", "storage", "daemon", "api", "cli", "courier")


def files(root, *suffixes):
    """Paths relative to root, sorted, of the source files that end in one of suffixes."""
    found = []
    for folder, folders, names in os.walk(root):
        folders[:] = [f for f in folders if f not in SKIPPED_FOLDERS and not f.startswith(("build", ".git"))]
        found += [os.path.relpath(os.path.join(folder, n), root) for n in names if n.endswith(suffixes)]
    return sorted(found)


def read(root, path):
    with open(os.path.join(root, path), encoding="utf-8", errors="replace") as file:
        return file.read()


TOKENS = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)


def code_only(text):
    """C with the insides of comments and literals blanked; lines and columns stay."""
    def blank(match):
        token = match.group()
        if token.startswith("/"):
            return re.sub(r"[^\n]", " ", token)
        return token[0] + " " * (len(token) - 2) + token[-1]
    return TOKENS.sub(blank, text)


def line_of(text, offset):
    return text.count("\n", 0, offset) + 1


def layer_of(path):
    """base for base/x.c and include/lagd/base/x.h; main for the file that may see all; None elsewhere."""
    parts = path.split(os.sep)
    if parts[0] == "main" and len(parts) > 1:
        return "main"
    if parts[:2] == ["include", "lagd"] and len(parts) > 3:
        return parts[2]
    return parts[0] if parts[0] in LAYERS + ("tests",) and len(parts) > 1 else None


def self_test(check, planted):
    n_wrong = 0
    for expected, tree in planted:
        with tempfile.TemporaryDirectory() as root:
            for path, content in tree.items():
                os.makedirs(os.path.dirname(os.path.join(root, path)), exist_ok=True)
                with open(os.path.join(root, path), "w", encoding="utf-8") as file:
                    file.write(content)
            found = list(check(root))
        good = not found if expected is None else any(expected in fault for fault in found)
        if not good:
            n_wrong += 1
            print("self-test: expected %r in %s, found %r" % (expected, sorted(tree), found))
    print("self-test: %d planted trees, %d judged wrongly" % (len(planted), n_wrong))
    return 1 if n_wrong or not planted else 0


def main(check, planted):
    if sys.argv[1:] == ["--self-test"]:
        sys.exit(self_test(check, planted))
    root = sys.argv[1] if len(sys.argv) > 1 else "."
    if not os.path.isdir(os.path.join(root, "include", "lagd")):
        sys.exit("%s is not lagd's source folder" % root)
    faults = list(check(root))
    for fault in faults:
        print(fault)
    print("%d faults" % len(faults))
    sys.exit(1 if faults else 0)
