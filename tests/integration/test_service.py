"""lagd under a service manager that is this test: activation, credentials, notification, watchdog, journal."""
import ctypes
import os
import re
import shutil
import signal
import socket
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import lagd
from lagd import Daemon, run_body

HERE = os.path.dirname(os.path.abspath(__file__))
UNIT = os.environ.get("LAGD_UNIT")


class Service(Daemon):
    """A lagd with passed sockets (unless passed is empty), a notification socket and, when asked for, a watchdog."""

    def __init__(self, folder, *flags, config=None, passed=("unix", "tcp"), confine=None):
        super().__init__(folder, *flags, config=config)
        self.passed = [self.open(kind) for kind in passed]
        self.confine = confine
        self.notified = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notified.bind(os.path.join(folder, "notify"))
        self.notified.settimeout(0.05)
        self.messages = []  # (time, {name: value})

    def open(self, kind):
        made = socket.socket(socket.AF_UNIX if kind == "unix" else socket.AF_INET,
                             socket.SOCK_DGRAM if kind == "udp" else socket.SOCK_STREAM)
        if kind == "unix":
            made.bind(self.socket)
        else:
            made.bind(("0.0.0.0" if kind == "everywhere" else "127.0.0.1", 0))
        if kind not in ("udp", "deaf"):
            made.listen(64)
        return made

    def command(self):
        command = super().command()
        fds = ",".join(str(s.fileno()) for s in self.passed)
        wrapper = [sys.executable, os.path.join(HERE, "as_unit.py")]
        if fds:  # what is configured must not be used
            command[command.index("--listen") + 1] = "127.0.0.1:1"
            command[command.index("--socket") + 1] = os.path.join(self.folder, "unused.sock")
            wrapper += ["--fds", fds]
        return wrapper + (["--confine", self.confine] if self.confine else []) + command

    def spawn(self, failpoints=None, env=None):
        env = dict({"NOTIFY_SOCKET": os.path.join(self.folder, "notify")}, **(env or {}))
        environment = dict(os.environ, **env)
        environment.pop("LAGD_FAILPOINTS", None)
        if failpoints:
            environment["LAGD_FAILPOINTS"] = failpoints
        with open(self.log_path, "ab") as log:
            self.process = lagd.subprocess.Popen(self.command(), stdin=lagd.subprocess.DEVNULL, stdout=log, stderr=log,
                                                 env=environment, pass_fds=[s.fileno() for s in self.passed])
        return self.process

    def listen(self, seconds=0.0, until=None):
        """Takes in what is notified, for so long or until a message has these names; that message's values."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                text = self.notified.recv(4096).decode()
                message = dict(line.split("=", 1) for line in text.splitlines())
                self.messages.append((time.monotonic(), message))
                if until and all(name in message for name in until):
                    return message
            except socket.timeout:
                if time.monotonic() >= deadline:
                    assert not until, f"no {until} within {seconds} s: {self.messages[-5:]}\n{self.log()}"
                    return None

    def ended(self, timeout=30):
        status = self.process.wait(timeout)
        return status, self.log()


# --- activation
# --------------------------------------------------------------------------------------------------------


def passed_sockets_are_served(folder):
    service = Service(folder)
    service.start()
    log = service.log()
    assert "server/listen and server/socket are not used" in log and "127.0.0.1:1\n" not in log, log
    assert not os.path.exists(os.path.join(folder, "unused.sock"))
    with open(f"/proc/{service.process.pid}/environ") as f:
        assert "LISTEN_FDS=2" in f.read()  # it was there at exec
    port = service.passed[1].getsockname()[1]
    for host, status in (("localhost", b"200"), ("127.0.0.1", b"200"), ("evil.example", b"421")):
        with socket.create_connection(("127.0.0.1", port), timeout=5) as s:
            s.sendall(f"GET /api/v1/version HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
            assert s.recv(4096).split()[1] == status
    # A restart loses nobody: who connects meanwhile waits in the passed socket.
    service.terminate()
    assert os.path.exists(service.socket), "a socket of the service manager was removed"
    waiting = socket.create_connection(("127.0.0.1", port), timeout=30)
    waiting.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    service.start()
    assert waiting.recv(4096).split()[1] == b"200"
    waiting.close()
    service.terminate()


def sockets_meant_for_others_are_left(folder):
    daemon = Daemon(folder)
    daemon.start(env={"LISTEN_PID": "1", "LISTEN_FDS": "2", "LISTEN_FDNAMES": "a:b"})  # as inherited from a parent
    assert "listening on unix socket " + daemon.socket in daemon.log(), daemon.log()
    daemon.terminate()
    assert not os.path.exists(daemon.socket)


def unfit_sockets_are_refused(folder):
    for number, (kind, told) in enumerate((("udp", "ListenStream="), ("deaf", "ListenStream="),
                                           ("everywhere", "token"))):
        place = os.path.join(folder, str(number))
        os.mkdir(place)
        service = Service(place, passed=(kind,))
        service.spawn()
        status, log = service.ended()
        assert status == 78 and told in log, (kind, status, log)
    # with a token the world may ask
    token = os.path.join(folder, "token")
    with open(token, "w") as f:
        f.write("correct horse battery staple\n")
    os.chmod(token, 0o600)
    place = os.path.join(folder, "open")
    os.mkdir(place)
    service = Service(place, "--set", f"auth/token_file={token}", passed=("everywhere",))
    service.spawn()
    service.listen(30, until=("READY",))
    service.terminate()


def token_comes_as_a_credential(folder):
    credentials = os.path.join(folder, "credentials")
    os.mkdir(credentials)
    path = os.path.join(credentials, "lagd.api-token")

    def put(token):
        with open(path, "w") as f:
            f.write(token + "\n")
        os.chmod(path, 0o440)  # what the ACL of a credential looks like

    def asks(token):
        return service.request("GET", "/api/v1/version", headers={"Authorization": "Bearer " + token})[0]

    put("first-token-of-the-day")
    service = Service(folder)
    service.spawn(env={"CREDENTIALS_DIRECTORY": credentials})
    service.listen(30, until=("READY",))
    assert asks("first-token-of-the-day") == 200 and asks("wrong-token-of-the-day") == 401
    os.unlink(path)
    put("second-token-of-the-day")
    service.process.send_signal(signal.SIGHUP)
    service.listen(10, until=("READY",))
    deadline = time.monotonic() + 5
    while asks("second-token-of-the-day") != 200 and time.monotonic() < deadline:
        time.sleep(0.02)
    assert asks("second-token-of-the-day") == 200 and asks("first-token-of-the-day") == 401
    service.terminate()
    # what is configured wins
    other = os.path.join(folder, "other")
    with open(other, "w") as f:
        f.write("token-of-the-configuration\n")
    os.chmod(other, 0o600)
    service.spawn(env={"CREDENTIALS_DIRECTORY": credentials, "LAGD_AUTH_TOKEN_FILE": other})
    service.listen(30, until=("READY",))
    assert asks("token-of-the-configuration") == 200 and asks("second-token-of-the-day") == 401
    service.terminate()


# --- notification
# ------------------------------------------------------------------------------------------------------


def statuses(service):
    return [message["STATUS"] for _, message in service.messages if "STATUS" in message]


def it_says(service, pattern):
    deadline = time.monotonic() + 240
    while not any(re.match(pattern, status) for status in statuses(service)):
        assert time.monotonic() < deadline, (pattern, statuses(service))
        service.listen(0.1)


def it_tells_what_it_does(folder):
    service = Service(folder)
    service.spawn(env={"WATCHDOG_USEC": "1000000"})
    ready = service.listen(30, until=("READY",))
    assert ready == {"READY": "1", "STATUS": "idle"}, ready
    assert any("EXTEND_TIMEOUT_USEC" in message for _, message in service.messages)  # while the database is opened
    assert service.request("GET", "/readyz")[0] == 200
    service.upload("words", lagd.text())
    # each lasts until its line was seen
    service.post("/runs", run_body("busy", "words", schedule={"max_steps": 10**6}))
    it_says(service, r"(training|checkpointing) busy step \d+/1000000( loss \d\.\d\d)?$")
    body = {"target": {"n_layer": 4}, "mode": "manual", "pool": ["stack", "midas", "llama_pro"]}
    growth = service.post("/runs/busy/growths", dict(body, probe={"steps": 100000, "eval_every": 10000}))["id"]
    it_says(service, r"probing busy [0-4]/4 at step \d+/1000000$")
    service.post(f"/growths/{growth}/cancel")
    service.wait_for("/runs/busy", lambda r: r["state"] == "running")
    growth = service.post("/runs/busy/growths", dict(body, probe={"steps": 30, "eval_every": 10}))["id"]
    it_says(service, r"awaiting approval of busy step \d+/1000000$")
    service.post(f"/growths/{growth}/decision", {"approve": True})
    service.wait_for("/runs/busy", lambda r: r["model"]["n_layer"] == 4 and r["state"] == "running")
    n_before = len(service.messages)
    service.listen(3)
    beats = [at for at, message in service.messages[n_before:] if message.get("WATCHDOG") == "1"]
    assert len(beats) >= 3, service.messages[n_before:]
    before_us = time.clock_gettime(time.CLOCK_MONOTONIC) * 1e6
    service.process.send_signal(signal.SIGHUP)
    reloading = service.listen(10, until=("RELOADING",))
    after_us = time.clock_gettime(time.CLOCK_MONOTONIC) * 1e6
    assert reloading["RELOADING"] == "1" and before_us <= int(reloading["MONOTONIC_USEC"]) <= after_us, reloading
    assert service.listen(10, until=("READY",))["READY"] == "1"
    service.process.send_signal(signal.SIGTERM)
    stopping = service.listen(10, until=("STOPPING",))
    assert stopping["STOPPING"] == "1" and "1" in stopping["STATUS"], stopping
    assert int(stopping["EXTEND_TIMEOUT_USEC"]) >= 10e6, stopping
    assert service.ended()[0] == 0


def a_bad_start_and_a_bad_reload_are_told(folder):
    path = os.path.join(folder, "lagd.conf")
    with open(path, "w") as f:
        f.write("[log]\nlevle = debug\n")
    service = Service(folder, "--config", path)
    service.spawn()
    assert "lagd.conf:2" in service.listen(20, until=("STATUS",))["STATUS"]
    assert service.ended()[0] == 78  # RestartPreventExitStatus=
    with open(path, "w") as f:
        f.write("")
    service.spawn()
    service.listen(30, until=("READY",))
    with open(path, "w") as f:
        f.write("[log]\nlevle = debug\n")
    service.process.send_signal(signal.SIGHUP)
    service.listen(10, until=("RELOADING",))
    ready = service.listen(10, until=("READY",))
    assert "lagd.conf:2" in ready["STATUS"], ready
    service.terminate()


# --- what only a build with failpoints can show
# ------------------------------------------------------------------------


def a_long_checkpoint_gets_more_time(folder):
    service = Service(folder)
    service.spawn("checkpoint.before_rename=sleep:5000@1")
    service.listen(30, until=("READY",))
    service.upload("words", lagd.text())
    service.post("/runs", run_body("busy", "words", schedule={"max_steps": 100000}, checkpoint={"every_steps": 90000}))
    service.wait_for("/runs/busy", lambda r: r["step"] > 3)
    service.process.send_signal(signal.SIGTERM)
    service.listen(10, until=("STOPPING",))
    n_before = len(service.messages)
    service.listen(4.6)
    more = [message for _, message in service.messages[n_before:] if "EXTEND_TIMEOUT_USEC" in message]
    assert len(more) >= 2 and all(int(m["EXTEND_TIMEOUT_USEC"]) >= 10e6 and "checkpoint" in m["STATUS"]
                                  for m in more), more
    assert service.ended()[0] == 0


class Journal:
    """journald's side of its native protocol."""

    def __init__(self, folder):
        self.path = os.path.join(folder, "journal")
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)
        self.entries = []
        threading.Thread(target=self.take, daemon=True).start()

    def take(self):
        while True:
            try:
                data = self.socket.recv(65536)
            except OSError:
                return
            if not data:
                return
            assert data.endswith(b"\n") and all(b"=" in line for line in data.splitlines()), data
            self.entries.append(dict(line.split("=", 1) for line in data.decode().splitlines()))

    def close(self):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
        os.unlink(self.path)

    def of(self, name):
        return [entry for entry in self.entries if entry.get("MESSAGE_ID") == MESSAGES[name]]

    def until(self, name, step):
        """What is told follows what is stored, a little later."""
        deadline = time.monotonic() + 10
        while not any(entry["LAGD_STEP"] == str(step) for entry in self.of(name)):
            assert time.monotonic() < deadline, self.of(name)
            time.sleep(0.01)


