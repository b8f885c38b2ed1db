"""A real lagd for tests: start it, talk to it, kill it. Standard library only.

Every test program takes the path of lagd as its first argument and runs what its cases() yields; a case is a function
of a temporary folder. The programs print a line a case and end with a non-zero status when one failed.

A case also fails when a sanitizer reported anything about any process that it started, killed ones included, and when a
lagd refused to change a state, since the table of states has no row for what happened.
LAGD_SLOW=n allows everything n times the time: ./dev asan and ./dev tsan set it, nothing else does.
"""
import hashlib
import http.client
import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback

LAGD = None  # path of the program under test, set by main()
SLOW = float(os.environ.get("LAGD_SLOW", "1"))
SANITIZERS = ("ASAN_OPTIONS", "LSAN_OPTIONS", "TSAN_OPTIONS", "UBSAN_OPTIONS")
REFUSED = "no row of the table is for"  # daemon/records/post.c
REPORTS = ("ERROR: AddressSanitizer", "ERROR: LeakSanitizer", "WARNING: ThreadSanitizer", "runtime error:")


def slow(seconds):
    """How long that may take here."""
    return seconds * SLOW


def until(ok, seconds):
    """Asks again until it is so, or the time is over; the last answer."""
    deadline = time.monotonic() + slow(seconds)
    while not ok() and time.monotonic() < deadline:
        time.sleep(0.01)
    return ok()


def text(n_bytes=60000, seed=3):
    """Made-up English: enough structure to learn, the same for the same seed."""
    rng = random.Random(seed)
    subjects = "the king|a shepherd|the old man|his daughter|the river|a stranger|the prophet|my servant".split("|")
    verbs = "went up to|spoke unto|looked upon|came near|remembered|gathered|blessed|forgot".split("|")
    objects = "the mountain|the city|the people|a great house|the sea|the field|his brother|the morning".split("|")
    out = []
    size = 0
    while size < n_bytes:
        line = f"And {rng.choice(subjects)} {rng.choice(verbs)} {rng.choice(objects)}"
        line += rng.choice([".\n", ", and was glad.\n", "; and it was so.\n", ".\n\n"])
        out.append(line)
        size += len(line)
    return "".join(out)[:n_bytes]


def has_failpoints():
    with open(LAGD, "rb") as f:
        return b"LAGD_FAILPOINTS" in f.read()


def same_end(one, other, what):
    """Two runs r that came to the same: points and weights, to the last bit, and nobody noticed another."""
    same_points(one.points("r"), other.points("r"), what)
    assert one.final_weights("r") == other.final_weights("r"), what
    assert not [e for e in one.events() if e["type"] == "determinism.mismatch"], what


class Problem(Exception):
    def __init__(self, status, body):
        super().__init__(f"{status}: {body}")
        self.status, self.body = status, body


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path, timeout):
        super().__init__("localhost", timeout=timeout)
        self.unix_path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.unix_path)


