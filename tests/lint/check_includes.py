#!/usr/bin/python3
"""Includes point one way (CONTRIBUTING.md, "Layers" and "Rooms"): usage: check_includes.py SOURCE_FOLDER |
--self-test"""
import os
import re

import lint
import rooms

# Who may include headers of which layer. main is main/lagd.c, tests include what they test.
EDGES = {
    "base": {"base"},
    "engine": {"base", "engine"},
    "storage": {"base", "storage"},
    "daemon": {"base", "engine", "storage", "daemon"},
    "api": {"base", "storage", "daemon", "api"},
    "cli": {"base"},
    "courier": {"base"},
    "main": set(lint.LAYERS),
    "tests": set(lint.LAYERS),
}
# Layers whose headers must not be reached even through the headers of others.
HIDDEN = {"api": {"engine"}, "storage": {"engine"}, "engine": {"storage", "daemon", "api"}, "daemon": {"api"}}
# A single header that a layer must not use although the edge is legal, and why.
DENIED = {("engine", "base/log.h"): "the engine never logs", ("engine", "base/thread.h"): "the engine starts no thread"}
# Libraries and the layers that may know them (main/ and tests may know all).
LIBRARIES = {
    "sqlite3.h": {"storage"}, "microhttpd.h": {"api"}, "jansson.h": {"api", "engine", "cli"}, "pcre2.h": {"engine"},
    "utf8proc.h": {"engine"}, "ini.h": {"daemon"},
    "cblas.h": {"engine"}, "openblas_config.h": {"engine"}, "openssl/": {"base"}, "curl/": {"cli", "courier"},
}
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]', re.M)


def includes(root, path):
    """(line, name, quoted) of each include, those in comments left out."""
    text = lint.read(root, path)
    code = lint.code_only(text)
    for match in INCLUDE.finditer(text):
        if code[match.start():match.end()].lstrip().startswith("#"):
            yield lint.line_of(text, match.start()), match.group(2), match.group(1) == '"'


def reached(root, header, seen):
    """All boundary headers that header pulls in, with itself."""
    path = os.path.join("include", header)
    if header in seen or not os.path.isfile(os.path.join(root, path)):
        return seen
    seen.add(header)
    for _, name, _ in includes(root, path):
        if name.startswith("lagd/"):
            reached(root, name, seen)
    return seen


def check_boundary(root, layer, name):
    other = name.split("/")[1]
    if other not in EDGES[layer]:
        return "%s must not include %s" % (layer, name)
    if (layer, name[len("lagd/"):]) in DENIED:
        return "%s must not include %s: %s" % (layer, name, DENIED[layer, name[len("lagd/"):]])
    if not os.path.isfile(os.path.join(root, "include", name)):
        return "there is no %s" % name
    for header in sorted(reached(root, name, set())):
        if header.split("/")[1] in HIDDEN.get(layer, ()):
            return "%s must not see %s, which %s includes; declare the struct instead" % (layer, header, name)
    return None


def check_private(root, path, layer, name):
    """A quoted name that is no boundary header: it must lie in the includer's own layer (or in tests/)."""
    beside = os.path.normpath(os.path.join(os.path.dirname(path), name))
    homes = [layer if layer != "main" else "daemon"]
    if layer == "tests":
        folder = path.split(os.sep)[1]  # tests/<layer>; tests/fuzz and tests/bench reach into every layer
        homes = ["tests"] + [layer for layer in lint.LAYERS if folder in (layer, "fuzz", "bench")]
    candidates = [beside, os.path.normpath(name)] + [os.path.normpath(os.path.join(h, name)) for h in homes]
    for candidate in candidates:
        if os.path.isfile(os.path.join(root, candidate)):
            if layer != "tests" and path.startswith("include"):
                return "a boundary header must not include the private %s" % name
            return None if candidate.split(os.sep)[0] in homes else "%s is private to another layer" % name
    if name.endswith("_internal.h") or "/" in name:
        return "%s is not in this layer" % name
    return None


def check_room(root, path, name, quoted):
    """An include in a file that lies in a room: (the other room it leads to or None, what is wrong with it)."""
    layer, room = rooms.room_of(path)
    other = rooms.room_named(layer, name, quoted)
    if quoted and "/" not in name and os.path.isfile(os.path.join(root, layer, room, name)):
        return None, 'write its room too: "%s/%s"' % (room, name)
    if name.startswith("lagd/engine/") and layer == "engine" and other is None:
        return None, "tests/lint/rooms.py does not say which room %s speaks for" % name
    if other is None or other == room:
        return None, None
    if other not in rooms.ROOMS[layer][room]:
        return other, "%s/%s must not include %s, which is of %s/%s" % (layer, room, name, layer, other)
    return other, None