def message_ids():
    header = os.path.join(HERE, "..", "..", "include", "lagd", "daemon", "messages.h")
    with open(header) as f:
        return dict(re.findall(r'LAGD_MESSAGE_(\w+) "([0-9a-f]{32})"', f.read()))


MESSAGES = message_ids()


def the_journal_gets_fields(folder):
    service, journal = Service(folder), Journal(folder)
    open(service.log_path, "w").close()
    log = os.stat(service.log_path)
    env = {"LAGD_JOURNAL_SOCKET": journal.path, "JOURNAL_STREAM": f"{log.st_dev}:{log.st_ino}",
           "WATCHDOG_USEC": "1000000", "LAGD_PATIENCE_MS": "1500"}
    service.spawn("run.before_step=sleep:4000@100", env=env)
    service.listen(30, until=("READY",))
    service.upload("words", lagd.text())
    run = service.post("/runs", run_body("job", "words", start=False))["id"]
    growth = service.post("/runs/job/growths", {"target": {"n_layer": 4}, "when": {"at_step": 20}, "mode": "auto",
                                                "probe": {"steps": 10, "eval_every": 5},
                                                "pool": ["stack", "midas"]})["id"]
    answer = service.request("POST", "/api/v1/runs/job/resume")
    service.wait_for("/runs/job", lambda r: r["state"] == "completed")
    journal.until("CHECKPOINT_WRITTEN", 200)
    started, = journal.of("RUN_STARTED")
    assert started["LAGD_RUN"] == run and started["LAGD_STEP"] == "0" and started["PRIORITY"] == "6", started
    decided, = journal.of("GROWTH_DECIDED")
    assert decided["LAGD_RUN"] == run and decided["LAGD_GROWTH"] == growth and decided["LAGD_STEP"] == "20", decided
    steps = [int(entry["LAGD_STEP"]) for entry in journal.of("CHECKPOINT_WRITTEN")]
    assert steps == sorted(steps) and {20, 40, 200} <= set(steps), steps
    missed = journal.of("WATCHDOG_MISS")
    assert all(entry["PRIORITY"] == "3" for entry in missed) and any(run in entry["MESSAGE"]
                                                                     for entry in missed), missed
    assert any(entry.get("REQUEST_ID") == answer[1]["X-Request-Id"] for entry in journal.entries)
    assert all(entry["SYSLOG_IDENTIFIER"] == "lagd" and entry["MESSAGE"] for entry in journal.entries)
    assert os.path.getsize(service.log_path) == 0, service.log()  # nothing twice
    journal.close()  # nothing is lost without it either
    service.process.send_signal(signal.SIGHUP)
    service.listen(10, until=("RELOADING",))
    service.listen(10, until=("READY",))
    assert "<6>configuration reloaded" in service.log(), service.log()
    service.terminate()
    # a process that inherits the variable but writes elsewhere keeps to its own log
    service.spawn(env=dict(env, JOURNAL_STREAM=f"{log.st_dev}:{log.st_ino + 1}"))
    service.listen(30, until=("READY",))
    assert re.search(r"^\d{4}-\d\d-\d\dT\S+Z info: http: listening", service.log(), re.M), service.log()
    service.terminate()


