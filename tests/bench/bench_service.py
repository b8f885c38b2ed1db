#!/usr/bin/python3
"""What lagd costs as a service: start, memory at rest, answers while it trains, stops and recoveries.

usage: bench_service.py LAGD [--periods N] [--period SECONDS] [--json]

Prints a table, and one JSON line at the end (with --json nothing else). Goals are noted, not enforced: other programs on the
machine make every figure worse, so their share of the processors is measured and printed too.
"""
import argparse
import json
import os
import shutil
import signal
import socket
import statistics
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "integration"))
import lagd

N_STARTS, N_STOPS, N_KILLS = 10, 10, 5
N_CONNECTIONS, REQUESTS_PER_S = 4, 100
TICKS = os.sysconf("SC_CLK_TCK")
N_CPUS = len(os.sched_getaffinity(0))

# The demo's run, only without an end.
RUN = {
    "name": "bench", "dataset": "words", "seed": 1,
    "model": {"arch": "gpt2", "n_layer": 3, "n_head": 4, "n_embd": 128, "n_positions": 64},
    "optim": {"name": "adamw", "lr": 2e-3, "weight_decay": 0.1, "grad_clip": 1.0},
    "schedule": {"kind": "constant", "warmup_steps": 40, "max_steps": 100000000},
    "batch": {"sequences": 12}, "eval": {"every_steps": 50, "batches": 8}, "checkpoint": {"every_steps": 200},
}


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
        return int(self.log().rsplit("listening on http://127.0.0.1:", 1)[1].split()[0])

    def rss_mb(self):
        with open(f"/proc/{self.process.pid}/status") as f:
            return next(int(line.split()[1]) for line in f if line.startswith("VmRSS")) * 1024 / 1e6

    def http_cpu_s(self):
        """Processor time of the threads that serve HTTP."""
        total = 0
        for task in os.listdir(f"/proc/{self.process.pid}/task"):
            with open(f"/proc/{self.process.pid}/task/{task}/stat") as f:
                name, rest = f.read().split("(", 1)[1].rsplit(")", 1)
            if name.startswith("MHD-"):
                total += sum(int(x) for x in rest.split()[11:13])
        return total / TICKS


class OtherPrograms:
    """The share of the processors that neither this script nor its lagd had. read() ends a stretch and begins the next."""

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
    """Asks for the list of runs about 100 times a second over connections that stay open. A request that comes late because
    the one before it took long counts from the moment when it was due."""

    REQUEST = b"GET /api/v1/runs HTTP/1.1\r\nHost: localhost\r\n\r\n"

    def __init__(self, port):
        self.port, self.latencies, self.stop = port, [], threading.Event()
        self.threads = [threading.Thread(target=self.ask, args=(i,)) for i in range(N_CONNECTIONS)]
        for thread in self.threads:
            thread.start()

    def ask(self, index):
        with socket.create_connection(("127.0.0.1", self.port)) as s:
            s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            due = time.monotonic() + index / REQUESTS_PER_S
            while not self.stop.is_set():
                now = time.monotonic()
                if due > now:
                    time.sleep(due - now)
                    due = max(due, now)
                    begin = time.monotonic()  # the sleep's own lateness is not lagd's
                else:
                    begin = due
                self.one(s)
                self.latencies.append(time.monotonic() - begin)
                due += N_CONNECTIONS / REQUESTS_PER_S

    def one(self, s):
        s.sendall(self.REQUEST)
        data = s.recv(65536)
        head, _, body = data.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200"), head
        length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
        while len(body) < length:
            body += s.recv(65536)

    def end(self):
        self.stop.set()
        for thread in self.threads:
            thread.join()
        return self.latencies


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


def training(folder):
    os.mkdir(folder)
    daemon = Lagd(folder)
    daemon.start_timed()
    daemon.upload("words", lagd.text(1000000))
    daemon.post("/runs", RUN)
    daemon.wait_for("/runs/bench", lambda r: r["step"] >= 50)
    return daemon


