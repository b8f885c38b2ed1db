#!/usr/bin/python3
"""What it costs that probes keep their states on disk: the same growth with and without, in turn, by a real lagd.

usage: bench_kept.py LAGD [--steps N] [--rounds N] [--json]

Two candidates on two workers, of a run of 128 wide that grows from 4 layers to 8. Time is from the growth's request to
its decision. With: train/probe_checkpoint_s = 1, so that the share of a fiftieth decides how often; without: 0. Prints
the medians over the rounds, and how many states were written.
"""
import argparse
import json
import os
import shutil
import statistics
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "integration"))
import bench_probes
import lagd

SHAPE = (4, 4, 128, 64, 12)  # layers, heads, width, context, batch


class Watch(threading.Thread):
    """Counts the states that probes write below a state directory: each has a manifest of its own."""

    def __init__(self, folder):
        super().__init__(daemon=True)
        self.folder, self.seen, self.ended = folder, set(), False

    def run(self):
        while not self.ended:
            for path, _, files in os.walk(self.folder):
                if os.path.basename(path).startswith("probe-") and "manifest.json" in files:
                    try:
                        self.seen.add((path, os.stat(os.path.join(path, "manifest.json")).st_ino))
                    except FileNotFoundError:
                        pass  # replaced meanwhile
            time.sleep(0.05)


def growth_time(daemon, run, steps):
    daemon.post("/runs", bench_probes.run_body(run, SHAPE, "plain"))
    daemon.wait_for(f"/runs/{run}", lambda r: r["step"] >= 50, timeout=300)
    body = {"target": {"n_layer": 8}, "probe": {"steps": steps, "parallel": 2}, "pool": [{"operator": "stack"}]}
    took = bench_probes.growth(daemon, run, body)[1]
    daemon.post(f"/runs/{run}/cancel", {})
    daemon.wait_for(f"/runs/{run}", lambda r: r["state"] == "cancelled", timeout=300)
    return took


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("lagd")
    arguments.add_argument("--steps", type=int, default=400)
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--json", action="store_true")
    arguments = arguments.parse_args()
    lagd.LAGD = os.path.abspath(arguments.lagd)
    folder = tempfile.mkdtemp(prefix="lagd-bench-")
    daemons, seconds, watch = {}, {0: [], 1: []}, Watch(folder)
    try:
        for period in seconds:
            path = os.path.join(folder, str(period))
            os.mkdir(path)
            daemons[period] = lagd.Daemon(path, config=f"[train]\nprobe_checkpoint_s={period}\n")
            daemons[period].start()
            daemons[period].upload("words", lagd.text(1000000))
        watch.start()
        for i in range(arguments.rounds):
            for period in sorted(seconds, reverse=i % 2 == 1):
                seconds[period].append(growth_time(daemons[period], f"round-{i}", arguments.steps))
                if not arguments.json:
                    print(f"  round {i}, a state every {period} s: {seconds[period][-1]:.2f} s", flush=True)
        for daemon in daemons.values():
            daemon.terminate()
    finally:
        watch.ended = True
        for process in lagd.STARTED:
            if process.poll() is None:
                process.kill()
                process.wait()
        shutil.rmtree(folder, ignore_errors=True)
    without, kept = statistics.median(seconds[0]), statistics.median(seconds[1])
    print(json.dumps({"bench": "kept", "load_average": os.getloadavg()[0], "rounds": arguments.rounds,
                      "seconds_without": without, "seconds_with": kept, "cost": kept / without - 1,
                      "states_written": len(watch.seen)}), flush=True)


if __name__ == "__main__":
    main()
