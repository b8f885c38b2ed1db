#!/usr/bin/python3
"""What docs/studies/judge.py makes of planted reports: test_judge.py FOLDER_OF_STUDIES"""
import http.server
import json
import os
import socketserver
import subprocess
import sys
import tempfile
import threading

sys.path.insert(0, sys.argv[1])
sys.dont_write_bytecode = True
import judge  # noqa: E402

# What picking at a lag loses falls from .04 to 0 while its cost doubles at each lag.
REGRETS = [(0, 0, 0.04), (100, 800, 0.04), (200, 1600, 0.02), (400, 3200, 0.01), (800, 6400, 0.0)]


def report(auto, steps=3200, verified=(10, 10), name="s", regrets=REGRETS):
    return {"study": {"name": name, "delta": 0.005},
            "regret": [{"t": t, "probe_steps": cost, "regret": loss} for t, cost, loss in regrets],
            "allocators": [{"allocator": "race", "regret": 1.0, "probe_steps": 1},
                           {"allocator": "auto", "regret": auto, "probe_steps": steps}],
            "verdicts": [{"basis": "tied", "n": 7, "n_within_delta": 0},
                         {"basis": "verified", "n": verified[0], "n_within_delta": verified[1]}]}


def many(*autos, **more):
    return judge.judge([report(auto, name=f"s{i}", **more) for i, auto in enumerate(autos)])


def test_as_good_as_all():
    found = many(0.01, 0.011, 0.009, 0.010, 0.010)
    assert found["auto"] and found["verified"] and not found["reasons"], found
    assert abs(found["mean"]) < 1e-12 and -0.001 < found["low"] < 0 < found["high"] < 0.001, found
    assert abs(found["high"] - 2.776 * (0.000002 / 4 / 5) ** 0.5) < 1e-9, found


def test_cost_between_two_lags():
    row = many(0.01, steps=2262.7417)["rows"][0]  # half-way on a log axis
    assert abs(row["all"] - 0.015) < 1e-6, row


def test_a_worse_one_is_not_shown():
    found = many(0.016, 0.017, 0.016, 0.017)
    assert not found["auto"] and "more than 0.005" in found["reasons"][0], found


def test_one_bad_study_is_not_averaged_away():
    found = judge.judge([report(0.0, name=f"good{i}") for i in range(20)]
                        + [report(0.04, name="bad", regrets=[(0, 0, 0.04), (100, 800, 0.03), (400, 3200, 0.04)])])
    assert found["high"] <= 0.005, found
    assert found["reasons"] == ["in bad a lag of 100 costs less than auto and ends better"], found


def test_few_studies_show_nothing():
    found = many(0.0, 0.0, 0.0)
    assert not found["auto"] and "3 studies" in found["reasons"][0], found
    assert not judge.judge([])["auto"] and not judge.judge([])["verified"]


def test_verified_ones_must_hold():
    assert many(0.01, verified=(20, 19))["verified"]
    found = many(0.01, 0.01, verified=(20, 18))
    assert not found["verified"] and found["n_verified"] == 40 and "36 of 40" in found["doubts"][0], found
    assert "no verdict" in many(0.01, verified=(0, 0))["doubts"][0]


def test_it_is_told():
    told = judge.tell(many(0.01, 0.01, 0.01, 0.01))
    assert "| s0 | 3200 | 0.0100 | 0.0100 | – |" in told and "all: yes" in told and "hold: yes, 40 of 40" in told, told
    told = judge.tell(judge.judge([report(None)]))
    assert "| s | – | – | – | – |" in told and "not shown" in told, told


class Lagd(http.server.BaseHTTPRequestHandler):
    """Four completed studies, and one that is not."""

    def do_GET(self):
        if self.path.startswith("/api/v1/studies?"):
            body = {"items": [{"id": f"st_{i}", "state": "completed" if i < 4 else "running"} for i in range(5)]}
        else:
            assert self.path.startswith("/api/v1/studies/st_") and "st_4" not in self.path, self.path
            body = report(0.01, name=self.path.split("/")[4])
        data = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_):
        pass

    def address_string(self):
        return "local"


def told_of(*paths):
    return subprocess.run([sys.executable, os.path.join(sys.argv[1], "judge.py"), *paths], check=True, text=True,
                          capture_output=True, env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}).stdout


def test_files_and_a_daemon_say_the_same():
    with tempfile.TemporaryDirectory() as folder:
        files = [os.path.join(folder, f"{i}.json") for i in range(4)]
        for i, path in enumerate(files):
            with open(path, "w", encoding="utf-8") as file:
                json.dump(report(0.01, name=f"st_{i}"), file)
        path = os.path.join(folder, "lagd.sock")
        with socketserver.UnixStreamServer(path, Lagd) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            from_daemon = told_of(path)
            server.shutdown()
        assert from_daemon == told_of(*files) and "all: yes" in from_daemon, from_daemon


failed = 0
for name, test in list(globals().items()):
    if not name.startswith("test_"):
        continue
    try:
        test()
        print(f"ok      {name}")
    except AssertionError as error:
        failed += 1
        print(f"FAILED  {name}: {error}")
sys.exit(failed > 0)
