"""lagd under a service manager that is this test: activation, credentials, notification, watchdog, journal."""
import os
import re
import signal
import socket
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import lagd
from lagd import Daemon, run_body

HERE = os.path.dirname(os.path.abspath(__file__))


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


# --- activation --------------------------------------------------------------------------------------------------------


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
    for number, (kind, told) in enumerate((("udp", "ListenStream="), ("deaf", "ListenStream="), ("everywhere", "token"))):
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


if __name__ == "__main__":
    lagd.main(passed_sockets_are_served, sockets_meant_for_others_are_left, unfit_sockets_are_refused,
              token_comes_as_a_credential)
