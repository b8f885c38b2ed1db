"""Power losses: an undisturbed cycle is recorded change by change (record.c); then the disks that a loss of power could
have left at some moment of it are made, and lagd is started on each.

What a disk may have lost: of a file, what was written or cut since its last fsync, each change by itself, whole or in
part (cut at sectors). Of names (new files and folders, renames, removals), what no fsync of their folder covers: as
journaling file systems do, which keep names in order, so that only the last ones are lost; or, in every other trial,
folder by folder, as POSIX allows.
"""
import collections
import os
import random
import shutil
import struct

from cycle import Cycle
from plan import preloaded

CREATE, WRITE, CUT, RENAME, EXCHANGE, UNLINK, MKDIR, RMDIR, SYNC = range(1, 10)
RECORD = struct.Struct("<IIIIQqQ")
SECTOR = 512
FOLDER = "folder"

Change = collections.namedtuple("Change", "end change file path to at data")


def read_log(path):
    """Every change, with where the log ended behind it. file: one number a file, also when inodes are used again."""
    with open(path, "rb") as file:
        log = file.read()
    at, changes, files = 0, [], {}
    while at + RECORD.size <= len(log):
        change, n_path, n_to, n_data, inode, offset, _ = RECORD.unpack_from(log, at)
        at += RECORD.size
        path, to, data = log[at:at + n_path].decode(), log[at + n_path:at + n_path + n_to].decode(), b""
        at += n_path + n_to
        if change == WRITE:
            data = log[at:at + n_data]
        at += n_data
        if change == CREATE:
            files[inode] = len(changes)
        changes.append(Change(at, change, files.get(inode), path, to, offset, data))
    return changes


class Names:
    """Folders and what they hold, by number: a folder that is renamed stays the one that it is. The root is 0."""

    def __init__(self, root):
        self.root, self.folders = root, {0: {}}

    def find(self, path):
        """The number that path leads to, None when it leads nowhere."""
        number = 0
        for name in [name for name in path[len(self.root):].split("/") if name]:
            number = self.folders.get(number, {}).get(name)
        return number

    def place(self, path):
        """(number of the folder, name in it)."""
        return self.find(os.path.dirname(path)), os.path.basename(path)

    def files(self, number=0, path=None):
        """{path: number} of all that can be reached, folders before what is in them."""
        path = path or self.root
        found = {path: number}
        for name, below in sorted(self.folders.get(number, {}).items()):
            found.update(self.files(below, f"{path}/{name}"))
        return found


def steps_of(root, changes):
    """What the changes do to folders: (index, [(folder, name, number or None to remove)…]), and with None as the list
    the fsync of a folder, in (index, None, folder). Numbers are those of Change.file; folders have numbers above."""
    full, steps, n_folders = Names(root), [], len(changes)
    for i, one in enumerate(changes):
        if one.change == SYNC:
            number = full.find(one.path)
            if number in full.folders:
                steps.append((i, None, number))
            continue
        if one.change in (WRITE, CUT):
            continue
        folder, name = full.place(one.path)
        if one.change == CREATE:
            edits = [(folder, name, one.file)]
        elif one.change == MKDIR:
            n_folders += 1
            full.folders[n_folders] = {}
            edits = [(folder, name, n_folders)]
        elif one.change in (UNLINK, RMDIR):
            edits = [(folder, name, None)]
        else:
            other, its_name = full.place(one.to)
            back = full.find(one.to) if one.change == EXCHANGE else None
            edits = [(other, its_name, full.find(one.path)), (folder, name, back)]
        edit(full.folders, edits)
        steps.append((i, edits, None))
    return steps, range(len(changes) + 1, n_folders + 1)


def edit(folders, edits):
    for folder, name, number in edits:
        if number is None:
            folders[folder].pop(name, None)
        else:
            folders[folder][name] = number


def names_kept(steps, folders, rng, strict):
    """The folders of a disk after these steps, and a word on it. An fsync of a folder keeps what was done in it; where
    names reach the disk in order, also what was done before, anywhere. Of the rest the first ones are kept."""
    synced, certain = set(), set()
    for i, edits, folder in reversed(steps):
        if edits is None:
            synced.add(folder)
        elif {folder for folder, _, _ in edits} & synced:
            certain.add(i)
    least = max(certain, default=-1)
    last = steps[-1][0] if steps else 0
    cut = rng.choice([least, last, rng.randint(least, max(least, last))])
    cuts = {folder: rng.choice([-1, last, rng.randint(0, last)]) for folder in [0, *folders]}
    kept = {number: {} for number in [0, *folders]}
    n_kept = 0
    for i, edits, _ in steps:
        if edits is None:
            continue
        if i in certain or (all(i <= cuts[folder] for folder, _, _ in edits) if strict else i <= cut):
            edit(kept, edits)
            n_kept += 1
    return kept, f"{n_kept} of {sum(edits is not None for _, edits, _ in steps)} changes of names"


def apply(content, one):
    if one.change == CUT:
        del content[one.at:]
        content.extend(bytes(one.at - len(content)))
    else:
        content.extend(bytes(max(0, one.at - len(content))))
        content[one.at:one.at + len(one.data)] = one.data


