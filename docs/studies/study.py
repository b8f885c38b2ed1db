#!/usr/bin/python3
"""Runs lagd's own studies: how long a lag must be, and what choosing at step 0 costs, on text that Debian has.

usage: study.py LAGD small|width|full [FOLDER]      by ./dev study-small and ./dev study

FOLDER (build-studies/SET) keeps lagd's state: a second call goes on where the first one ended, also after kill -9. The
reports are written to FOLDER/reports as JSON, Markdown and SVG, and what they come to is printed as a table.
"""
import collections
import http.client
import json
import math
import os
import signal
import socket
import subprocess
import sys
import time

# --- what is studied -------------------------------------------------------------------------------------------------

# Published strategies under one optimiser rule and one learning-rate rule; a ramp where new layers begin as identities.
RAMP = {"lr": "rewarm_new", "rewarm_steps": 50, "optimizer": "inherit"}
PLAIN = {"lr": "continue", "optimizer": "inherit"}
POOL = [{"operator": "stack", **PLAIN}, {"operator": "interleave", **PLAIN},
        {"operator": "gradual_stack", "params": {"block": 1}, **PLAIN}, {"operator": "midas", **PLAIN},
        {"operator": "llama_pro", **RAMP}, {"operator": "zero_stack", **RAMP},
        {"operator": "random", "params": {"at": -1}, **PLAIN}, {"operator": "random", "params": {"at": 0}, **PLAIN}]

# In width, and in both directions at once, with one operator of depth.
WIDE = ["clone_width", "lemon", "fpi", "zero_fanout", "aki", "clone_diagonal", "zero_block", "random_width"]
IN_WIDTH = [{"operator": one, **PLAIN} for one in WIDE]
IN_BOTH = [{"operator": "stack", "with": one, **PLAIN} for one in WIDE[:6]] + [
    {"operator": "midas", "with": "clone_width", **PLAIN}, {"operator": "random", "with": "random_width", **PLAIN}]

# target: layers, or axes; the pool follows it
# name, text, layers, target, width, heads, context, age of the parent, horizon, seeds, baselines
SETS = {
    "small": [("small", "bible", 2, 6, 32, 2, 32, 2000, 4000, [1, 2, 3], ["none"])],
    "full": [(f"l2-{text}-p{age}", text, 2, 6, 32, 2, 32, age, 4000, [1, 2, 3], ["none", "scratch"])
             for text in ("bible", "code") for age in (500, 6000)] +
            [(f"l3-{text}", text, 3, 6, 64, 4, 64, 1500, 4000, [1, 2], ["none", "scratch"])
             for text in ("bible", "code")] +
            [("l12-bible", "bible", 3, 12, 32, 2, 64, 1500, 3000, [1, 2], ["none", "scratch"])] +
            [(f"wide-{text}", text, 2, {"n_embd": 64}, 32, 2, 32, 1500, 4000, [1, 2], ["none", "scratch"])
             for text in ("bible", "code")] +
            [(f"both-{text}", text, 2, {"n_layer": 4, "n_embd": 64}, 32, 2, 32, 1500, 4000, [1, 2],
              ["none", "scratch"]) for text in ("bible", "code")],
    "width": [("wide", "bible", 2, {"n_embd": 64}, 32, 2, 32, 1000, 1500, [1], ["none", "scratch"]),
              ("both", "bible", 2, {"n_layer": 4, "n_embd": 64}, 32, 2, 32, 1000, 1500, [1], ["none", "scratch"])],
}
LR, SEQUENCES, EVAL_BATCHES, EVAL_EVERY, DELTA = 3e-3, 8, 128, 500, 0.005


def read_text(name):
    if name == "bible":
        return subprocess.run(["bible", "gen1:1-rev22:21"], check=True, capture_output=True).stdout
    root = subprocess.run(["git", "ls-files", "*.c", "*.h", "*.py", "*.js"], check=True, capture_output=True, text=True)
    return b"".join(open(path, "rb").read() for path in sorted(root.stdout.split()) if os.path.isfile(path))


# --- lagd ------------------------------------------------------------------------------------------------------------

class Connection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=600)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.connect(self.path)


