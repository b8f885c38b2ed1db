#!/usr/bin/python3
"""Growths by a real lagd: how probes scale over workers, and what the dry run predicted against what was.

usage: bench_probes.py LAGD [--shape NAME]… [--case NAME]… [--workers N]… [--rounds N] [--verbose] [--json]

For each shape a run trains a few seconds; then the same growth is made with one worker and with all of them, in turn.
The dry run is asked right before each. Time is from the request's row to the decision's; memory is VmHWM of the daemon
over the growth, less what it has at rest. possible: the scaling by the candidates' FLOPs alone, since the last of them
leave some workers idle. Cases: plain; bf16 (the run's precision); restart (the daemon ends and starts between
training and the dry run, so that nothing but what it stored says how fast the run is); again (a second growth of the
same run, by two layers). Prints a table, and one JSON line at the end (with --json nothing else). "off" is the median
of predicted over measured, and of all rounds the lowest and the highest.
"""
import argparse
import datetime
import json
import os
import shutil
import statistics
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "integration"))
import lagd

N_CPUS = len(os.sched_getaffinity(0))
# layers, heads, width, context, batch | target | probe steps | strategies | steps before the growth
SHAPES = {
    "tiny": ((2, 2, 32, 32, 8), 4, 200, 5, 300),
    "tour": ((3, 4, 128, 64, 12), 6, 60, 11, 100),
    "S": ((4, 4, 128, 64, 12), 8, 60, 7, 100),
    "half": ((4, 6, 384, 128, 6), 8, 10, 5, 10),
    "M": ((6, 6, 384, 256, 12), 12, 4, 3, 8),
}


def seconds_between(first, last):
    return (datetime.datetime.fromisoformat(last.replace("Z", "+00:00"))
            - datetime.datetime.fromisoformat(first.replace("Z", "+00:00"))).total_seconds()


def status_kb(daemon, key):
    with open(f"/proc/{daemon.process.pid}/status") as f:
        return next(int(line.split()[1]) for line in f if line.startswith(key + ":"))


def forget_peak(daemon):
    with open(f"/proc/{daemon.process.pid}/clear_refs", "w") as f:
        f.write("5")


def run_body(name, shape, case):
    layers, heads, width, context, batch = shape
    return {"name": name, "dataset": "words", "seed": 1,
            "model": {"arch": "gpt2", "n_layer": layers, "n_head": heads, "n_embd": width, "n_positions": context},
            "schedule": {"kind": "constant", "warmup_steps": 10, "max_steps": 1000000}, "batch": {"sequences": batch},
            "eval": {"every_steps": 1000000, "batches": 2}, "checkpoint": {"every_steps": 1000000},
            "precision": "bf16" if case == "bf16" else "fp32"}


def pool_of(daemon, n):
    known = [o["name"] for o in daemon.get("/operators")["items"] if o["name"] != "none"]
    return [{"operator": name} for name in known[:n]] if n <= len(known) else "default"


def growth(daemon, run, body):
    """One growth, from the dry run until the winner is the run."""
    plan = daemon.post(f"/runs/{run}/growths?dry_run=true", body)
    forget_peak(daemon)
    asked = daemon.post(f"/runs/{run}/growths", body)
    done = daemon.wait_for(f"/growths/{asked['id']}", lambda g: g["state"] in ("applied", "failed"),
                           timeout=900, pace=0.05)
    assert done["decision"], done
    peak = status_kb(daemon, "VmHWM") * 1024
    took = seconds_between(done["created_at"], done["decision"]["decided_at"])
    return plan, took, peak, done


def one(daemon, name, case, parallel, run):
    """The growth of a run of its own; with case again, the second one."""
    shape, target, steps, n_pool, warm = SHAPES[name]
    daemon.post("/runs", run_body(run, shape, case))
    daemon.wait_for(f"/runs/{run}", lambda r: r["step"] >= warm, timeout=300)
    body = {"target": {"n_layer": target}, "probe": {"steps": steps, "parallel": parallel},
            "pool": pool_of(daemon, n_pool)}
    if case == "restart":
        daemon.terminate()
        daemon.start()
    if case == "again":
        growth(daemon, run, body)
        body["target"]["n_layer"] += 2
    figures = growth(daemon, run, body)
    daemon.post(f"/runs/{run}/cancel", {})
    daemon.wait_for(f"/runs/{run}", lambda r: r["state"] == "cancelled", timeout=300)
    daemon.request("DELETE", f"/api/v1/runs/{run}")
    return figures


def parts(daemon, growth_id):
    """Seconds from the request to each event of the growth, for a person who asks where the time went."""
    events = [e for e in daemon.events() if e.get("growth") == growth_id]
    first = events[0]["ts"]
    for e in events:
        line = f"      {seconds_between(first, e['ts']):8.3f} s  {e['type']} {e.get('state') or ''}"
        line += f" {e.get('message') or ''}"
        print(line[:110])


