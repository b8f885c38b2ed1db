#!/usr/bin/python3
"""What lagd costs as a service: start, memory at rest, answers while it trains, stops and recoveries.

usage: bench_service.py LAGD LOAD [--shape s|m] [--periods N] [--period SECONDS] [--answers-only] [--asked-only]
[--json]

Prints a table, and one JSON line at the end (with --json nothing else). Goals are noted, not enforced: other programs
on the machine make every figure worse, so their share of the processors is measured and printed too.
"""
import argparse
import json
import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "integration"))
import lagd

N_STARTS, N_STOPS, N_KILLS = 10, 10, 5
N_CONNECTIONS, REQUESTS_PER_S = 4, 200
COMPUTES = ("lagd-team", "probe-")
LOAD = None  # path of the program beside this script, as it was built
TICKS = os.sysconf("SC_CLK_TCK")
N_CPUS = len(os.sched_getaffinity(0))

# The run of README's tour, only without an end.
RUN = {
    "name": "bench", "dataset": "words", "seed": 1,
    "model": {"arch": "gpt2", "n_layer": 3, "n_head": 4, "n_embd": 128, "n_positions": 64},
    "optim": {"name": "adamw", "lr": 2e-3, "weight_decay": 0.1, "grad_clip": 1.0},
    "schedule": {"kind": "constant", "warmup_steps": 40, "max_steps": 100000000},
    "batch": {"sequences": 12}, "eval": {"every_steps": 50, "batches": 8}, "checkpoint": {"every_steps": 200},
}


# Shape M of docs/performance.md.
MODEL_M = {"arch": "gpt2", "n_layer": 6, "n_head": 6, "n_embd": 384, "n_positions": 256}


def percentile(values, share):
    values = sorted(values)
    return values[min(len(values) - 1, int(share * len(values)))]