def check_rooms(root, divided):
    """Files outside the rooms, edges that the table lacks, circles."""
    edges = {layer: {} for layer in divided}
    for path in lint.files(root, ".c", ".h"):
        layer, room = rooms.room_of(path)
        if layer not in divided:
            continue
        if room not in rooms.ROOMS[layer]:
            yield "%s:1: there is no room %s/%s; tests/lint/rooms.py tells which there are" % (path, layer, room)
            continue
        for line, name, quoted in includes(root, path):
            other, fault = check_room(root, path, name, quoted)
            edges[layer].setdefault(room, set()).update({other} - {None})
            if fault:
                yield "%s:%d: %s" % (path, line, fault)
    for layer in divided:
        for what, found in (("%s: its rooms include each other" % layer, edges[layer]),
                            ("tests/lint/rooms.py: the table of %s leads" % layer, rooms.ROOMS[layer])):
            way = rooms.circle(found)
            if way:
                yield "%s in a circle: %s" % (what, ", ".join(way))


def check_told(root):
    """CONTRIBUTING.md tells the same rooms: rows "| `room` | … | may include |" below "| layer/ |"."""
    path = os.path.join(root, "CONTRIBUTING.md")
    text = lint.read(root, "CONTRIBUTING.md") if os.path.isfile(path) else ""
    for layer, known in rooms.ROOMS.items():
        told = {}
        for row in re.findall(r"^\| %s/ \|.*\n\|.*\n((?:\|.*\n)+)" % layer, text, re.M):
            for name, may in re.findall(r"^\| `([^`]+)` \|.*\| ([^|]+) \|$", row, re.M):
                told["" if name.endswith(".c") else name] = set(may.split(", ")) - {"–"}
        for room in sorted(set(told) | set(known) if text else ()):
            if told.get(room) != known.get(room):
                yield "CONTRIBUTING.md:1: of %s/%s it tells other edges than tests/lint/rooms.py" % (layer, room)


def divided_layers(root):
    """Layers with rooms in this tree."""
    paths = (path for path in lint.files(root, ".c", ".h") if not path.startswith("include"))
    layers = {layer for layer, room in map(rooms.room_of, paths) if room}
    return sorted(layers - {None})


def check(root):
    yield from check_rooms(root, divided_layers(root))
    yield from check_told(root)
    for path in lint.files(root, ".c", ".h"):
        layer = lint.layer_of(path)
        if layer is None or layer not in EDGES:
            yield "%s:1: C files lie in a layer's folder, in include/lagd/<layer>, or in tests" % path
            continue
        for line, name, quoted in includes(root, path):
            fault = None
            if name.startswith("lagd/") and name.count("/") >= 2:
                fault = check_boundary(root, layer, name) or (
                    "write <%s>: quotes are for private headers" % name if quoted else None)
            elif quoted:
                fault = check_private(root, path, layer, name)
            for library, layers in LIBRARIES.items():
                if name.startswith(library) and layer not in layers | {"main", "tests"}:
                    fault = "%s must not know <%s>" % (layer, name)
            if fault:
                yield "%s:%d: %s" % (path, line, fault)


