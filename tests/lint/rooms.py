"""The rooms: which folders a layer is divided into, and which of them each may include (CONTRIBUTING.md, "Rooms").

A room is named by its folder; "" is the layer's folder itself. No way leads from a room back to itself."""

ROOMS = {
    "engine": {
        "shape": set(),
        "kernels": {"shape"},
        "optim": {"kernels", "shape"},
        "data": {"shape"},
        "format": {"shape"},
        "checkpoint": {"format", "shape"},
        "stats": set(),
        "cost": {"kernels", "shape"},
        "grow": {"optim", "shape"},
        "pass": {"kernels", "shape"},
        "train": {"pass", "optim", "data", "stats", "cost", "kernels", "shape"},
    },
    "daemon": {
        "process": set(),
        "exec": set(),
        "plan": set(),
        "evidence": set(),
        "config": {"process"},
        "records": {"process"},
        "checkpoint": {"records", "plan", "process"},
        "train": {"checkpoint", "records", "exec", "plan", "process"},
        "growth": {"train", "evidence", "checkpoint", "records", "exec", "plan", "process"},
        "runs": {"growth", "train", "records", "config", "exec", "plan", "process"},
        "commands": {"runs", "train", "checkpoint", "records", "config", "exec", "plan", "process"},
        "supervisor": {"commands", "runs", "records", "config", "exec", "plan", "process"},
    },
    "api": {
        "json": set(),
        "site": set(),
        "door": {"json"},
        "stream": {"json"},
        "encode": {"json"},
        "body": {"json"},
        "request": {"door", "json"},
        "http": {"request", "door", "stream", "site", "json"},
        "resources": {"request", "door", "encode", "stream", "body", "site", "json"},
        "openapi": {"body", "request", "json"},
        "": {"resources", "openapi", "body", "request", "json"},
    },
}

# The engine's boundary headers speak for one room each, or for the rooms that share one. Those of the other layers
# speak for the whole layer.
HEADERS = {
    "lagd/engine/real.h": {"shape"}, "lagd/engine/spec.h": {"shape"}, "lagd/engine/params.h": {"shape"},
    "lagd/engine/state.h": {"shape"}, "lagd/engine/rng.h": {"shape"},
    "lagd/engine/precision.h": {"kernels"}, "lagd/engine/parts.h": {"kernels"},
    "lagd/engine/optim.h": {"optim"}, "lagd/engine/data.h": {"data"}, "lagd/engine/lag.h": {"stats"},
    "lagd/engine/cost.h": {"cost"}, "lagd/engine/grow.h": {"grow"}, "lagd/engine/probe.h": {"train"},
    "lagd/engine/checkpoint.h": {"checkpoint", "format"}, "lagd/engine/train.h": {"train", "pass"},
}


def room_of(path):
    """(layer, room) of a file of a divided layer; a folder that is no room is named all the same. Else (None, None)."""
    layer, _, rest = path.partition("/")
    return (layer, rest.rpartition("/")[0]) if layer in ROOMS and rest else (None, None)


def rooms_of(layer, name, quoted):
    """The rooms that an include of this layer names, by its folder or as a boundary header; empty when it names
    none."""
    if name.startswith("lagd/"):
        return HEADERS.get(name, set()) if name.startswith("lagd/%s/" % layer) else set()
    return {name.rpartition("/")[0]} if quoted and "/" in name else set()


def circle(edges):
    """The first circle of rooms as a list that ends where it begins; [] when there is none. edges: {room: rooms}."""
    done = set()

    def walk(room, way):
        if room in way:
            return way[way.index(room):] + [room]
        if room in done:
            return []
        found = next(filter(None, (walk(other, way + [room]) for other in sorted(edges.get(room, ())))), [])
        done.add(room)
        return found

    return next(filter(None, (walk(room, []) for room in sorted(edges))), [])
