#!/usr/bin/python3
"""Small faults for C code: what tests/mutate.py plants. Run by itself it checks itself.

A mutant is (start, end, new text, what it does).

Left alone are comments, texts for people, logging, assertions, failpoints, and calls that only release something: a
leak is for ./dev asan to find."""
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lint"))
import lint  # noqa: E402 (found by the line above)

SILENT = re.compile(r"\b(lag_log\w*|LAG_ASSERT|LAG_FP\w*|LAG_CLEANUP|_Static_assert|static_assert|__attribute__|"
                    r"sizeof)\s*\(")
COMPARE = {"==": "!=", "!=": "==", "<": "<=", "<=": "<", ">": ">=", ">=": ">"}
SWAPS = [
    (re.compile(r"(?<![<>=!+\-*/%&|^])(==|!=|<=|>=|(?<=[\w)\] ])[<>](?![<>=])|(?<=\s)[<>](?=\s))(?![<>=])"), COMPARE),
    (re.compile(r"&&|\|\|"), {"&&": "||", "||": "&&"}),
    (re.compile(r"(?<=[\w)\]] )[+-](?= )|(?<=[\w)\] ])[+-](?==)"), {"+": "-", "-": "+"}),
    (re.compile(r"\b(true|false|LAG_MIN|LAG_MAX)\b"),
     {"true": "false", "false": "true", "LAG_MIN": "LAG_MAX", "LAG_MAX": "LAG_MIN"}),
]
NUMBER = re.compile(r"(?<![\w.])(\d+)((?:\.\d+)?(?:[eE][+-]?\d+)?[uUlLfF]*)(?![\w.])")
CONDITION = re.compile(r"\b(if|while)\s*\(")
RETURN = re.compile(r"\breturn\s+([^;]+);")
CONTROL = re.compile(r"\b(if|for|while|switch|\w*foreach\w*)\s*\(")
STATEMENT = re.compile(r"(?:\(void\)\s*)?(?:[*]|\+\+|--|\(\()*([A-Za-z_]\w*)[\w.>\-\[\]+* ()]*?"
                       r"(?:\(|[-+*/|&^%]?=(?!=)|\+\+|--)"
                       r"|(break|continue)\s*;")
DECLARATION = re.compile(r"(?:const|static|struct|enum|union|unsigned|[A-Za-z_]\w*)\s+\**[A-Za-z_]")
RELEASES = {"free", "json_decref", "va_end", "return", "goto", "case", "default", "typedef", "extern", "else"}
TABLE = re.compile(r"\]\s*=\s*\{")
COMPARED = re.compile(r"\b(?:strn?(?:case)?cmp|strspn|strcspn|strchr|strstr|memcmp)\s*\(")


def closing(code, start):
    """Where the bracket that opens at start closes; the end of the text when it does not."""
    depth = 0
    for i in range(start, len(code)):
        depth += (code[i] in "([{") - (code[i] in ")]}")
        if depth == 0:
            return i
    return len(code) - 1


def blank(code, start, end):
    return code[:start] + re.sub(r"[^\n]", " ", code[start:end]) + code[end:]


def visible(text):
    """The text with everything blanked that is not mutated."""
    code = lint.code_only(text)
    for match in re.finditer(r"^[ \t]*#(?:[^\n]*\\\n)*[^\n]*", code, re.M):
        code = blank(code, match.start(), match.end())
    for match in SILENT.finditer(code):
        code = blank(code, match.start(), closing(code, match.end() - 1) + 1)
    return code


def operators(code):
    for pattern, others in SWAPS:
        for match in pattern.finditer(code):
            old = match.group()
            if code[match.start() - 1:match.start() + 1] != "->":
                yield match.start(), match.end(), others[old], "%s becomes %s" % (old, others[old])


def numbers(code):
    for match in NUMBER.finditer(code):
        value = int(match.group(1))
        for new in [value + 1] + ([value - 1] if value > 0 else []):
            yield match.start(), match.end(), "%d%s" % (new, match.group(2)), "%s becomes %d%s" % (
                match.group(), new, match.group(2))


def conditions(code):
    for match in CONDITION.finditer(code):
        start, end = match.end(), closing(code, match.end() - 1)
        yield start, end, "!(" + code[start:end] + ")", "%s condition negated" % match.group(1)