def steps_per_s(daemon, seconds):
    first, begin = daemon.get("/runs/bench")["step"], time.monotonic()
    time.sleep(seconds)
    last, end = daemon.get("/runs/bench")["step"], time.monotonic()
    return (last - first) / (end - begin)


def answers(daemon, n_periods, seconds):
    """Periods with and without requests in turn, so that what else happens on the machine meets both alike."""
    quiet, asked, latencies, others = [], [], [], OtherPrograms(daemon.process.pid)
    http_s = client_s = 0
    for i in range(2 * n_periods):
        if i % 2 == 0:
            quiet.append(steps_per_s(daemon, seconds))
        else:
            http_s -= daemon.http_cpu_s()
            client_s -= time.process_time()
            load = Load(daemon.port())
            asked.append(steps_per_s(daemon, seconds))
            latencies += load.end()
            http_s += daemon.http_cpu_s()
            client_s += time.process_time()
    slower = statistics.median(1 - a / q for a, q in zip(asked, quiet))
    return {"n_requests": len(latencies), "requests_per_s": len(latencies) / (n_periods * seconds),
            "p50_ms": percentile(latencies, 0.5) * 1e3, "p99_ms": percentile(latencies, 0.99) * 1e3,
            "max_ms": max(latencies) * 1e3, "steps_per_s_quiet": statistics.median(quiet),
            "steps_per_s_asked": statistics.median(asked), "slower_percent": slower * 100,
            "http_cpu_us": http_s / len(latencies) * 1e6, "client_cpu_us": client_s / len(latencies) * 1e6,
            "others_percent": others.read() * 100}


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
    return {"recovery_ready_ms_median": statistics.median(ready), "recovery_step_ms_median": statistics.median(stepping),
            "recovery_step_ms_max": max(stepping)}


# what | figure | unit | digits | goal
TABLE = [
    ("start to ready, median of 10", "start_ms_median", "ms", 0, 200),
    ("resident memory before any run", "idle_rss_mb", "MB", 1, 25),
    ("GET /runs while training, p50", "p50_ms", "ms", 2, None),
    ("GET /runs while training, p99", "p99_ms", "ms", 2, 20),
    ("GET /runs while training, slowest", "max_ms", "ms", 2, None),
    ("requests a second", "requests_per_s", "/s", 0, None),
    ("processor time of a request, lagd", "http_cpu_us", "µs", 0, None),
    ("processor time of a request, client", "client_cpu_us", "µs", 0, None),
    ("training without requests", "steps_per_s_quiet", "steps/s", 1, None),
    ("training with requests", "steps_per_s_asked", "steps/s", 1, None),
    ("training slower by", "slower_percent", "%", 1, 2),
    ("SIGTERM while training, median of 10", "sigterm_s_median", "s", 2, None),
    ("SIGTERM while training, slowest", "sigterm_s_max", "s", 2, 5),
    ("kill -9 to ready, median of 5", "recovery_ready_ms_median", "ms", 0, None),
    ("kill -9 to the next step, median of 5", "recovery_step_ms_median", "ms", 0, None),
    ("other programs' share of the machine", "others_percent", "%", 0, None),
]


def print_table(figures):
    for what, name, unit, digits, goal in TABLE:
        verdict = "" if goal is None else f"   goal ≤ {goal}" + ("" if figures[name] <= goal else "   MISSED")
        print(f"  {what:<40}{figures[name]:10.{digits}f} {unit:<8}{verdict}")


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("lagd")
    arguments.add_argument("--periods", type=int, default=10)
    arguments.add_argument("--period", type=float, default=4)
    arguments.add_argument("--json", action="store_true")
    arguments = arguments.parse_args()
    lagd.LAGD = os.path.abspath(arguments.lagd)
    folder = tempfile.mkdtemp(prefix="lagd-bench-")
    try:
        figures = {"bench": "service", "cpus": N_CPUS, **starts(folder)}
        daemon = training(os.path.join(folder, "run"))
        figures |= answers(daemon, arguments.periods, arguments.period)
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
