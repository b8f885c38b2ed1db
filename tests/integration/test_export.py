"""All points of a run taken away: as lines of JSON, as a table, and as TensorBoard's event file."""
import csv
import io
import json
import os
import re
import struct
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import lagd
import tfevents
from lagd import run_body, started


def tensorboard_reads_the_same(daemon, lines):
    status, headers, data = daemon.request("GET", "/api/v1/runs/one/tfevents")
    assert status == 200 and re.search(r'filename="events\.out\.tfevents\.\d{10}\.one"', headers["Content-Disposition"])
    events = tfevents.read(data)
    assert len(events) == len(lines)
    for (_, step, scalars), line in zip(events, lines):
        assert step == line["step"]
        line = {key: struct.unpack("<f", struct.pack("<f", value))[0] for key, value in line.items()
                if key not in ("step", "tokens")}
        assert scalars == line, (step, scalars, line)
    times = [seconds for seconds, _, _ in events]
    assert times == sorted(times) and times[0] < times[-1] < times[0] + 600 and abs(times[0] - time.time()) < 600
    assert daemon.request("GET", "/api/v1/runs/none/tfevents")[0] == 404


def points_are_exported_as_csv(folder):
    daemon = started(folder)
    daemon.post("/runs", run_body("one", "words", schedule={"max_steps": 1200}))
    daemon.wait_for("/runs/one", lambda r: r["state"] == "completed")
    status, headers, data = daemon.request("GET", "/api/v1/runs/one/export?format=csv")
    assert status == 200 and headers["Content-Type"].startswith("text/csv"), headers
    rows = list(csv.DictReader(io.StringIO(data.decode())))
    lines = [json.loads(line) for line in daemon.request("GET", "/api/v1/runs/one/export")[2].splitlines()]
    assert len(rows) == len(lines) >= 1200, (len(rows), len(lines))
    for row, line in zip(rows, lines):
        assert {key: float(value) for key, value in row.items() if value} == line, (row, line)
    tail = daemon.request("GET", "/api/v1/runs/one/export?format=csv&from=1195")[2].decode().splitlines()
    assert tail[0] == data.decode().splitlines()[0] and tail[1:] == data.decode().splitlines()[-len(tail) + 1:], tail
    assert daemon.request("GET", "/api/v1/runs/one/export?format=xls")[0] == 400
    tensorboard_reads_the_same(daemon, lines)
    daemon.terminate()


if __name__ == "__main__":
    lagd.main(points_are_exported_as_csv)