def returns(code):
    for match in RETURN.finditer(code):
        if match.group(1).strip() not in ("0", "NULL", "false", "true"):
            yield match.start(1), match.end(1), "0", "return 0"


def starts(code):
    """Where a statement may begin."""
    for match in re.finditer(r"[;{}]|\belse\b", code):
        yield match.end()
    for match in CONTROL.finditer(code):
        yield closing(code, match.end() - 1) + 1


def statements(code):
    for start in sorted(set(starts(code))):
        while start < len(code) and code[start].isspace():
            start += 1
        match = STATEMENT.match(code, start)
        if not match or match.group(1) in RELEASES or CONTROL.match(code, start) or DECLARATION.match(code, start):
            continue
        end = start
        while end < len(code) and code[end] not in ";)}]":
            end = closing(code, end) + 1 if code[end] in "([{" else end + 1
        if end < len(code) and code[end] == ";" and end - start < 600:
            yield start, end, "", "statement removed"


def elements(code, start, end):
    """(start, end) of each element between the braces of an initialiser, its comma with it."""
    begin = at = start + 1
    while at < end:
        if code[at] in "([{":
            at = closing(code, at)
        elif code[at] == ",":
            yield begin, at + 1
            begin = at + 1
        at += 1
    if code[begin:end].strip():
        yield begin, end


def tables(text, code):
    for match in TABLE.finditer(code):
        rows = list(elements(code, match.end() - 1, closing(code, match.end() - 1)))
        if len(rows) < 2:
            continue
        for start, end in rows:
            yield start, end, re.sub(r"[^\n]", "", text[start:end]), "row removed"
        columns = [[t for t in lint.TOKENS.finditer(text, s, e) if t.group()[0] == '"'] for s, e in rows]
        for row, below in zip(columns, columns[1:]):
            for one, other in zip(row, below):
                if one.group() != other.group():
                    between = text[one.end():other.start()]
                    yield one.start(), other.end(), other.group() + between + one.group(), "%s and %s swapped" % (
                        one.group(), other.group())


def compared(text, code):
    """A literal that a text is compared with, or that lists bytes, becomes another."""
    for match in COMPARED.finditer(code):
        end = closing(code, match.end() - 1)
        for literal in lint.TOKENS.finditer(text, match.end(), end):
            old = literal.group()
            if old[0] == '"' and len(old) > 2:
                yield literal.start(), literal.end(), '"' + old[2:], "%s loses its first byte" % old


def mutants(text):
    """All mutants of a file in the order of their places."""
    code = visible(text)
    found = {}
    for source in (operators(code), numbers(code), conditions(code), returns(code), statements(code),
                   tables(text, code), compared(text, code)):
        for start, end, new, what in source:
            if what.endswith("negated"):
                new = "!(" + text[start:end] + ")"
            found.setdefault((start, end, new), what)
    return sorted((start, end, new, what) for (start, end, new), what in found.items())


SAMPLE = """/* a < b && c */
#define N 3
static const struct row rows[] = {{"one", 1}, {"two", 2}};
int f(int a) {
    int sum = a;
    LAG_ASSERT(a > 4);
    lag_log(LAG_LOG_DEBUG, "a + b", a - 5);
    if (a <= 6 || strcmp(rows[0].name, "three") == 0) sum += g(a)->n;
    free(rows);
    return sum - 7;
}
"""
# What has to be found in the sample, as "line: what".
WANTED = """3: row removed
3: "one" and "two" swapped
3: 1 becomes 2
3: 1 becomes 0
8: <= becomes <
8: 6 becomes 5
8: || becomes &&
8: == becomes !=
8: if condition negated
8: "three" loses its first byte
8: statement removed
8: + becomes -
10: - becomes +
10: return 0"""


def self_test():
    found = {"%d: %s" % (lint.line_of(SAMPLE, start), what) for start, _, _, what in mutants(SAMPLE)}
    wrong = ["missing " + one for one in WANTED.split("\n") if one not in found]
    wrong += ["not wanted " + one for one in sorted(found) if one.split(":")[0] not in ("3", "8", "10")]
    for fault in wrong:
        print(fault)
    print("self-test: %d mutants, %d faults" % (len(found), len(wrong)))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(self_test())