# --- the sandbox
# -------------------------------------------------------------------------------------------------------


def the_main_job_works_in_the_sandbox(folder):
    """System calls, address families and memory as the unit allows them; the sockets are passed, as there."""
    import test_main_job  # pylint: disable=import-outside-toplevel

    class Witness(Service):
        def start(self, *args, **kwargs):
            super().start(*args, **kwargs)
            with open(f"/proc/{self.process.pid}/status") as f:
                status = f.read()
            assert "Seccomp:\t2\n" in status and "NoNewPrivs:\t1\n" in status, status

    test_main_job.Daemon = lambda *args, **kwargs: Witness(*args, confine=UNIT, **kwargs)
    test_main_job.trains_grows_and_goes_on(folder)


def why_no_sandbox(path):
    """What keeps the sandbox from being tried, or None."""
    with open(path, "rb") as f:
        program = f.read()
    if b"__asan_init" in program or b"__tsan_init" in program:
        return "sanitizers need more system calls"
    if not UNIT or not shutil.which("systemd-analyze"):
        return "no unit, or no systemd-analyze (package systemd)"
    try:
        ctypes.CDLL("libseccomp.so.2")
    except OSError as error:
        return f"no libseccomp (package libseccomp2): {error}"
    return None


# One failpoint a kind of thread: (failpoint, what is done to reach it, who is named). HTTP threads are asked every 5 s
# only.
STUCK = {
    "run": ("run.before_step=sleep:9000@5", "run", "run run_"),
    "probe": ("probe.step=sleep:9000@3", "growth", "a worker of the probes"),
    "dataset": ("dataset.scan=sleep:9000@2", "upload", "a worker of the datasets"),
    "storage": ("store.before_commit=sleep:9000@3", "upload", "the storage thread"),
    "http": ("http.request=sleep:13000@4", "ask", "a thread of the HTTP server"),
    "events": ("hub.turn=sleep:13000@1", "upload", "a thread of the HTTP server"),
    "nobody": (None, "growth", None),
}


