"""Figures of a planted study are XML that stands alone: check_study_svg.py PRINT_STUDY"""
import subprocess
import sys
import xml.etree.ElementTree as tree

SVG = "{http://www.w3.org/2000/svg}"
FIGURES = ["", "scatter", "agreement", "curves", "regret", "flops"]
STUDIES = [["3", "scratch"], ["1"], ["2", "ties", "label"], ["2", "flat"], ["0"]]


def check(program, figure, study):
    done = subprocess.run([program, "svg", figure, *study], capture_output=True, check=True)
    text = done.stdout.decode("utf-8")
    root = tree.fromstring(text)
    assert root.tag == SVG + "svg" and root.get("role") == "img", text[:200]
    ids = [one.get("id") for one in root.iter() if one.get("id")]
    assert len(ids) == len(set(ids)), f"{figure}: an id stands twice"
    named = root.get("aria-labelledby").split()
    assert all(name in ids for name in named), f"{figure}: {named}"
    for one in root.iter():
        assert one.tag.startswith(SVG) and not one.tag.endswith(("}style", "}script")), one.tag
        assert not any(name == "style" or name.startswith("on") for name in one.attrib), one.attrib
        assert float(one.get("font-size", "13")) >= 11
        for name in ("fill", "stroke", "color"):
            assert one.get(name, "none") in ("none", "currentColor") or one.get(name).startswith("#"), one.attrib
    height = float(root.get("height"))
    for text in root.iter(SVG + "text"):
        assert float(text.get("x", "0")) >= 0 and float(text.get("y", "0")) <= height, text.attrib
    return len(list(root.iter()))


def main(program):
    n = [check(program, figure, study) for study in STUDIES for figure in FIGURES]
    print(f"{len(n)} figures, {sum(n)} elements")


main(*sys.argv[1:])