def rounds_of_work(plan, workers):
    """What the candidates' FLOPs take when each goes to the worker that is free first."""
    ends = [0.0] * workers
    for candidate in plan["candidates"]:
        ends[ends.index(min(ends))] += candidate["flops"]
    return max(ends)


def measure(daemon, name, case, workers, rest, rounds, verbose):
    figures = []
    for i in range(rounds):
        for parallel in workers:
            plan, took, peak, done = one(daemon, name, case, parallel, f"{name}-{case}-{i}-{parallel}")
            figures.append({"shape": name, "case": case, "workers": parallel, "candidates": len(plan["candidates"]),
                            "seconds": took, "seconds_predicted": plan["seconds_guess"], "basis": plan["time_basis"],
                            "peak_bytes": peak - rest, "peak_predicted_bytes": plan["memory_peak_bytes"],
                            "scaling_possible": rounds_of_work(plan, 1) / rounds_of_work(plan, parallel),
                            "probe_flops": sum(c["flops"] for c in done["candidates"])})
            if verbose:
                print(f"    {name} {case} {parallel}: {took:.3f} s, predicted {plan['seconds_guess']:.3f} s",
                      flush=True)
                parts(daemon, done["id"])
    return figures


def summary(figures, workers):
    rows = []
    for parallel in workers:
        mine = [f for f in figures if f["workers"] == parallel]
        ratios = [f["seconds_predicted"] / f["seconds"] for f in mine]
        row = dict(mine[0])
        row["seconds"] = statistics.median(f["seconds"] for f in mine)
        row["seconds_predicted"] = statistics.median(f["seconds_predicted"] for f in mine)
        row["time_ratio"] = statistics.median(ratios)
        row["time_ratio_least"], row["time_ratio_most"] = min(ratios), max(ratios)
        row["peak_bytes"] = max(f["peak_bytes"] for f in mine)
        row["memory_ratio"] = row["peak_predicted_bytes"] / row["peak_bytes"]
        row["rounds"] = len(mine)
        rows.append(row)
    for row in rows:
        row["scaling"] = rows[0]["seconds"] / row["seconds"]
    return rows


def percent(ratio):
    return f"{100 * (ratio - 1):+.0f}"


def print_rows(rows):
    for r in rows:
        off = f"{percent(r['time_ratio'])} ({percent(r['time_ratio_least'])} … {percent(r['time_ratio_most'])}) %"
        print(f"  {r['shape']:<6}{r['case']:<9}{r['workers']:>7}{r['candidates']:>11}{r['seconds']:>10.2f} s"
              f"{r['scaling']:>9.2f}"
              f"{r['scaling_possible']:>9.2f}"
              f"{r['seconds_predicted']:>10.2f} s {r['basis']:<11}{off:>20}{r['peak_bytes'] / 1e6:>9.0f} MB"
              f"{r['peak_predicted_bytes'] / 1e6:>9.0f} MB{100 * (r['memory_ratio'] - 1):>+7.1f} %", flush=True)


def read_arguments():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("lagd")
    arguments.add_argument("--shape", action="append", choices=SHAPES)
    arguments.add_argument("--case", action="append", choices=("plain", "bf16", "restart", "again"))
    arguments.add_argument("--workers", action="append", type=int)
    arguments.add_argument("--rounds", type=int, default=1)
    arguments.add_argument("--verbose", action="store_true")
    arguments.add_argument("--json", action="store_true")
    return arguments.parse_args()


def main():
    arguments = read_arguments()
    lagd.LAGD = os.path.abspath(arguments.lagd)
    folder = tempfile.mkdtemp(prefix="lagd-bench-")
    workers, lines = arguments.workers or sorted({1, N_CPUS}), []
    if not arguments.json:
        print(f"  {'shape':<6}{'case':<9}{'workers':>7}{'candidates':>11}{'time':>12}{'scaling':>9}"
          f"{'possible':>9}{'predicted':>12} {'from':<11}"
              f"{'off':>20}{'peak':>12}{'predicted':>12}{'off':>9}")
    try:
        for name in arguments.shape or list(SHAPES):
            for case in arguments.case or ["plain"]:
                path = os.path.join(folder, f"{name}-{case}")
                os.mkdir(path)
                daemon = lagd.Daemon(path)
                daemon.start()
                daemon.upload("words", lagd.text(1000000))
                rest = status_kb(daemon, "VmRSS") * 1024
                rows = summary(measure(daemon, name, case, workers, rest, arguments.rounds, arguments.verbose), workers)
                lines += rows
                if not arguments.json:
                    print_rows(rows)
                daemon.terminate()
    finally:
        for process in lagd.STARTED:
            if process.poll() is None:
                process.kill()
                process.wait()
        shutil.rmtree(folder, ignore_errors=True)
    print(json.dumps({"bench": "probes", "cpus": N_CPUS, "load_average": os.getloadavg()[0], "growths": lines}),
          flush=True)


if __name__ == "__main__":
    main()
