#!/usr/bin/python3
"""How long answers take while a study trains: the list of runs, the study itself, and metrics.

usage: bench_answers.py LAGD [--periods N] [--period SECONDS] [--rate N]

Periods with the study paused and under way alternate. In each, the three are asked for in turn over a connection that
stays, evenly, so many times a second. Printed are p50, p99 and the longest over all periods of a kind, and what other
programs had of the processors: a client in Python that waits for its own turn on a busy machine measures that too.
"""
import argparse
import http.client
import os
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "integration")]
import lagd
from bench_service import Lagd, OtherPrograms, percentile

PARENT = {"name": "parent", "dataset": "words", "model": {"n_layer": 2, "n_head": 2, "n_embd": 32, "n_positions": 32},
          "batch": {"sequences": 8}, "schedule": {"kind": "wsd", "max_steps": 250}, "checkpoint": {"every_steps": 200}}
STUDY = {"name": "study", "target": {"n_layer": 6}, "pool": ["stack", "midas", "interleave", "random"],
         "horizon": 100000, "seeds": [1, 2, 3], "eval": {"batches": 16, "every": 500}}


def prepare(daemon):
    daemon.upload("words", lagd.text(400000))
    daemon.post("/runs", PARENT)
    daemon.wait_for("/runs/parent", lambda run: run["state"] == "completed")
    newest = [c["id"] for c in daemon.get("/runs/parent/checkpoints")["items"] if c["step"] == 200]
    study = daemon.post("/studies", dict(STUDY, parent={"run": "parent", "checkpoint": newest[0]}))["id"]
    daemon.wait_for(f"/studies/{study}", lambda row: row["done"] > 0)
    return study


def turn(daemon, study, to):
    """The study paused, or under way again."""
    daemon.post(f"/studies/{study}/{to}")
    daemon.wait_for("/runs/study.s1", lambda run: (run["state"] == "paused") == (to == "pause"))
    time.sleep(1)


def ask(daemon, paths, rate, seconds):
    """Seconds that each answer took, by path."""
    connection = http.client.HTTPConnection("127.0.0.1", daemon.port(), timeout=60)
    took, began = {path: [] for path in paths}, time.monotonic()
    for i in range(int(rate * seconds)):
        path = paths[i % len(paths)]
        time.sleep(max(0, began + i / rate - time.monotonic()))
        begin = time.monotonic()
        connection.request("GET", path)
        answer = connection.getresponse()
        answer.read()
        took[path].append(time.monotonic() - begin)
        assert answer.status == 200, (path, answer.status)
    connection.close()
    return took


def row(words, took, others, load):
    lines = []
    for path, values in took.items():
        lines.append(f"| {words} | `{path}` | {len(values)} | {percentile(values, 0.5) * 1000:.2f} | "
                     f"{percentile(values, 0.99) * 1000:.2f} | {max(values) * 1000:.1f} | {others:.0%} | {load:.1f} |")
    return "\n".join(lines)


def measure(daemon, options):
    study = prepare(daemon)
    paths = ["/api/v1/runs", f"/api/v1/studies/{study}", "/metrics"]
    kinds = {"paused": "pause", "trains": "resume"}
    took = {kind: {path: [] for path in paths} for kind in kinds}
    others, loads, steps = {kind: [] for kind in kinds}, {kind: [] for kind in kinds}, []
    for _ in range(options.periods):
        for kind, verb in kinds.items():
            turn(daemon, study, verb)
            beside, before = OtherPrograms(daemon.process.pid), daemon.get("/growths/" + growth_of(daemon))
            for path, values in ask(daemon, paths, options.rate, options.period).items():
                took[kind][path] += values
            others[kind].append(beside.read())
            loads[kind].append(os.getloadavg()[0])
            after = daemon.get("/growths/" + growth_of(daemon))
            if kind == "trains":
                steps.append((after["progress"]["done_steps"] - before["progress"]["done_steps"]) / options.period)
    print("| study | asked for | n | p50, ms | p99, ms | longest, ms | others had | load |")
    print("|---|---|---:|---:|---:|---:|---:|---:|")
    for kind in kinds:
        print(row(kind, {path.replace(study, "{s}"): values for path, values in took[kind].items()},
                  sum(others[kind]) / len(others[kind]), sum(loads[kind]) / len(loads[kind])))
    print(f"\n{options.rate} requests a second; the study made {sum(steps) / len(steps):.0f} candidate steps a second.")


def growth_of(daemon):
    return daemon.get("/runs/study.s1/growths")["items"][0]["id"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("lagd")
    parser.add_argument("--periods", type=int, default=5)
    parser.add_argument("--period", type=float, default=10)
    parser.add_argument("--rate", type=float, default=100)
    options = parser.parse_args()
    lagd.LAGD = os.path.abspath(options.lagd)
    with tempfile.TemporaryDirectory(prefix="lagd-bench-") as folder:
        daemon = Lagd(folder)
        daemon.start()
        try:
            measure(daemon, options)
        finally:
            daemon.kill()


if __name__ == "__main__":
    main()
