#!/usr/bin/python3
"""Lets single calls of one cycle of lagd fail, one a cycle, and looks whether anything is lost by it.

usage: ./dev faults [N] [--lasting | --power | --all | --only KIND:SITE:CALL:ERROR] [--kinds KIND,…] [--at FUNCTION]

N faults (default 900), spread evenly over the kinds of calls and over the places they are made from, drawn by SEED=1.
Each is a kind of call, a site (the stack that leads to it), which call of that site, and the error it gives.
--lasting  every call of the kind fails from one on, for a while: then it is mended, or the daemon stopped under it
--power    no call fails, but the power at N moments: lagd starts on what the disk may have kept (power.py)
--kinds    only calls of these kinds
--at       only calls that this function of lagd's makes, or one that it calls
--only     this fault alone, as a report names it
--all      each site once, however many there are; ended before its end, it goes on there when called again
JOBS=2 cycles at once. What went wrong is kept in build-faults/, a folder a fault.
"""
import argparse
import collections
import errno
import os
import random
import shutil
import signal
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import cycle
import ledger
import plan
import power
from cycle import Cycle, Fault, lagd

# The errors that calls of a kind give; one is drawn for each fault. 0: no error, as half a write.
ERRORS = {
    "alloc": ["ENOMEM"], "map": ["ENOMEM"], "open": ["EMFILE", "EIO", "EACCES"], "read": ["EIO"],
    "write": ["EIO", "ENOSPC"], "short": ["0"], "sync": ["EIO", "ENOSPC"], "size": ["EIO", "ENOSPC"],
    "rename": ["EIO", "ENOSPC"], "remove": ["EIO", "EACCES"], "mkdir": ["ENOSPC", "EIO", "EMFILE"], "close": ["EIO"],
    "stat": ["EIO", "ENOMEM", "EACCES"], "list": ["EIO", "EMFILE"], "lock": ["EIO", "ENOLCK"], "thread": ["EAGAIN"],
    "socket": ["EMFILE", "ENOBUFS", "ENOMEM"], "net": ["ECONNRESET", "EINTR", "ENOBUFS"],
}
KEPT = "build-faults"

Single = collections.namedtuple("Single", "kind site call error lasting", defaults=(None,))


def name_of(fault):
    return f"{fault.kind}:{fault.site:x}:{fault.call}:{fault.error}"


def read_name(text):
    try:
        kind, site, call, error = text.split(":")
        if error not in ERRORS[kind]:
            raise ValueError
        return Single(kind, int(site, 16), int(call), error)
    except (ValueError, KeyError):
        sys.exit(f"faults: '{text}' is not KIND:SITE:CALL:ERROR as a report names it, such as read:1f2e3d:1:EIO")


