#!/usr/bin/python3
"""Every measurement in one sitting: training steps beside PyTorch (when it is installed), storage, service.

usage: bench.py BUILD_FOLDER [--rounds N] [--steps-only]

Prints tables, then the same as JSON lines, which also go to BUILD_FOLDER/bench.jsonl. lagd and PyTorch take turns, so that
whatever else happens on the machine meets both; a figure is the median over the rounds of a round's median step.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
SHAPES = ["S", "M"]
N_CPUS = len(os.sched_getaffinity(0))
SECONDS_A_ROUND = 4


def json_of(*command):
    """The last line that a program prints, with the lines before it."""
    run = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, check=True)
    lines = run.stdout.splitlines()
    return json.loads(lines[-1]), lines[:-1]


def has_torch():
    return subprocess.run([sys.executable, "-c", "import torch"], stderr=subprocess.DEVNULL).returncode == 0


def median_step(rounds):
    best = dict(rounds[0])
    best["step_ms_median"] = statistics.median(r["step_ms_median"] for r in rounds)
    best["step_ms_min"] = min(r["step_ms_min"] for r in rounds)
    return best


def steps(build, shape, threads, n_rounds, torch):
    """(lagd's figures, the peer's or None)."""
    bench = [os.path.join(build, "tests/bench/lagbench"), "--shape", shape, "--threads", str(threads), "--json"]
    probe = json_of(*bench, "--steps", "5")[0]
    n_steps = str(max(5, min(200, int(SECONDS_A_ROUND * 1e3 / probe["step_ms_median"]))))
    names = ("layers", "heads", "width", "context", "batch", "vocab")
    peer = [sys.executable, os.path.join(HERE, "peer_torch.py"), ",".join(str(probe[name]) for name in names),
            "--threads", str(threads), "--steps", n_steps]
    ours, theirs = [], []
    for _ in range(n_rounds):
        ours.append(json_of(*bench, "--steps", n_steps)[0])
        if torch:
            theirs.append(json_of(*peer)[0])
    ours, theirs = median_step(ours), median_step(theirs) if torch else None
    seconds = ours["step_ms_median"] / 1e3
    ours["gflops"] = round(ours["gflops"] * ours["tokens_per_s"] ** -1 * ours["batch"] * ours["context"] / seconds, 1)
    ours["tokens_per_s"] = round(ours["batch"] * ours["context"] / seconds)
    if torch:
        theirs["shape"] = shape
        theirs["tokens_per_s"] = round(ours["batch"] * ours["context"] / theirs["step_ms_median"] * 1e3)
        ours["times_peer"] = round(theirs["step_ms_median"] / ours["step_ms_median"], 2)
    return ours, theirs


def all_steps(build, n_rounds):
    torch, lines = has_torch(), []
    print("Training steps, fp32. S: 4 layers, width 128, context 64, batch 12; M: 6 layers, width 384, context 256, batch 12.\n")
    print(f"  {'shape':<7}{'threads':>7}{'lagd ms':>10}{'tokens/s':>10}{'GFLOP/s':>9}"
          + (f"{'PyTorch ms':>12}{'lagd is':>16}" if torch else ""))
    for shape in SHAPES:
        for threads in sorted({1, N_CPUS}):
            ours, theirs = steps(build, shape, threads, n_rounds, torch)
            row = f"  {shape:<7}{threads:>7}{ours['step_ms_median']:>10.2f}{ours['tokens_per_s']:>10}{ours['gflops']:>9.1f}"
            if torch:
                row += f"{theirs['step_ms_median']:>12.2f}{ours['times_peer']:>10.2f} times as fast"
            print(row, flush=True)
            lines += [{"bench": "step", **ours}] + ([{"bench": "peer step", **theirs}] if torch else [])
    if not torch:
        print("\n  PyTorch's steps are measured beside when python3-torch is installed.")
    return lines


def storage(build):
    figures = {"bench": "storage", **json_of(os.path.join(build, "tests/bench/bench_ingest"))[0]}
    print(f"\nStorage, while a reader lists runs and draws charts.\n\n"
          f"  points stored a second      {figures['points_per_s']:>10.0f}   goal ≥ 50000"
          + ("" if figures["points_per_s"] >= 50000 else "   MISSED") +
          f"\n  a list and a chart, p50     {figures['read_p50_ms']:>10.2f} ms"
          f"\n  a list and a chart, p99     {figures['read_p99_ms']:>10.2f} ms"
          f"\n  thinning a million points   {figures['thin_1m_points_ms']:>10.1f} ms", flush=True)
    return [figures]


def service(build):
    figures, table = json_of(sys.executable, os.path.join(HERE, "bench_service.py"), os.path.join(build, "lagd"))
    print("\nService, while a run of the demo's shape trains on every processor.\n")
    print("\n".join(table), flush=True)
    return [figures]


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("build")
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument("--steps-only", action="store_true")
    arguments = arguments.parse_args()
    load = os.getloadavg()[0]
    print(f"{N_CPUS} processors, load {load:.2f}" + (": other programs make what follows worse" if load > 0.5 else "") + "\n")
    lines = all_steps(arguments.build, arguments.rounds)
    if not arguments.steps_only:
        lines += storage(arguments.build) + service(arguments.build)
    print()
    with open(os.path.join(arguments.build, "bench.jsonl"), "w") as f:
        for line in lines:
            print(json.dumps(line))
            print(json.dumps(line), file=f)


if __name__ == "__main__":
    main()
