"""The log when its reader stands still: a pipe, a terminal that is held by Ctrl-S, and what is told afterwards."""
import os
import pty
import re
import select
import signal
import subprocess
import sys
import termios
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import lagd
from lagd import Daemon, run_body


class Piped(Daemon):
    """Its log goes to a descriptor of the test's own."""

    def spawn(self, failpoints=None, env=None):
        self.process = subprocess.Popen(self.command(), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                        stderr=self.log_fd)
        return self.process

    def begin(self, log_fd):
        self.log_fd = log_fd
        self.start()
        self.upload("words", lagd.text())

    def lost(self):
        text = self.request("GET", "/metrics", timeout=20)[2].decode()
        return int(re.search(r"^lagd_log_lines_lost_total (\d+)$", text, re.M)[1])


class Reader:
    """Reads a descriptor to its end, in a thread."""

    def __init__(self, fd):
        self.fd, self.data = fd, b""
        self.thread = threading.Thread(target=self.read, daemon=True)
        self.thread.start()

    def read(self):
        try:
            while part := os.read(self.fd, 65536):
                self.data += part
        except OSError:
            pass  # a terminal whose last writer is gone

    def until(self, pattern):
        assert lagd.until(lambda: re.search(pattern, self.data), 30), self.data[-2000:]
        return re.search(pattern, self.data)


def flood(daemon, n):
    """Lines of the log without end: a refused reload tells each time."""
    for _ in range(n):
        daemon.process.send_signal(signal.SIGHUP)
        time.sleep(0.001)


def works_as_ever(daemon):
    assert daemon.request("GET", "/healthz", timeout=20)[0] == 200
    daemon.call("POST", "/runs/busy/pause", timeout=20)
    daemon.wait_for("/runs/busy", lambda r: r["state"] == "paused")
    daemon.call("POST", "/runs/busy/resume", timeout=20)
    daemon.wait_for("/runs/busy", lambda r: r["state"] == "running")


def a_pipe_that_nobody_reads(folder):
    reader, writer = os.pipe()
    daemon = Piped(folder, "--log-level", "debug")  # a line for each request
    daemon.begin(writer)
    os.close(writer)
    daemon.post("/runs", run_body("busy", "words", schedule={"max_steps": 10**6}))
    for _ in range(8000):  # 64 KiB of the pipe and 256 KiB of the queue
        daemon.request("GET", "/api/v1/version", headers={"X-Request-Id": "a-long-name-" + 100 * "x"})
        if daemon.lost() > 3:
            break
    works_as_ever(daemon)
    daemon.call("POST", "/runs/busy/cancel", timeout=20)
    daemon.wait_for("/runs/busy", lambda r: r["state"] == "cancelled")
    log = Reader(reader)
    told = log.until(rb"warning: log: (\d+) lines before this one are lost")
    n_lost = daemon.lost()
    assert int(told[1]) == n_lost, (told, n_lost)
    daemon.terminate()
    log.until(rb"ended; every run is on disk\n")
    assert daemon.process.returncode == 0 and all(re.match(rb"\d{4}-\d\d-\d\dT", line) for line in
                                                  log.data.splitlines()), "lines are mixed or torn"


def a_terminal_that_is_held(folder):
    """Ctrl-S: the terminal takes nothing more."""
    master, slave = pty.openpty()
    daemon = Piped(folder)
    daemon.begin(slave)
    daemon.post("/runs", run_body("busy", "words", schedule={"max_steps": 10**6}))
    termios.tcflow(slave, termios.TCOOFF)
    flood(daemon, 20)
    works_as_ever(daemon)
    began = time.monotonic()
    daemon.terminate()
    assert time.monotonic() - began < lagd.slow(25)
    termios.tcflow(slave, termios.TCOON)
    assert select.select([master], [], [], lagd.slow(20))[0]
    os.close(slave)
    os.close(master)


def a_disk_that_is_full(folder):
    daemon = Piped(folder)
    with open("/dev/full", "wb") as full:
        daemon.begin(full.fileno())
    daemon.post("/runs", run_body("busy", "words", schedule={"max_steps": 10**6}))
    works_as_ever(daemon)
    assert daemon.lost() > 0
    daemon.terminate()


if __name__ == "__main__":
    lagd.main(a_pipe_that_nobody_reads, a_terminal_that_is_held, a_disk_that_is_full)