class Lagd:
    def __init__(self, program, folder):
        self.socket = os.path.join(folder, "lagd.sock")
        with open(os.path.join(folder, "lagd.log"), "ab") as log:
            self.process = subprocess.Popen([program, "--state-dir", os.path.join(folder, "state"), "--listen",
                                             "127.0.0.1:0", "--socket", self.socket], stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=log)
        while not self.is_ready():
            if self.process.poll() is not None:
                sys.exit(f"study: lagd ended at its start; {folder}/lagd.log tells why")
            time.sleep(0.1)

    def is_ready(self):
        try:
            return self.request("GET", "/readyz")[0] == 200
        except OSError:
            return False

    def request(self, method, path, body=None, kind="application/json"):
        connection = Connection(self.socket)
        try:
            data = json.dumps(body).encode() if kind == "application/json" and body is not None else body
            connection.request(method, path, data, {"Content-Type": kind} if data is not None else {})
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def ask(self, method, path, body=None, kind="application/json"):
        status, data = self.request(method, "/api/v1" + path, body, kind)
        if status == 404 and method == "GET":
            return None
        if status >= 400:
            sys.exit(f"study: {method} {path}: {json.loads(data).get('detail')}")
        return json.loads(data) if data else None

    def end(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait()


def follow(lagd, path, what, share):
    """Waits for the end of a run or study, and says how far it is."""
    shown = ""
    while True:
        row = lagd.ask("GET", path)
        text = f"{what}: {row['state']}, {share(row):.0%}"
        if text != shown and sys.stdout.isatty():
            print("\r" + text + " " * 10, end="", flush=True)
        shown = text
        if row["state"] in ("completed", "failed", "cancelled"):
            print(("\r" if sys.stdout.isatty() else "") + text + " " * 10, flush=True)
            return row
        if row["state"] == "paused":
            lagd.ask("POST", path + "/resume")
        time.sleep(1)


# --- a study ---------------------------------------------------------------------------------------------------------

def make_parent(lagd, name, text, layers, width, heads, context, age):
    """Its decay begins where its age is reached: a checkpoint from right before is kept."""
    run = f"{name}.parent"
    if not lagd.ask("GET", f"/datasets/{text}"):
        lagd.ask("POST", f"/datasets?name={text}&wait=60", read_text(text), "text/plain")
    if not lagd.ask("GET", f"/runs/{run}"):
        lagd.ask("POST", "/runs", {
            "name": run, "dataset": text, "optim": {"lr": LR},
            "model": {"n_layer": layers, "n_embd": width, "n_head": heads, "n_positions": context},
            "batch": {"sequences": SEQUENCES}, "schedule": {"kind": "wsd", "max_steps": age * 5 // 4},
            "eval": {"every_steps": EVAL_EVERY, "batches": 8}, "checkpoint": {"every_steps": age}})
    follow(lagd, f"/runs/{run}", run, lambda r: r["step"] / r["max_steps"])
    checkpoints = [c for c in lagd.ask("GET", f"/runs/{run}/checkpoints?limit=1000")["items"] if c["step"] == age]
    return run, checkpoints[0]["id"]


def aim(target):
    """The target as a request has it, and the pool that grows so."""
    if not isinstance(target, dict):
        return {"n_layer": target}, POOL
    return target, IN_BOTH if "n_layer" in target else IN_WIDTH


def run_study(lagd, setting, given=None):
    """given: the pool, where it is not that of the target."""
    name, text, layers, target, width, heads, context, age, horizon, seeds, baselines = setting
    if not lagd.ask("GET", f"/studies/{name}"):
        run, checkpoint = make_parent(lagd, name, text, layers, width, heads, context, age)
        shape, pool = aim(target)
        lagd.ask("POST", "/studies", {
            "name": name, "parent": {"run": run, "checkpoint": checkpoint}, "target": shape, "pool": given or pool,
            "horizon": horizon, "seeds": seeds, "baselines": baselines, "delta": DELTA,
            "eval": {"batches": EVAL_BATCHES, "every": EVAL_EVERY}})
    return follow(lagd, f"/studies/{name}", name, lambda s: s["done"])


def write_report(lagd, name, folder):
    for form in ("json", "md", "svg"):
        status, data = lagd.request("GET", f"/api/v1/studies/{name}/report?format={form}")
        if status != 200:
            sys.exit(f"study: the report of {name} cannot be had: {data[:300]!r}")
        with open(os.path.join(folder, f"{name}.{form}"), "wb") as f:
            f.write(data)
    return json.load(open(os.path.join(folder, f"{name}.json")))


HEAD = ("| study | seeds | spread of finals | ρ of the loss at 0 | regret of step 0 | of a random pick | transition | "
        "sufficient lag | speed-up |\n|---|---:|---:|---:|---:|---:|---:|---:|---:|")


def number(value, digits=4):
    return "–" if value is None else f"{value:.{digits}f}"


def row_of(name, report):
    regret, lag, at = report["regret"], report["sufficient_lag"], report["transition"]
    first = report["correlation"][0]
    return (f"| {name} | {report['n_seeds']} | {number(report['spread'])} | {number(first['spearman'], 2)} | "
            f"{number(regret[0]['regret'])} | {number(report['random_regret'])} | "
            f"{at['t'] if at else '–'} | {lag['steps'] if lag else '–'} | "
            f"{number(report['speedup'], 2)} |")


def at_equal_cost(report, steps):
    """What picking at one lag would have lost, where all candidates up to it take as many steps: between two lags by
    log t."""
    points = [(p["probe_steps"], p["regret"]) for p in report["regret"] if p["t"] > 0 and p["regret"] is not None]
    for (x0, y0), (x1, y1) in zip(points, points[1:]):
        if x0 <= steps <= x1:
            return y0 + (y1 - y0) * math.log(steps / x0) / math.log(x1 / x0)
    return None


def print_allocators(reports):
    """Each study's by what the others say of the end. `all` is what picking at one lag loses at the same cost."""
    print("\n| study | allocator | probe steps | regret | of all at that cost | bases of its picks |\n"
          "|---|---|---:|---:|---:|---|")
    for name, report in reports:
        for one in report["allocators"]:
            bases = collections.Counter(p["basis"] for p in one["picks"])
            print(f"| {name} | {one['allocator']} | {one['probe_steps']:.0f} | {number(one['regret'])} | "
                  f"{number(at_equal_cost(report, one['probe_steps']))} | "
                  f"{', '.join(f'{basis} {n}' for basis, n in sorted(bases.items()))} |")


def print_verdicts(reports):
    sums = collections.defaultdict(lambda: [0, 0, 0.0])
    for _, report in reports:
        for v in report["verdicts"]:
            s = sums[v["basis"]]
            sums[v["basis"]] = [s[0] + v["n"], s[1] + v["n_within_delta"], max(s[2], v["largest_regret"])]
    print("\n| basis | verdicts | picks within delta of the best | largest regret |\n|---|---:|---:|---:|")
    for basis, (n, within, largest) in sorted(sums.items()):
        print(f"| {basis} | {n} | {within} ({within / n:.0%}) | {largest:.4f} |")


def main():
    if len(sys.argv) not in (3, 4) or sys.argv[2] not in SETS:
        sys.exit(__doc__.split("\n\n")[1])
    program, which = os.path.abspath(sys.argv[1]), sys.argv[2]
    folder = os.path.abspath(sys.argv[3] if len(sys.argv) == 4 else f"build-studies/{which}")
    os.makedirs(os.path.join(folder, "reports"), exist_ok=True)
    began = time.monotonic()
    lagd = Lagd(program, folder)
    try:
        names, reports = [], []
        for setting in SETS[which]:
            study = run_study(lagd, setting)
            if study["state"] != "completed":
                print(f"study {study['name']} is {study['state']}: {study['reason']}")
                continue
            names.append(study["name"])
        for name in names:  # only now each knows what all the others say of the end
            reports.append((name, write_report(lagd, name, os.path.join(folder, "reports"))))
    finally:
        lagd.end()
    print("\n" + HEAD)
    print("\n".join(row_of(name, report) for name, report in reports))
    print_allocators(reports)
    print_verdicts(reports)
    print(f"\n{time.monotonic() - began:.0f} s. Reports: {folder}/reports")


if __name__ == "__main__":
    main()