A, B = "include/lagd/base/a.h", "include/lagd/engine/b.h"
G, GH, TH = "daemon/growth/g.c", "daemon/growth/g_internal.h", "daemon/train/t_internal.h"
PLANTED = [
    (None, {A: "", B: '#include <lagd/base/a.h>\n', "engine/x.c": '#include "x_internal.h"\n',
            "engine/x_internal.h": "",
            "main/lagd.c": '#include <lagd/engine/b.h>\n#include <sqlite3.h>\n',
            "daemon/d.c": '/* \n#include "lagd/api/none.h"\n*/\n#include <lagd/engine/b.h>\n',
            "tests/engine/t.c": '#include "x_internal.h"\n#include "t.h"\n', "tests/engine/t.h": ""}),
    ("base must not include lagd/engine/b.h", {B: "", "base/x.c": '#include "lagd/engine/b.h"\n'}),
    ("api must not include lagd/engine/b.h", {B: "", "api/x.c": "#include <lagd/engine/b.h>\n"}),
    ("api must not see lagd/engine/b.h", {B: "", "include/lagd/daemon/c.h": '#include "lagd/engine/b.h"\n',
                                          "api/x.c": '#include "lagd/daemon/c.h"\n'}),
    ("storage must not include lagd/engine/b.h", {B: "", "storage/x.c": '  # include "lagd/engine/b.h"\n'}),
    ("engine must not include lagd/storage/s.h", {"include/lagd/storage/s.h": "",
                                                  B: '#include "lagd/storage/s.h"\n'}),
    ("daemon must not include lagd/api/s.h", {"include/lagd/api/s.h": "", "daemon/x.c": '#include "lagd/api/s.h"\n'}),
    ("the engine never logs", {"include/lagd/base/log.h": "", "engine/x.c": '#include "lagd/base/log.h"\n'}),
    ("daemon must not know <sqlite3.h>", {"daemon/x.c": "#include <sqlite3.h>\n"}),
    ("there is no lagd/base/z.h", {"base/x.c": '#include "lagd/base/z.h"\n'}),
    (None, {A: "", "cli/x.c": '#include <curl/curl.h>\n#include <jansson.h>\n#include <lagd/base/a.h>\n'}),
    ("write <lagd/base/a.h>", {A: "", "cli/x.c": '#include "lagd/base/a.h"\n'}),
    ("cli must not include lagd/daemon/c.h", {"include/lagd/daemon/c.h": "",
                                              "cli/x.c": '#include "lagd/daemon/c.h"\n'}),
    ("cli must not know <microhttpd.h>", {"cli/x.c": "#include <microhttpd.h>\n"}),
    ("api must not know <curl/curl.h>", {"api/x.c": "#include <curl/curl.h>\n"}),
    ("private to another layer", {"engine/x_internal.h": "", "daemon/x.c": '#include "../engine/x_internal.h"\n'}),
    ("private to another layer", {"engine/x_internal.h": "", "daemon/x.c": '#include "engine/x_internal.h"\n'}),
    ("is not in this layer", {"engine/x_internal.h": "", "daemon/x.c": '#include "x_internal.h"\n'}),
    ("must not include the private", {"base/x_internal.h": "", A: '#include "base/x_internal.h"\n'}),
    ("C files lie in a layer's folder", {"stray/x.c": ""}),
    (None, {G: '#include "growth/g_internal.h"\n#include "train/t_internal.h"\n#include <math.h>\n',
            GH: '#include "generated.h"\n', TH: "#include <lagd/daemon/c.h>\n", "include/lagd/daemon/c.h": "",
            "api/routes.c": '#include "resources/r_internal.h"\n', "api/resources/r_internal.h": ""}),
    (None, {"engine/stats/x.c": "#include <lagd/engine/lag.h>\n", "include/lagd/engine/lag.h": "",
            "engine/train/x.c": "#include <lagd/engine/pass.h>\n", "include/lagd/engine/pass.h": ""}),
    ("daemon/train must not include growth/g_internal.h",
     {GH: "", "daemon/train/t.c": '#include "growth/g_internal.h"\n'}),
    ("daemon: its rooms include each other in a circle: growth, train, growth", {
        GH: '#include "train/t_internal.h"\n', TH: '#include "growth/g_internal.h"\n'}),
    ("engine/grow must not include lagd/engine/train.h", {
        "engine/grow/x.c": "#include <lagd/engine/train.h>\n", "include/lagd/engine/train.h": ""}),
    ("engine/grow must not include lagd/engine/train.h", {
        "include/lagd/engine/grow.h": "#include <lagd/engine/train.h>\n", "include/lagd/engine/train.h": "",
        "engine/grow/x.c": ""}),
    ("does not say which room lagd/engine/b.h", {B: "", "engine/grow/x.c": "#include <lagd/engine/b.h>\n"}),
    ("of daemon/exec it tells other edges",
     {"CONTRIBUTING.md": "| daemon/ | a | b |\n| - | - | - |\n| `exec` | c | plan |\n"}),
    ("there is no room daemon/attic", {"daemon/attic/x.c": ""}),
    ("there is no room daemon/growth/deep", {"daemon/growth/deep/x.c": ""}),
    ("there is no room daemon/;", {G: "", "daemon/x.c": ""}),
    ('write its room too: "growth/g_internal.h"', {GH: "", G: '#include "g_internal.h"\n'}),
]

if __name__ == "__main__":
    lint.main(check, PLANTED)