class Daemon:
    """One state directory; start() and kill() as often as you like."""

    def __init__(self, folder, *flags, config=None):
        self.folder, self.flags = folder, list(flags)
        self.state_dir = os.path.join(folder, "state")
        self.socket = os.path.join(folder, "lagd.sock")
        self.log_path = os.path.join(folder, "lagd.log")
        self.process, self.log_begin = None, 0
        if config:
            path = os.path.join(folder, "lagd.conf")
            with open(path, "w") as f:
                f.write(config)
            self.flags += ["--config", path]

    def command(self):
        return [LAGD, "--state-dir", self.state_dir, "--listen", "127.0.0.1:0", "--socket", self.socket] + self.flags

    def spawn(self, failpoints=None, env=None):
        environment = dict(os.environ, **(env or {}))
        environment.pop("LAGD_FAILPOINTS", None)
        if failpoints:
            environment["LAGD_FAILPOINTS"] = failpoints
        log = open(self.log_path, "ab")
        self.log_begin = os.path.getsize(self.log_path)
        self.process = subprocess.Popen(self.command(), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                        env=environment)
        log.close()
        return self.process

    def start(self, failpoints=None, env=None, wait=True):
        """True once it is ready; False when it died first (a failpoint may do that)."""
        self.spawn(failpoints, env)
        deadline = time.monotonic() + slow(60)
        while wait:
            if self.process.poll() is not None:
                if failpoints:
                    return False
                raise AssertionError("lagd ended with %s at its start:\n%s" % (self.process.returncode, self.log()))
            try:
                if self.request("GET", "/readyz", timeout=5)[0] == 200:
                    return True
            except (OSError, http.client.HTTPException):
                pass
            if time.monotonic() > deadline:
                raise AssertionError("lagd is not ready in time:\n" + self.log())
            time.sleep(0.01)
        return True

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def kill(self):
        if self.process is not None:
            if self.process.poll() is None:
                self.process.send_signal(signal.SIGKILL)
            self.process.wait()

    def terminate(self, timeout=30):
        """Seconds it took to end by SIGTERM; asserts status 0."""
        begin = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(slow(timeout))
        assert self.process.returncode == 0, f"SIGTERM gave status {self.process.returncode}:\n{self.log()}"
        return time.monotonic() - begin

    def log(self):
        with open(self.log_path, errors="replace") as f:
            return f.read()[-6000:]

    def port(self):
        """Where it listens for TCP. Its log tells, and a thread of its own writes that, maybe after readyz."""
        def told():
            with open(self.log_path, "rb") as f:
                f.seek(self.log_begin)
                return re.findall(rb"http: listening on http://127\.0\.0\.1:(\d+)", f.read())
        found = until(told, 30)
        assert found, self.log()
        return int(found[-1])

    def request(self, method, path, body=None, headers=None, timeout=60):
        """(status, headers, bytes)."""
        connection = UnixConnection(self.socket, slow(timeout))
        try:
            headers = dict(headers or {})
            if body is not None and not isinstance(body, (bytes, str)):
                body = json.dumps(body)
                headers.setdefault("Content-Type", "application/json")
            if isinstance(body, str):
                body = body.encode()
            connection.request(method, path, body=body, headers=headers)
            answer = connection.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read()
        finally:
            connection.close()

    def call(self, method, path, body=None, headers=None, timeout=60):
        status, _, data = self.request(method, "/api/v1" + path, body, headers, timeout)
        value = json.loads(data) if data else None
        if status >= 400:
            raise Problem(status, value)
        return value

    def get(self, path):
        return self.call("GET", path)

    def post(self, path, body=None, **more):
        return self.call("POST", path, body, **more)

    def upload(self, name, content):
        return self.call("POST", f"/datasets?name={name}", content, {"Content-Type": "text/plain"})

    def applied(self, growth):
        """The growth, once it is; any other end is a fault."""
        self.wait_for(f"/growths/{growth['id']}", lambda g: g["state"] in ("applied", "failed", "cancelled"))
        done = self.get(f"/growths/{growth['id']}")
        assert done["state"] == "applied", done
        return done

    def wait_for(self, path, ok, timeout=120, pace=0.03):
        deadline = time.monotonic() + slow(timeout)
        while True:
            value = self.get(path)
            if ok(value):
                return value
            if value.get("state") == "failed":
                raise AssertionError(f"{path} failed: {value.get('reason')}\n{self.log()}")
            if time.monotonic() > deadline:
                raise AssertionError(f"{path} after {timeout} s: {json.dumps(value)[:1500]}\n{self.log()}")
            time.sleep(pace)

    def points(self, run):
        """Everything exact that the run's export tells: {step: {key: value}}."""
        _, _, data = self.request("GET", f"/api/v1/runs/{run}/export?format=jsonl")
        rows = {}
        for line in data.decode().splitlines():
            row = json.loads(line)
            step = row.pop("step")
            assert step not in rows, f"step {step} is exported twice"
            rows[step] = {k: v for k, v in row.items() if not k.startswith("perf/") and k not in ("ts", "run", "seq")}
        return rows

    def final_weights(self, run):
        """Step and SHA-256 of the numbers in the newest checkpoint's tensors (their headers name the run)."""
        newest = self.get(f"/runs/{run}/checkpoints")["items"][0]
        hashes = {}
        for name in ("model.safetensors", "optimizer.safetensors"):
            data = self.request("GET", f"/api/v1/checkpoints/{newest['id']}/files/{name}")[2]
            header = int.from_bytes(data[:8], "little")
            hashes[name] = hashlib.sha256(data[8 + header:]).hexdigest()
        return newest["step"], hashes

    def events(self, run=None):
        after, rows = 0, []
        while True:
            query = f"/api/v1/events?after={after}&limit=1000" + (f"&run={run}" if run else "")
            _, _, data = self.request("GET", query, headers={"Accept": "application/x-ndjson"})
            page = [json.loads(line) for line in data.decode().splitlines()]
            if not page:
                return rows
            rows += page
            after = page[-1]["seq"]


def cpu_has(*flags):
    with open("/proc/cpuinfo") as f:
        return set(flags) <= set(f.read().split())


def has_bf16():
    """Can runs be in bf16 on this CPU, by its own instructions or in single precision?"""
    return cpu_has("avx2", "fma")


