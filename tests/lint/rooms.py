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
        "exchange": {"token", "format", "shape"},
        "token": {"format", "shape"},
        "stats": {"shape"},
        "cost": {"kernels", "shape"},
        "grow": {"kernels", "optim", "shape"},
        "pass": {"kernels", "optim", "shape"},
        "train": {"pass", "grow", "optim", "data", "stats", "cost", "kernels", "shape"},
    },
    "daemon": {
        "process": set(),
        "offline": {"process"},
        "exec": set(),
        "plan": set(),
        "evidence": {"plan"},
        "outbox": set(),
        "config": {"outbox", "process"},
        "records": {"process"},
        "stages": {"records", "plan", "process"},
        "checkpoint": {"records", "plan", "process"},
        "train": {"checkpoint", "records", "exec", "plan", "process"},
        "growth": {"train", "evidence", "checkpoint", "stages", "records", "exec", "plan", "process"},
        "runs": {"growth", "train", "stages", "records", "config", "exec", "plan", "process"},
        "commands": {"runs", "train", "checkpoint", "stages", "records", "config", "exec", "plan", "process"},
        "study": {"commands", "records", "plan", "process"},
        "supervisor": {"study", "commands", "runs", "checkpoint", "stages", "records", "config", "exec", "plan",
                       "process"},
    },
    "api": {
        "json": set(),
        "site": set(),
        "door": {"json"},
        "stream": {"json"},
        "encode": {"json"},
        "body": {"json"},
        "request": {"door", "json"},
        "notify": {"json"},
        "http": {"request", "door", "notify", "stream", "site", "json"},
        "resources": {"request", "door", "encode", "notify", "stream", "body", "site", "json"},
        "openapi": {"body", "request", "json"},
        "": {"resources", "openapi", "body", "request", "json"},
    },
}

# Each boundary header of the engine speaks for one room. Those of the other layers speak for the whole layer.
SPEAKS = {
    "shape": "real spec params state rng", "kernels": "precision parts", "optim": "optim", "data": "data witness",
    "token": "token token_train tokenize", "checkpoint": "checkpoint hf", "exchange": "import gguf",
    "stats": "health lag verdict study calibration allocate replay", "cost": "cost",
    "grow": "grow maps newness reach width", "pass": "pass backend", "train": "train learn measure probe",
}
HEADERS = {"lagd/engine/%s.h" % name: room for room, names in SPEAKS.items() for name in names.split()}


def room_of(path):
    """(layer, room) of a file of a layer that has rooms; a folder that is no room is named all the same. Else Nones."""
    if path.startswith("include/"):
        room = HEADERS.get(path[len("include/"):])
        return ("engine", room) if room else (None, None)
    layer, _, rest = path.partition("/")
    return (layer, rest.rpartition("/")[0]) if layer in ROOMS and rest else (None, None)


def room_named(layer, name, quoted):
    """The room that an include of this layer names, by its folder or as a boundary header; None when it names none."""
    if name.startswith("lagd/"):
        return HEADERS.get(name) if name.startswith("lagd/%s/" % layer) else None
    return name.rpartition("/")[0] if quoted and "/" in name else None


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
