"""What the build takes from the dashboard's scripts, and what it must leave: test_strip.py SOURCE_FOLDER"""
import glob
import os
import sys

sys.path.insert(0, os.path.join(sys.argv[1], "web"))
from strip import stripped  # noqa: E402

GIVEN = """// a head
/** told
 *  in lines */
export const a = 'http://x'; // behind code
const b = ['a // b', "c // d's", `e // ${a} f`]; // a text might end here
const c = 1; // that's left, too

/* one line */
if (a) {
  // inside
  b(`${a} // text`);
}
"""
WANTED = """export const a = 'http://x';
const b = ['a // b', "c // d's", `e // ${a} f`]; // a text might end here
const c = 1; // that's left, too
if (a) {
b(`${a} // text`);
}
"""

assert stripped(GIVEN, "x.js") == WANTED, stripped(GIVEN, "x.js")
try:
    stripped("const a = `one\n// two`;\n", "x.js")
except SystemExit as refusal:
    assert "x.js:1: a template literal spans lines" in str(refusal), refusal
else:
    raise AssertionError("a template literal over two lines would be damaged")
for name in glob.glob(os.path.join(sys.argv[1], "web", "**", "*.js"), recursive=True):
    if "node_modules" not in name:
        with open(name, encoding="utf-8") as f:
            assert stripped(f.read(), name), name