class Walk:
    def __init__(self, library, jobs, home):
        self.library, self.jobs, self.home = library, jobs, home
        self.lock = threading.Lock()
        self.expected = None
        self.limit = cycle.limit_of(30)
        self.sites = {}
        self.kinds = []
        self.walked, self.missed, self.found = collections.Counter(), collections.Counter(), collections.Counter()
        self.refusals = 0
        self.ledger = None  # of a walk that can be ended and called again

    # --- without faults ---

    def undisturbed(self):
        """Two cycles without a fault: what they give, how long they take, and the sites of their calls."""
        seconds = 0.0
        for i in range(2):
            folder = os.path.join(self.home, f"undisturbed{i}")
            begin = time.monotonic()
            one = Cycle(folder, self.library, self.limit)
            one.live()
            self.expected = one.judge(self.expected) or self.expected
            seconds = max(seconds, time.monotonic() - begin)
            if one.faults or one.told:
                raise SystemExit(f"faults: an undisturbed cycle goes wrong: {[str(f) for f in one.faults] + one.told}")
            self.sites.update({site: row for site, row in one.plan.sites().items()
                               if not any("libasan" in image for image, _ in row[2][:2])})
            self.kinds = one.plan.kinds()
            calls = one.plan.calls()
            one.plan.close()
            shutil.rmtree(folder)
        self.limit = cycle.limit_of(seconds)
        return seconds, calls

    # --- which faults ---

    def choose(self, n, kinds, rng):
        """n faults: every kind gets as many as the others as long as it has sites; a site again for a later call."""
        queues = []
        for kind in kinds:
            sites = sorted((site, calls) for site, (k, calls, _) in self.sites.items() if k == kind)
            rng.shuffle(sites)
            later = [(site, rng.randint(2, calls)) for site, calls in sites if calls > 1]
            queues.append([Single(kind, site, call, rng.choice(ERRORS[kind])) for site, call in
                           [(site, 1) for site, _ in sites] + later])
        chosen = []
        while len(chosen) < n and any(queues):
            for queue in queues:
                if queue and len(chosen) < n:
                    chosen.append(queue.pop(0))
        rng.shuffle(chosen)
        return chosen

    def keep_only(self, function):
        """Forgets the sites that this function does not lead to."""
        own = {offset for _, _, frames in self.sites.values() for image, offset in frames if not image}
        names = plan.function_names(lagd.LAGD, sorted(own))
        wanted = {offset for offset, name in names.items() if name.split(" ")[0] == function}
        self.sites = {site: row for site, row in self.sites.items()
                      if any(not image and offset in wanted for image, offset in row[2])}

    def choose_lasting(self, n, kinds, rng):
        calls = collections.Counter()
        for kind, count, _ in self.sites.values():
            calls[kind] += count
        return [Single(kind, 0, rng.randint(1, calls[kind]), rng.choice(ERRORS[kind]),
                       (rng.uniform(0.1, 1.5), i // len(kinds) % 2 == 0))
                for i, kind in zip(range(n), kinds * n)]

    def of_each_site(self, kinds, rng):
        chosen = [Single(kind, site, 1, rng.choice(ERRORS[kind])) for site, (kind, _, _) in sorted(self.sites.items())
                  if kind in kinds]
        rng.shuffle(chosen)
        return chosen

    def go_on(self, faults, path):
        """Those faults that the ledger at path does not have; each that breaks nothing is written there."""
        self.ledger = ledger.Ledger(path, [lagd.LAGD, self.library])
        left = [fault for fault in faults if not self.ledger.has(name_of(fault))]
        if self.ledger.sites:
            print(f"{len(self.ledger.sites)} sites are walked since {path} was begun; {len(left)} are left", flush=True)
        return left

    # --- one of them ---

    def walk(self, fault):
        name = name_of(fault)
        folder = tempfile.mkdtemp(prefix=name.replace(":", "-") + "-", dir=self.home)
        error = getattr(errno, fault.error, 0)
        count = plan.ALL if fault.lasting else 1
        armed = (self.kinds.index(fault.kind), fault.site, fault.call, count, error)
        one = Cycle(folder, self.library, self.limit, armed, fault.lasting)
        try:
            one.live()
            n_failed, site = one.plan.failed()
            one.judge(self.expected)
            stack = one.plan.sites().get(site, (None, 0, []))[2]
        except Exception as problem:  # a fault of this program: told as one
            n_failed, site, stack = 1, 0, []
            one.faults.append(Fault("driver", repr(problem)))
        one.plan.close()
        with self.lock:
            self.walked[fault.kind] += 1
            self.missed[fault.kind] += not n_failed
            self.refusals += bool(one.told)
            for what in {f.kind for f in one.faults}:
                self.found[what] += 1
            if self.ledger and not one.faults:
                self.ledger.add(name, not n_failed)
        if one.faults:
            self.tell(fault, name, one, stack)
        shutil.rmtree(folder, ignore_errors=True)
        return one.faults

    def tell(self, fault, name, one, stack):
        lines = [f"FAULT   {name}" + (f" lasting {fault.lasting[0]:.2f} s, then " +
                                      ("stopped" if fault.lasting[1] else "mended") if fault.lasting else "")]
        lines += ["        " + str(f) for f in one.faults]
        lines += ["        (" + line + ")" for line in one.told[-4:]]
        lines += ["        at " + " < ".join(plan.tell_stack(lagd.LAGD, stack)[:9])]
        lines += [f"        again: ./dev faults --only {name}"] if not fault.lasting else []
        kept = os.path.join(KEPT, name.replace(":", "-"))
        os.makedirs(KEPT, exist_ok=True)
        shutil.rmtree(kept, ignore_errors=True)
        shutil.copytree(one.folder, kept, ignore=shutil.ignore_patterns("*.sock", "faults.map"))
        with open(os.path.join(kept, "report.txt"), "w", encoding="utf-8") as file:
            file.write("\n".join(lines + one.told) + "\n")
        with self.lock:
            print("\n".join(lines), flush=True)

    def walk_all(self, faults):
        begin = time.monotonic()
        with ThreadPoolExecutor(self.jobs) as pool:
            try:
                for i, _ in enumerate(pool.map(self.walk, faults), 1):
                    if i % 100 == 0:
                        print(f"        {i} of {len(faults)} after {time.monotonic() - begin:.0f} s", flush=True)
            finally:
                pool.shutdown(wait=False, cancel_futures=True)
        return time.monotonic() - begin

    def summary(self, seconds):
        rows = [f"{kind} {self.walked[kind]}" + (f" ({self.missed[kind]} not reached)" if self.missed[kind] else "")
                for kind in self.kinds if self.walked[kind]]
        print("walked: " + ", ".join(rows))
        print(f"{sum(self.walked.values())} faults in {seconds:.0f} s; {self.refusals} were told to a client; "
              + ", ".join(f"{self.found[kind]} {kind}" for kind in (*cycle.CLASSES, "driver")
                          if self.found[kind] or kind in cycle.CLASSES))
        if self.ledger:
            print(f"walked since the ledger was begun: {len(self.ledger.sites)} sites, "
                  f"{self.ledger.missed} of them not reached")


def lose_power(library, home, n, seed):
    begin = time.monotonic()
    found = power.walk(library, home, cycle.limit_of(10), n, seed, KEPT, lambda text: print(text, flush=True))
    print(f"{n} losses of power in {time.monotonic() - begin:.0f} s; "
          + ", ".join(f"{found[kind]} {kind}" for kind in cycle.CLASSES))
    sys.exit(1 if found else 0)


def main(home):
    parser = argparse.ArgumentParser(prog="./dev faults", usage=__doc__.split("usage: ")[1])
    parser.add_argument("lagd", help=argparse.SUPPRESS)
    parser.add_argument("libraries", help=argparse.SUPPRESS)
    parser.add_argument("n", nargs="?", type=int, default=int(os.environ.get("N") or 0))
    parser.add_argument("--lasting", action="store_true")
    parser.add_argument("--power", action="store_true")
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--kinds", default=",".join(ERRORS))
    parser.add_argument("--at")
    parser.add_argument("--only")
    options = parser.parse_args()
    kinds = options.kinds.split(",")
    unknown = [kind for kind in kinds if kind not in ERRORS]
    if unknown:
        parser.error(f"there is no kind '{unknown[0]}'; there are {', '.join(ERRORS)}")
    lagd.LAGD = os.path.abspath(options.lagd)
    seed = int(os.environ.get("SEED") or 1)
    lagd.listen_to_sanitizers(home)
    libraries = os.path.abspath(options.libraries)
    if options.power:
        lose_power(os.path.join(libraries, "librecord.so"), home, options.n or 300, seed)
    walk = Walk(os.path.join(libraries, "libfaults.so"), int(os.environ.get("JOBS") or 2), home)
    seconds, calls = walk.undisturbed()
    print(f"an undisturbed cycle takes {seconds:.1f} s; {sum(calls.values())} calls from {len(walk.sites)} sites; "
          f"seed {seed}")
    print("calls: " + ", ".join(f"{kind} {n}" for kind, n in calls.items()), flush=True)
    if options.at:
        walk.keep_only(options.at)
        print(f"{len(walk.sites)} sites are reached by {options.at}")
    rng = random.Random(seed)
    if options.only:
        faults = [read_name(options.only)]
    elif options.lasting:
        faults = walk.choose_lasting(options.n or 200, kinds, rng)
    elif options.all:
        os.makedirs(KEPT, exist_ok=True)
        faults = walk.go_on(walk.of_each_site(kinds, rng), os.path.join(KEPT, "walked"))
    else:
        faults = walk.choose(options.n or 900, kinds, rng)
    walk.summary(walk.walk_all(faults))
    sys.exit(1 if walk.found else 0)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    with tempfile.TemporaryDirectory(prefix="lagd-faults-") as folder_of_all:
        main(folder_of_all)
