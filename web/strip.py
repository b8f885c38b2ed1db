"""The dashboard's scripts without what only readers of the source need: comments and indentation.

strip.py FILE: to standard output. A line inside of a template literal would lose what is its own, so a file whose
template literals span lines is refused."""
import sys


def code_of(line):
    """The line without a comment behind its code. What has a quote in it may be the end of a text: it is left."""
    code, mark, comment = line.partition(" // ")
    return code.rstrip() if mark and not any(quote in comment for quote in "'\"`") else line


def stripped(text, name):
    out, comment = [], False
    for number, line in enumerate(text.split("\n"), 1):
        line = line.strip()
        if comment:
            comment = not line.endswith("*/")
        elif line.startswith("/*"):
            comment = not line.endswith("*/")
        elif line and not line.startswith("//"):
            if line.count("`") % 2:
                raise SystemExit(f"{name}:{number}: a template literal spans lines: write it as a sum of strings")
            out.append(code_of(line))
    return "\n".join(out) + "\n"


if __name__ == "__main__":
    with open(sys.argv[1], encoding="utf-8") as f:
        sys.stdout.write(stripped(f.read(), sys.argv[1]))