class Lagd(lagd.Daemon):
    """Starts on a port of its own; looks every millisecond whether it is ready."""

    def start_timed(self):
        begin = time.monotonic()
        self.spawn()
        while True:
            try:
                with socket.socket(socket.AF_UNIX) as s:
                    s.settimeout(5)
                    s.connect(self.socket)
                    s.sendall(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                    if s.recv(4096).startswith(b"HTTP/1.1 200"):
                        return time.monotonic() - begin
            except OSError:
                pass
            assert self.process.poll() is None, self.log()
            assert time.monotonic() - begin < 60, self.log()
            time.sleep(0.001)

    def port(self):
        with open(self.log_path, errors="replace") as f:
            return int(f.read().rsplit("listening on http://127.0.0.1:", 1)[1].split()[0])

    def rss_mb(self):
        with open(f"/proc/{self.process.pid}/status") as f:
            return next(int(line.split()[1]) for line in f if line.startswith("VmRSS")) * 1024 / 1e6

    def steps(self):
        """Steps made, and the seconds that they took without what lies between them: validations and checkpoints fall
        into one period and not into the next, which says nothing about the load."""
        text = self.request("GET", "/metrics")[2].decode()
        return [next(float(line.split()[1]) for line in text.splitlines() if line.startswith(name + " "))
                for name in ("lagd_train_steps_total", "lagd_train_step_seconds_total")]

    def service_cpu_s(self):
        """Processor time of every thread that does not compute: HTTP, events, storage, watchdog and supervisor."""
        total = 0
        for task in os.listdir(f"/proc/{self.process.pid}/task"):
            try:
                with open(f"/proc/{self.process.pid}/task/{task}/comm") as f:
                    name = f.read().strip()
                with open(f"/proc/{self.process.pid}/task/{task}/schedstat") as f:
                    spent = int(f.read().split()[0])
            except FileNotFoundError:
                continue
            total += 0 if name == "run" or name.startswith(COMPUTES) else spent
        return total / 1e9


class OtherPrograms:
    """The share of the processors that neither this script nor its lagd had. read() ends a stretch and begins the
    next."""

    def __init__(self, pid):
        self.pid = pid
        self.last = self.look()

    def look(self):
        with open("/proc/stat") as f:
            fields = [int(x) for x in f.readline().split()[1:9]]
        with open(f"/proc/{self.pid}/stat") as f:
            ours = sum(int(x) for x in f.read().rsplit(")", 1)[1].split()[11:13])
        own = os.times()
        return sum(fields) - fields[3] - fields[4] - ours - (own.user + own.system) * TICKS, time.monotonic()

    def read(self):
        busy, now = self.look()
        share = (busy - self.last[0]) / TICKS / (now - self.last[1]) / N_CPUS
        self.last = busy, now
        return max(0.0, share)


class Load:
    """The program load beside this script: asks for the list of runs, and follows metrics, for so many seconds."""

    def __init__(self, port, per_second, n_streams, seconds):
        self.process = subprocess.Popen([LOAD, str(port), str(per_second), str(N_CONNECTIONS if per_second else 0),
                                         str(n_streams), str(seconds)], stdout=subprocess.PIPE, text=True)
        self.process.stdout.readline()

    def end(self):
        return json.loads(self.process.communicate()[0])


def starts(folder):
    took, rss = [], []
    for i in range(N_STARTS):
        daemon = Lagd(os.path.join(folder, f"start{i}"))
        os.mkdir(daemon.folder)
        took.append(daemon.start_timed() * 1e3)
        daemon.get("/runs")
        time.sleep(0.2)
        rss.append(daemon.rss_mb())
        daemon.terminate()
    return {"start_ms_median": statistics.median(took), "start_ms_max": max(took), "idle_rss_mb": max(rss)}


def training(folder, shape="s"):
    os.mkdir(folder)
    daemon = Lagd(folder)
    daemon.start_timed()
    daemon.upload("words", lagd.text(1000000))
    daemon.post("/runs", RUN if shape == "s" else RUN | {"model": MODEL_M})
    daemon.wait_for("/runs/bench", lambda r: r["step"] >= (50 if shape == "s" else 10), timeout=240)
    return daemon


def steps_per_s(daemon, seconds):
    """From a counter that no report delays."""
    first, first_s = daemon.steps()
    time.sleep(seconds)
    last, last_s = daemon.steps()
    return (last - first) / (last_s - first_s)


# name | requests a second | followers of metrics
LOADS = [("asked", REQUESTS_PER_S, 10), ("followed", 0, 500)]


def under_load(daemon, name, per_second, n_streams, n_periods, seconds):
    """Periods without and with the load in turn, so that what else happens on the machine meets both alike."""
    quiet, loaded, latencies, cpu = [], [], [], {"client": 0.0, "service": 0.0, "calm": 0.0}
    for i in range(n_periods):
        before = daemon.service_cpu_s()
        quiet.append(steps_per_s(daemon, seconds))
        cpu["calm"] += daemon.service_cpu_s() - before
        load = Load(daemon.port(), per_second, n_streams, seconds + 1)
        time.sleep(0.5)  # followers are connected, the past is sent
        before = daemon.service_cpu_s()
        loaded.append(steps_per_s(daemon, seconds))
        cpu["service"] += daemon.service_cpu_s() - before
        told = load.end()
        assert told["n_failed"] == 0, told["n_failed"]
        latencies += told["latencies_ms"]
        cpu["client"] += told["cpu_s"]
    pairs = [1 - l / q for l, q in zip(loaded, quiet)]
    # The next quiet period is as good a pair as the one before.
    pairs += [1 - l / q for l, q in zip(loaded, quiet[1:])]
    processors = n_periods * seconds * N_CPUS
    client_processors = n_periods * (seconds + 1) * N_CPUS
    figures = {f"{name}_slower_percent": statistics.median(pairs) * 100,
               f"{name}_slower_percent_quartiles": [round(q * 100, 2) for q in statistics.quantiles(pairs, n=4)[::2]],
               f"{name}_service_cpu_percent": cpu["service"] / processors * 100,
               f"{name}_client_cpu_percent": cpu["client"] / client_processors * 100,
               f"{name}_calm_cpu_percent": cpu["calm"] / processors * 100,
               f"{name}_steps_per_s_quiet": statistics.median(quiet)}
    if latencies:
        figures |= {"n_requests": len(latencies), "p50_ms": percentile(latencies, 0.5),
                    "p99_ms": percentile(latencies, 0.99),
                    "max_ms": max(latencies)}
    return figures


def answers(daemon, loads, n_periods, seconds):
    others = OtherPrograms(daemon.process.pid)
    figures = {}
    for name, per_second, n_streams in loads:
        figures |= under_load(daemon, name, per_second, n_streams, n_periods, seconds)
    return figures | {"others_percent": others.read() * 100}


def stops(daemon):
    took = []
    for _ in range(N_STOPS):
        step = daemon.get("/runs/bench")["step"]
        daemon.wait_for("/runs/bench", lambda r: r["step"] > step + 10)
        took.append(daemon.terminate())
        daemon.start_timed()
    return {"sigterm_s_median": statistics.median(took), "sigterm_s_max": max(took)}


def recoveries(daemon):
    ready, stepping = [], []
    for _ in range(N_KILLS):
        step = daemon.get("/runs/bench")["step"]
        daemon.wait_for("/runs/bench", lambda r: r["step"] > step + 100)
        daemon.process.send_signal(signal.SIGKILL)
        daemon.process.wait()
        begin = time.monotonic()
        ready.append(daemon.start_timed() * 1e3)
        step = daemon.get("/runs/bench")["step"]
        daemon.wait_for("/runs/bench", lambda r: r["state"] == "running" and r["step"] != step, pace=0.002)
        stepping.append((time.monotonic() - begin) * 1e3)
    return {"recovery_ready_ms_median": statistics.median(ready),
            "recovery_step_ms_median": statistics.median(stepping),
            "recovery_step_ms_max": max(stepping)}


# what | figure | unit | digits | goal
TABLE = [
    ("start to ready, median of 10", "start_ms_median", "ms", 0, 200),
    ("resident memory before any run", "idle_rss_mb", "MB", 1, 25),
    ("GET /runs while training, p50", "p50_ms", "ms", 2, None),
    ("GET /runs while training, p99", "p99_ms", "ms", 2, 20),
    ("GET /runs while training, slowest", "max_ms", "ms", 2, None),
    ("training alone", "asked_steps_per_s_quiet", "steps/s", 1, None),
    ("  events, storage, watchdog: of all processors", "asked_calm_cpu_percent", "%", 2, 1),
    ("200 requests/s and 10 followers: slower by", "asked_slower_percent", "%", 1, 2),
    ("  lagd's service threads meanwhile", "asked_service_cpu_percent", "%", 2, None),
    ("  the clients", "asked_client_cpu_percent", "%", 2, None),
    ("500 followers of metrics: slower by", "followed_slower_percent", "%", 1, 2),
    ("  lagd's service threads meanwhile", "followed_service_cpu_percent", "%", 2, None),
    ("  the clients", "followed_client_cpu_percent", "%", 2, None),
    ("SIGTERM while training, median of 10", "sigterm_s_median", "s", 2, None),
    ("SIGTERM while training, slowest", "sigterm_s_max", "s", 2, 5),
    ("kill -9 to ready, median of 5", "recovery_ready_ms_median", "ms", 0, None),
    ("kill -9 to the next step, median of 5", "recovery_step_ms_median", "ms", 0, None),
    ("other programs' share of the machine", "others_percent", "%", 0, None),
]


def print_table(figures):
    for what, name, unit, digits, goal in TABLE:
        if name not in figures:
            continue
        verdict = "" if goal is None else f"   goal ≤ {goal}" + ("" if figures[name] <= goal else "   MISSED")
        print(f"  {what:<48}{figures[name]:10.{digits}f} {unit:<8}{verdict}")


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("lagd")
    arguments.add_argument("load")
    arguments.add_argument("--answers-only", action="store_true")
    arguments.add_argument("--asked-only", action="store_true")
    arguments.add_argument("--shape", choices=["s", "m"], default="s")
    arguments.add_argument("--periods", type=int, default=10)
    arguments.add_argument("--period", type=float, default=4)
    arguments.add_argument("--json", action="store_true")
    arguments = arguments.parse_args()
    partial = arguments.answers_only or arguments.asked_only
    global LOAD
    LOAD = os.path.abspath(arguments.load)
    lagd.LAGD = os.path.abspath(arguments.lagd)
    folder = tempfile.mkdtemp(prefix="lagd-bench-")
    try:
        figures = {"bench": "service", "cpus": N_CPUS}
        if not partial:
            figures |= starts(folder)
        daemon = training(os.path.join(folder, "run"), arguments.shape)
        figures |= answers(daemon, LOADS[:1] if arguments.asked_only else LOADS, arguments.periods, arguments.period)
        if not partial:
            figures |= stops(daemon)
            figures |= recoveries(daemon)
        daemon.terminate()
        figures["load_average"] = os.getloadavg()[0]
    finally:
        for process in lagd.STARTED:
            if process.poll() is None:
                process.kill()
                process.wait()
        shutil.rmtree(folder, ignore_errors=True)
    if not arguments.json:
        print_table(figures)
    print(json.dumps({k: round(v, 3) if isinstance(v, float) else v for k, v in figures.items()}), flush=True)


if __name__ == "__main__":
    main()
