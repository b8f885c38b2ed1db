"""A shortage of descriptors that passes keeps nobody out: who connected meanwhile is answered soon after."""
import os
import resource
import socket
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import lagd
from lagd import Daemon, started

N_STREAMS = 6  # of each listener: every worker has one, as good as surely
ASK = b"GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
FOLLOW = b"GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n"


def tcp_port(daemon):
    return int(daemon.log().rsplit("listening on http://127.0.0.1:", 1)[1].split()[0])


def dial(daemon, family, text):
    connection = socket.socket(family)
    connection.settimeout(lagd.slow(20))
    connection.connect(daemon.socket if family == socket.AF_UNIX else ("127.0.0.1", tcp_port(daemon)))
    connection.sendall(text)
    return connection


def descriptors(daemon, n):
    hard = resource.prlimit(daemon.process.pid, resource.RLIMIT_NOFILE)[1]
    resource.prlimit(daemon.process.pid, resource.RLIMIT_NOFILE, (n, hard))


def cpu_seconds(daemon):
    with open(f"/proc/{daemon.process.pid}/stat") as f:
        user, system = f.read().rsplit(")", 1)[1].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def is_answered(connection):
    """Within its time, by a whole head."""
    data = b""
    while b"\r\n\r\n" not in data:
        piece = connection.recv(4096)
        assert piece, data
        data += piece
    assert data.startswith(b"HTTP/1.1 200 "), data
    connection.close()


def a_shortage(daemon, seconds):
    """No descriptor is free for that long; clients of both kinds ask meanwhile, and then others."""
    before = resource.prlimit(daemon.process.pid, resource.RLIMIT_NOFILE)[0]
    descriptors(daemon, 3)
    waiting = [dial(daemon, family, ASK) for family in (socket.AF_UNIX, socket.AF_INET) for _ in range(4)]
    used = cpu_seconds(daemon)
    time.sleep(seconds)
    used = cpu_seconds(daemon) - used
    descriptors(daemon, before)
    for connection in waiting:
        is_answered(connection)
    for family in (socket.AF_UNIX, socket.AF_INET):
        is_answered(dial(daemon, family, ASK))
    assert used < seconds / 2, f"{used} s of computing in {seconds} s of waiting"


def nobody_is_connected(folder):
    daemon = started(folder)
    for _ in range(2):
        a_shortage(daemon, 2)
    assert daemon.log().count("no descriptor or memory is free for another client") in (1, 2), daemon.log()
    daemon.terminate()


def streams_stay_connected(folder):
    """No connection ends that could make room: each worker holds streams, and they go on."""
    daemon = started(folder)
    streams = [dial(daemon, family, FOLLOW) for family in (socket.AF_UNIX, socket.AF_INET) for _ in range(N_STREAMS)]
    for stream in streams:
        assert stream.recv(4096).startswith(b"HTTP/1.1 200 ")
    for _ in range(2):
        a_shortage(daemon, 1)
    daemon.upload("later", lagd.text())
    for stream in streams:
        data = b""
        while b"later" not in data:
            piece = stream.recv(4096)
            assert piece, data
            data += piece
        stream.close()
    daemon.terminate()


def a_service_manager_watches(folder):
    """lagd asks its workers for signs of life, over connections that do not end by themselves."""
    daemon = Daemon(folder)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(folder + "/notify")
        daemon.start(env={"WATCHDOG_USEC": "600000000", "NOTIFY_SOCKET": folder + "/notify"})
        time.sleep(2)  # its first questions
        a_shortage(daemon, 1)
        daemon.terminate()


if __name__ == "__main__":
    lagd.main(nobody_is_connected, streams_stay_connected, a_service_manager_watches)