def reach(service, how):
    """Does what leads to the failpoint, and comes back without waiting for it."""
    def go():
        try:
            if how == "ask":
                for _ in range(8):
                    service.request("GET", "/healthz")
                return
            service.upload("words", lagd.text())
            if how == "upload":
                service.upload("more-words", lagd.text())
                return
            service.post("/runs", run_body("busy", "words", schedule={"max_steps": 100000}, start=False))
            if how == "growth":
                service.post("/runs/busy/growths", {"target": {"n_layer": 4},
                                                    "probe": {"steps": 1000, "eval_every": 100},
                                                    "pool": ["stack", "midas"]})
            service.post("/runs/busy/resume")
        except (OSError, lagd.Problem, lagd.http.client.HTTPException):
            pass  # a stuck lagd may not answer; the test is about what it notifies

    thread = threading.Thread(target=go, daemon=True)
    thread.start()
    return thread


def told_stuck(service):
    return [status for status in statuses(service) if status.startswith("no progress")]


def longest_gap(service, since):
    beats = [since] + [at for at, message in service.messages
                       if "WATCHDOG" in message and at > since] + [time.monotonic()]
    return max(b - a for a, b in zip(beats, beats[1:]))


def one_is_stuck(folder, name, results):
    failpoint, how, who = STUCK[name]
    place = os.path.join(folder, name)
    os.mkdir(place)
    service = Service(place)
    service.spawn(failpoint, env={"WATCHDOG_USEC": "1000000", "LAGD_PATIENCE_MS": "2500" if who else "10000"})
    service.listen(60, until=("READY",))
    since = time.monotonic()
    service.listen(10, until=("WATCHDOG",))
    thread = reach(service, how)
    if who:
        deadline = time.monotonic() + 120
        while not any(who in status for status in told_stuck(service)):
            assert time.monotonic() < deadline, f"{name}: not noticed: {told_stuck(service)}\n{service.log()}"
            service.listen(0.2)
        service.listen(90, until=("WATCHDOG",))  # it moves again
        gap = longest_gap(service, since)
        assert gap > 3, f"{name}: fed while it was stuck: longest gap {gap:.1f} s\n{service.log()}"
    else:
        service.listen(14)
        gap = longest_gap(service, since)
        assert gap < 4 and not told_stuck(service), f"not fed in normal work: {gap:.1f} s\n{service.log()}"
    thread.join(10)
    service.kill()
    results.append(name)


def the_watchdog_is_fed_only_while_all_move(folder):
    results = []
    threads = [threading.Thread(target=one_is_stuck, args=(folder, name, results)) for name in STUCK]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == sorted(STUCK), f"failed: {sorted(set(STUCK) - set(results))}"


CASES = [passed_sockets_are_served, sockets_meant_for_others_are_left, unfit_sockets_are_refused,
         token_comes_as_a_credential, it_tells_what_it_does, a_bad_start_and_a_bad_reload_are_told]
WITH_FAILPOINTS = [the_journal_gets_fields, a_long_checkpoint_gets_more_time, the_watchdog_is_fed_only_while_all_move]


def has_failpoints(path):
    with open(path, "rb") as f:
        return b"LAGD_FAILPOINTS" in f.read()


if __name__ == "__main__":
    obstacle = why_no_sandbox(sys.argv[1])
    if obstacle:
        print(f"skipped the_main_job_works_in_the_sandbox: {obstacle}")
    else:
        CASES.append(the_main_job_works_in_the_sandbox)
    lagd.main(*CASES, *(WITH_FAILPOINTS if has_failpoints(sys.argv[1]) else []))
