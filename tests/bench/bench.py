#!/usr/bin/python3
"""Every measurement in one sitting: training steps beside PyTorch (when it is installed), storage, service.

usage: bench.py BUILD_FOLDER [--rounds N] [--shapes S,M,G] [--threads 1,2] [--steps-only]

Prints tables, then the same as JSON lines, which also go to BUILD_FOLDER/bench.jsonl (those of other shapes and threads
stay in it, so a long measurement can be made a shape at a time). lagd and PyTorch take turns, so that whatever else
happens on the machine meets both; a figure is the median over the rounds of a round's median step.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
PRECISIONS = ["fp32", "bf16"]
N_CPUS = len(os.sched_getaffinity(0))
SECONDS_A_ROUND = 3
PARTS = ["matmul", "attention", "norm", "activation", "loss", "optimiser", "other"]


def run(*command, threads=N_CPUS):
    """OpenBLAS chooses its kernel itself, whatever the environment says: PyTorch's fp32 depends on it."""
    env = {name: value for name, value in os.environ.items() if not name.startswith(("OPENBLAS_", "OMP_", "MKL_"))}
    env.update(OPENBLAS_NUM_THREADS=str(threads), OMP_NUM_THREADS=str(threads))
    return subprocess.run(command, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True)


def json_of(*command, threads=N_CPUS):
    """The last line that a program prints, with the lines before it."""
    done = run(*command, threads=threads)
    if done.returncode:
        sys.exit(f"{' '.join(command)}: {done.stderr}")
    lines = done.stdout.splitlines()
    return json.loads(lines[-1]), lines[:-1]


def peer_precisions():
    """What PyTorch is measured in: nothing where it is not installed. Without AVX-512 its bf16
    keeps one core busy, and a few steps of M take more than eight minutes."""
    if run(sys.executable, "-c", "import torch").returncode != 0:
        return []
    with open("/proc/cpuinfo") as f:
        return PRECISIONS if "avx512bw" in f.read().split() else ["fp32"]