def torn(one, rng):
    """A part of a write: the sectors before or behind one of them."""
    cut = (rng.randrange(one.at, one.at + len(one.data) + 1) + SECTOR - 1) // SECTOR * SECTOR - one.at
    cut = max(0, min(cut, len(one.data)))
    if rng.random() < 0.5:
        return one._replace(data=one.data[:cut])
    return one._replace(at=one.at + cut, data=one.data[cut:])


def content_of(file, changes, rng, how):
    """A file's bytes: what was synced, and of the rest as much as how says: none, all or some."""
    mine = [one for one in changes if one.file == file and one.change in (WRITE, CUT, SYNC)]
    last = max((i for i, one in enumerate(mine) if one.change == SYNC), default=-1)
    content = bytearray()
    for i, one in enumerate(mine):
        if one.change == SYNC or (i > last and (how == "none" or (how == "some" and rng.random() < 0.5))):
            continue
        if i > last and how == "some" and one.change == WRITE and rng.random() < 0.3:
            one = torn(one, rng)
        apply(content, one)
    return bytes(content)


def make_disk(root, changes, n, seed, strict=0.5):
    """{path: bytes or FOLDER} of a disk that lost power behind the first n changes, and what it kept. strict: how many
    disks lose names folder by folder."""
    rng = random.Random(seed)
    past = changes[:n]
    strict = rng.random() < strict
    steps, folders = steps_of(root, past)
    names = Names(root)
    names.folders, text = names_kept(steps, folders, rng, strict)
    how = rng.choice(["none", "all", "some", "some"])
    disk = {path: FOLDER if number in names.folders else content_of(number, past, rng, how)
            for path, number in names.files().items()}
    return disk, (f"behind change {n} of {len(changes)}; kept {text}{', folder by folder' * strict}; unsynced data: "
                  f"{how}")


def write_disk(disk):
    for path, content in disk.items():
        if content == FOLDER:
            os.makedirs(path, exist_ok=True)
        else:
            with open(path, "wb") as file:
                file.write(content)


class Losses:
    """One recorded cycle, and the trials that are made of it. They all live in one folder: lagd stores its paths."""

    def __init__(self, library, home, limit, strict=0.5):
        self.strict = strict
        self.folder, self.limit = os.path.join(home, "power"), limit
        self.log = os.path.join(home, "power.log")
        self.root = os.path.join(os.path.realpath(self.folder), "disk")
        self.cycle = self.new_cycle(lambda one: {
            **preloaded(library), "RECORD_LOG": self.log,
            "RECORD_DIR": self.root})

    def new_cycle(self, library=None):
        shutil.rmtree(self.folder, ignore_errors=True)
        return Cycle(self.folder, library, self.limit)

    def record(self):
        """The numbers of the recorded cycle; its changes are self.changes."""
        self.cycle.now = lambda: os.path.getsize(self.log)
        self.cycle.live()
        expected = self.cycle.judge(None)
        if self.cycle.faults or self.cycle.told:
            raise SystemExit(f"faults: the recorded cycle goes wrong: {self.cycle.faults + self.cycle.told}")
        self.changes = read_log(self.log)
        return expected

    def moments(self, n, rng):
        """Numbers of changes behind which power is lost: mostly just behind those of names, and fsyncs."""
        edges = [i for i, one in enumerate(self.changes, 1) if one.change not in (WRITE, CUT)]
        return [rng.choice(edges) + rng.choice([-1, 0, 0, 1]) if rng.random() < 0.6 else
                rng.randint(1, len(self.changes)) for _ in range(n)]

    def start_of(self, n, seed):
        """A cycle on the disk of this loss, as far as its client knew then; and what was lost."""
        n = max(1, min(n, len(self.changes)))
        disk, text = make_disk(self.root, self.changes, n, seed, self.strict)
        one = self.new_cycle()
        write_disk(disk)
        end = self.changes[n - 1].end
        one.asked = {what: at for what, at in self.cycle.asked.items() if at <= end}
        one.acked = {what: self.cycle.acked[what] for what, at in self.cycle.seen.items() if at <= end}
        return one, text

    def lose(self, n, seed, expected):
        """(the judged cycle, what was lost)."""
        one, text = self.start_of(n, seed)
        one.judge(expected)
        one.plan.close()
        return one, text

    def keep(self, n, seed, place, log):
        """Puts the disk of this loss there, as it was before lagd started on it, and lagd's log."""
        one, _ = self.start_of(n, seed)
        one.plan.close()
        shutil.rmtree(place, ignore_errors=True)
        shutil.copytree(one.folder, place)
        with open(os.path.join(place, "lagd.log"), "w", encoding="utf-8") as file:
            file.write(log)


def walk(library, home, limit, n, seed, kept, say):
    """n losses of power; {class: how many}."""
    losses = Losses(library, home, limit)
    expected = losses.record()
    say(f"recorded: {len(losses.changes)} changes, "
        f"{sum(one.change == SYNC for one in losses.changes)} of them fsyncs; seed {seed}")
    found = collections.Counter()
    for i, moment in enumerate(losses.moments(n, random.Random(seed)), 1):
        one, text = losses.lose(moment, i, expected)
        if one.faults:
            place = os.path.join(kept, f"power-{i}")
            losses.keep(moment, i, place, one.daemon.log())
            say("\n".join([f"FAULT   power loss {i} {text}"] + ["        " + str(fault) for fault in one.faults]
                          + [f"        the disk: {place}/disk"]))
        found.update({fault.kind for fault in one.faults})
        if i % 100 == 0:
            say(f"        {i} of {n}")
    return found