def run_body(name, dataset, **changes):
    """A small run; changes are merged one level deep."""
    body = {
        "name": name, "dataset": dataset, "seed": 11,
        "model": {"arch": "gpt2", "n_layer": 2, "n_head": 2, "n_embd": 32, "n_positions": 32},
        "optim": {"name": "adamw", "lr": 3e-3, "weight_decay": 0.1, "grad_clip": 1.0},
        "schedule": {"kind": "wsd", "warmup_steps": 10, "max_steps": 200, "min_lr": 1e-4},
        "batch": {"sequences": 4}, "eval": {"every_steps": 25, "batches": 2}, "checkpoint": {"every_steps": 40},
    }
    for key, value in changes.items():
        if isinstance(value, dict) and isinstance(body.get(key), dict):
            body[key] = {**body[key], **value}
        else:
            body[key] = value
    return body


def same_points(a, b, what):
    assert sorted(a) == sorted(b), f"{what}: steps differ: {set(a) ^ set(b)}"
    for step in a:
        assert a[step] == b[step], f"{what}: step {step}: {a[step]} is not {b[step]}"


def is_report(text):
    return any(report in text for report in REPORTS)


def listen_to_sanitizers(folder):
    """From now on what they report goes to files in the folder (UBSan beside ASan writes to stderr all the same)."""
    for name in SANITIZERS:
        given = BEFORE.get(name)
        os.environ[name] = (given + ":" if given else "") + "log_path=" + os.path.join(folder, "sanitizer")


def sanitizer_reports(folder):
    """The reports in the folder, and the logs in it and below it that have one in them."""
    reports = []
    for place, _, names in os.walk(folder):
        for name in names:
            if name.startswith("sanitizer.") or name.endswith(".log"):
                with open(os.path.join(place, name), errors="replace") as f:
                    text = f.read()
                if name.startswith("sanitizer.") or is_report(text):
                    reports.append(text)
    return reports


def refused_moves(folder):
    """Lines of the logs in the folder and below it that tell of a move which no row of the tables of states allows."""
    lines = []
    for place, _, names in os.walk(folder):
        for name in names:
            if name.endswith(".log"):
                with open(os.path.join(place, name), errors="replace") as f:
                    lines += [line for line in f if REFUSED in line]
    return lines


def started(folder, *flags, config=None):
    """A daemon that is ready, with a text as its dataset "words"."""
    daemon = Daemon(folder, *flags, config=config)
    daemon.start()
    daemon.upload("words", text())
    return daemon


def grown(daemon, name="one", mode="auto", pool=("stack", "midas", "interleave")):
    """A run that has grown from 2 to 4 layers (or waits for approval); its growth's id."""
    daemon.post("/runs", run_body(name, "words", schedule={"max_steps": 80}, start=False))
    body = {"target": {"n_layer": 4}, "when": {"at_step": 20}, "probe": {"steps": 8, "eval_every": 4},
            "pool": list(pool),
            "mode": mode, "reason": "deeper | *better*"}
    growth = daemon.post(f"/runs/{name}/growths", body)["id"]
    daemon.post(f"/runs/{name}/resume")
    until = "applied" if mode == "auto" else "awaiting_approval"
    daemon.wait_for(f"/growths/{growth}", lambda g: g["state"] == until)
    return growth


def main(*cases):
    global LAGD
    LAGD = os.path.abspath(sys.argv[1])
    chosen = sys.argv[2:]
    failed = 0
    for case in cases:
        if chosen and case.__name__ not in chosen:
            continue
        folder = tempfile.mkdtemp(prefix="lagd-test-")
        begin = time.monotonic()
        listen_to_sanitizers(folder)
        try:
            try:
                case(folder)
            finally:
                end_all()
                reports, refused = sanitizer_reports(folder), refused_moves(folder)
                print(*reports[:5], *refused[:5], sep="\n", end="", flush=True)
            assert not reports, f"{len(reports)} reports of sanitizers"
            assert not refused, f"{len(refused)} changes of state were refused"
            print(f"ok      {case.__name__}  {time.monotonic() - begin:.1f} s", flush=True)
        except Exception:
            failed += 1
            print(f"FAILED  {case.__name__}", flush=True)
            traceback.print_exc()
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    sys.exit(1 if failed else 0)


def end_all():
    for process in list(STARTED):
        if process.poll() is None:
            process.kill()
            process.wait()
    STARTED.clear()


BEFORE = dict(os.environ)
STARTED = []
_popen = subprocess.Popen


def _tracked(*args, **kwargs):
    process = _popen(*args, **kwargs)
    STARTED.append(process)
    return process


subprocess.Popen = _tracked