def median_round(rounds):
    """The round of the median step, with the least step of all."""
    rounds = sorted(rounds, key=lambda r: r["step_ms_median"])
    return {**rounds[(len(rounds) - 1) // 2], "step_ms_min": min(r["step_ms_min"] for r in rounds)}


class Steps:
    """The programs that measure one shape with one number of threads."""

    def __init__(self, build, shape, threads):
        self.bench = [os.path.join(build, "lagbench"), "--shape", shape, "--threads", str(threads), "--json"]
        self.shape, self.threads, self.n_steps, self.peer = shape, threads, {}, None

    def ours(self, precision):
        return json_of(*self.bench, "--precision", precision, "--steps", str(self.n_steps[precision]))[0]

    def probe(self, precision):
        """Chooses the number of steps; the reason when this precision is not there, else None."""
        done = run(*self.bench, "--precision", precision, "--steps", "3")
        if done.returncode:
            return done.stderr.strip()
        figures = json.loads(done.stdout)
        self.n_steps[precision] = max(3, min(200, int(SECONDS_A_ROUND * 1e3 / figures["step_ms_median"])))
        self.dimensions = ",".join(str(figures[n]) for n in ("layers", "heads", "width", "context", "batch", "vocab"))
        return None

    def theirs(self, precision):
        n_steps = self.n_steps.get(precision, self.n_steps["fp32"])
        return json_of(sys.executable, os.path.join(HERE, "peer_torch.py"), self.dimensions, "--precision", precision,
                       "--threads", str(self.threads), "--steps", str(max(3, n_steps // 2)), threads=self.threads)[0]


def measure(build, shape, threads, n_rounds, peers):
    """(lagd's figures a precision, the peer's a precision, reasons for missing precisions)."""
    steps = Steps(build, shape, threads)
    missing = {p: steps.probe(p) for p in PRECISIONS}
    ours, theirs = {p: [] for p in PRECISIONS if not missing[p]}, {p: [] for p in peers}
    for _ in range(n_rounds):
        for precision in PRECISIONS:
            if precision in ours:
                ours[precision].append(steps.ours(precision))
            if precision in theirs:
                theirs[precision].append(steps.theirs(precision))
    ours = {p: median_round(rounds) for p, rounds in ours.items()}
    theirs = {p: {"shape": shape, **median_round(rounds)} for p, rounds in theirs.items()}
    for precision, figures in ours.items():
        figures["matrix_share"] = round(figures["gflops"] / figures["matrix_rate_gflops"], 3)
        figures["sgemm_share"] = round(figures["gflops"] / figures["sgemm_rate_gflops"], 3)
        if theirs:
            best = min(theirs.values(), key=lambda peer: peer["step_ms_median"])
            if precision in theirs:
                figures["times_peer"] = round(theirs[precision]["step_ms_median"] / figures["step_ms_median"], 2)
            figures["times_best_peer"] = round(best["step_ms_median"] / figures["step_ms_median"], 2)
            figures["rss_of_best_peer"] = round(figures["peak_rss_bytes"] / best["peak_rss_bytes"], 2)
    return ours, theirs, {p: reason for p, reason in missing.items() if reason}


def print_row(ours, theirs):
    row = (f"  {ours['shape']:<6}{ours['precision']:<6}{ours['threads']:>3}{ours['step_ms_median']:>10.2f}"
           f"{ours['step_ms_min']:>9.2f}{ours['tokens_per_s']:>9}{ours['gflops']:>9.1f}{ours['matrix_rate_gflops']:>8.0f}"
           f"{100 * ours['matrix_share']:>6.0f} %{ours['sgemm_rate_gflops']:>7.0f}{100 * ours['sgemm_share']:>6.0f} %"
           f"{ours['peak_rss_bytes'] / 1e6:>7.0f}")
    if ours["precision"] in theirs:
        row += f"{theirs[ours['precision']]['step_ms_median']:>10.1f}{ours['times_peer']:>7.2f}×"
    elif theirs:
        row += f"{'–':>10}{'–':>8}"
    if theirs:
        row += f"{ours['times_best_peer']:>7.2f}×{ours['rss_of_best_peer']:>7.2f}"
    print(row, flush=True)


def print_split(ours):
    share = 100 / sum(ours["parts"].values())
    print(f"  {ours['shape']:<6}{ours['precision']:<6}{ours['threads']:>3}" +
          "".join(f"{ours['parts'][part]:>9.2f}{share * ours['parts'][part]:>3.0f} %" for part in PARTS))


def all_steps(build, shapes, threads, n_rounds):
    peers, lines, rows, reasons = peer_precisions(), [], [], {}
    print("Training steps. S: 4 layers, width 128, context 64, batch 12; M: 6 layers, width 384, context 256, batch "
          "12;\nG: 12 layers, width 768, context 512, batch 2, vocabulary 50257 (GPT-2). matrix: GFLOP/s of the best "
          "products of\n"
          "this precision alone, all threads at once, and the step's share of it; sgemm: the same by OpenBLAS.\n\n"
          f"  {'shape':<12}{'thr':>3}{'ms':>10}{'least':>9}{'tokens/s':>9}{'GFLOP/s':>9}"
          f"{'matrix':>8}{'share':>8}{'sgemm':>7}"
          f"{'share':>8}{'MB':>7}"
          + (f"{'torch ms':>10}{'faster':>8}{'/best':>8}{'RSS':>7}" if peers else ""), flush=True)
    for shape in shapes:
        for n in threads:
            ours, theirs, missing = measure(build, shape, n, n_rounds, peers)
            reasons.update(missing)
            for figures in ours.values():
                print_row(figures, theirs)
                rows.append(figures)
                lines.append({"bench": "step", **figures})
            lines += [{"bench": "peer step", **figures} for figures in theirs.values()]
    print("\nWhere a step's milliseconds go, mean over its threads.\n\n"
          f"  {'shape':<12}{'thr':>3}" + "".join(f"{part:>14}" for part in PARTS))
    for figures in rows:
        print_split(figures)
    for precision, reason in reasons.items():
        print(f"\n  {precision} is not measured: {reason}")
    if peers:
        print("\n  faster: than PyTorch in the same precision; /best, RSS: against PyTorch in its fastest one.")
    if peers == ["fp32"]:
        print("  PyTorch is not measured in bf16: without AVX-512 a few steps of M take it more than eight minutes.")
    if not peers:
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
    figures, table = json_of(sys.executable, os.path.join(HERE, "bench_service.py"), os.path.join(build, "lagd"),
                             os.path.join(build, "tests/bench/load"))
    print("\nService, while a run of the tour's shape trains on every processor.\n")
    print("\n".join(table), flush=True)
    return [figures]


def probes(build):
    figures, table = json_of(sys.executable, os.path.join(HERE, "bench_probes.py"), os.path.join(build, "lagd"))
    print("\nGrowths: how probes scale over workers; what the dry run predicted, and how far off it was.\n")
    print("\n".join(table), flush=True)
    return [figures]


def keep(path, lines):
    """Writes lines, and leaves those of an earlier run about what was not measured now (--shapes, --threads)."""
    def about(line):
        return tuple(line.get(name) for name in ("bench", "shape", "threads", "precision"))

    measured = {about(line) for line in lines}
    if os.path.exists(path):
        with open(path) as f:
            lines = [line for line in map(json.loads, f) if about(line) not in measured] + lines
    with open(path, "w") as f:
        f.writelines(json.dumps(line) + "\n" for line in lines)


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("build")
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--shapes", default="S,M,G")
    arguments.add_argument("--threads", default=",".join(str(n) for n in sorted({1, N_CPUS})))
    arguments.add_argument("--steps-only", action="store_true")
    arguments = arguments.parse_args()
    load = os.getloadavg()[0]
    print(f"{N_CPUS} processors, load {load:.2f}" + (": other programs make what follows worse" if load > 0.5 else "")
          + "\n")
    lines = all_steps(arguments.build, arguments.shapes.split(","), [int(n) for n in arguments.threads.split(",")],
                      arguments.rounds)
    if not arguments.steps_only:
        lines += storage(arguments.build) + service(arguments.build) + probes(arguments.build)
    print()
    for line in lines:
        print(json.dumps(line))
    keep(os.path.join(arguments.build, "bench.jsonl"), lines)


if __name__ == "__main__":
    main()
