"""Power losses: an undisturbed cycle is recorded change by change (record.c); then the disks that a loss of power could
have left at some moment of it are made, and lagd is started on each.

What a disk may have lost: of a file, what was written or cut since its last fsync, each change by itself, whole or in
part (cut at sectors). Of names (new files and folders, renames, removals), the last ones: they reach the disk in order,
and all that came before an fsync of their folder has reached it. That is how journaling file systems behave.
"""
import collections
import os
import random
import shutil
import struct

from cycle import Cycle

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


def covered(changes):
    """How many of these changes' names are on disk for certain: those up to the last that an fsync of a folder met."""
    synced, least = set(), 0
    for i in range(len(changes) - 1, -1, -1):
        one = changes[i]
        if one.change == SYNC:
            synced.add(one.path)
        elif one.path and {os.path.dirname(one.path), os.path.dirname(one.to)} & synced:
            least = i + 1
            break
    return least


def names_of(changes):
    """{path: file number or FOLDER} after these changes of names."""
    tree = {}

    def below(path):
        return [name for name in tree if name == path or name.startswith(path + "/")]
    for i, one in enumerate(changes):
        if one.change == CREATE:
            tree[one.path] = i
        elif one.change == MKDIR:
            tree[one.path] = FOLDER
        elif one.change in (UNLINK, RMDIR):
            tree.pop(one.path, None)
        elif one.change in (RENAME, EXCHANGE):
            moved = {one.to + name[len(one.path):]: tree.pop(name) for name in below(one.path)}
            others = {one.path + name[len(one.to):]: tree.pop(name) for name in below(one.to)}
            tree.update(moved)
            if one.change == EXCHANGE:
                tree.update(others)
    return tree


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


def make_disk(changes, n, seed):
    """{path: bytes or FOLDER} of a disk that lost power behind the first n changes, and how much it lost."""
    rng = random.Random(seed)
    past = changes[:n]
    least = covered(past)
    kept = rng.choice([least, n, rng.randint(least, n)])
    how = rng.choice(["none", "all", "some", "some"])
    disk = {path: file if file == FOLDER else content_of(file, past, rng, how)
            for path, file in sorted(names_of(past[:kept]).items())}
    return disk, f"behind change {n} of {len(changes)}; names up to {kept} (at least {least}), unsynced data: {how}"


def write_disk(disk):
    for path, content in disk.items():
        if content == FOLDER:
            os.makedirs(path, exist_ok=True)
        else:
            with open(path, "wb") as file:
                file.write(content)


class Losses:
    """One recorded cycle, and the trials that are made of it. They all live in one folder: lagd stores its paths."""

    def __init__(self, library, home, limit):
        self.folder, self.limit = os.path.join(home, "power"), limit
        self.log = os.path.join(home, "power.log")
        self.cycle = self.new_cycle(lambda one: {
            "LD_PRELOAD": library, "LAGD_RECORD": self.log,
            "LAGD_RECORD_DIR": os.path.realpath(os.path.join(one.folder, "disk"))})

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
        disk, text = make_disk(self.changes, n, seed)
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
