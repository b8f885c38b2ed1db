"""What the machine did, over time: sampled, kept over kill -9, thinned as it grows old, and no part of any run."""
import os
import sqlite3
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import lagd  # noqa: E402
from lagd import Daemon, run_body  # noqa: E402

EVERY_SECOND = "[storage]\nsample_seconds = 1\n"
KEYS = ["cpu/lagd", "cpu/share", "disk/free_bytes", "memory/lagd_bytes", "memory/used_bytes"]
ASK = "/system/series?" + "&".join(f"key={key}" for key in KEYS)


def column(daemon, key, more=""):
    """{second: value}"""
    told = daemon.get(f"/system/series?key={key}{more}")
    assert told["x"] == "time" and told["annotations"] == [] and "run" not in told, told
    return dict(zip(told["step"], told["series"][key]["last"]))


def it_is_sampled_and_kept(folder):
    daemon = Daemon(folder, config=EVERY_SECOND)
    daemon.start()
    assert column(daemon, "cpu/lagd") == {}, "there is something before there can be"
    daemon.call("POST", "/datasets?name=words", lagd.text(6000), {"Content-Type": "text/plain"})
    daemon.post("/runs", run_body("r", "words", schedule={"max_steps": 10 ** 6}))  # it flushes what there is at once
    assert lagd.until(lambda: len(column(daemon, "memory/lagd_bytes")) >= 3, 30), "nothing is sampled"
    told = daemon.get(ASK)
    for key in KEYS:
        values = [value for value in told["series"][key]["last"] if value is not None]
        if key != "cpu/share" or values:  # where /proc/stat cannot be read there is none
            assert values and min(values) >= 0, (key, told)
    now = time.time()
    assert all(now - 3600 < second <= now + 5 for second in told["step"]), (now, told["step"])
    assert max(column(daemon, "cpu/lagd").values()) > 0, "a run trains, and lagd computes nothing"
    before = column(daemon, "memory/lagd_bytes")
    daemon.kill()
    daemon.start()
    assert before.items() <= column(daemon, "memory/lagd_bytes").items(), "a kill lost what was kept"
    assert lagd.until(lambda: len(column(daemon, "memory/lagd_bytes")) > len(before), 30), "it does not go on"
    status, _, data = daemon.request("GET", "/api/v1/system/series?key=cpu/shares")
    assert status == 400 and b"did you mean cpu/share?" in data, data
    assert daemon.request("GET", "/api/v1/system/series?key=train/loss")[0] == 400
    assert [one["key"] for one in daemon.get("/runs/r/metrics")["items"] if "/lagd" in one["key"]] == []
    daemon.terminate()


def the_old_grows_less(folder):
    daemon = Daemon(folder, config=EVERY_SECOND)
    daemon.start()
    daemon.call("POST", "/datasets?name=words", lagd.text(6000), {"Content-Type": "text/plain"})
    daemon.post("/runs", run_body("r", "words", schedule={"max_steps": 10 ** 6}))
    assert lagd.until(lambda: column(daemon, "cpu/lagd"), 30)
    daemon.terminate()
    now = int(time.time())
    days = [(now - 90 * 86400, 5.0), (now - 59 * 86400, 6.0)]
    minutes = [(now - 86400 - now % 60 + i, float(i)) for i in range(0, 180, 10)]
    db = sqlite3.connect(os.path.join(daemon.state_dir, "lagd.db"))
    (series,) = db.execute("SELECT id FROM series WHERE owner = 'machine' AND key = 'cpu/lagd'").fetchone()
    db.executemany("INSERT INTO points (series, step, value) VALUES (?, ?, ?)",
                   ((series, *point) for point in days + minutes))
    db.commit()
    db.close()
    daemon.start()
    old = f"&to={now - 7300}"
    assert lagd.until(lambda: len(column(daemon, "cpu/lagd", old)) == 4, 30), column(daemon, "cpu/lagd", old)
    quarter = days[1][0] - days[1][0] % 900
    first = minutes[0][0]
    assert column(daemon, "cpu/lagd", old) == {quarter: 6.0, first: 25.0, first + 60: 85.0, first + 120: 145.0}
    assert len(column(daemon, "cpu/lagd", f"&from={now - 60}")) > 0
    daemon.terminate()


def nobody_is_told_of_it_as_of_a_run(folder):
    """The stream of events has batches of runs and candidates only."""
    daemon = Daemon(folder, config=EVERY_SECOND)
    daemon.start()
    stream = lagd.UnixConnection(daemon.socket, lagd.slow(30))
    stream.request("GET", "/api/v1/events", headers={"Accept": "text/event-stream"})
    answer = stream.getresponse()
    daemon.call("POST", "/datasets?name=words", lagd.text(6000), {"Content-Type": "text/plain"})
    run = daemon.post("/runs", run_body("r", "words", schedule={"max_steps": 10 ** 6}))["id"]
    assert lagd.until(lambda: len(column(daemon, "cpu/lagd")) > 2, 30)
    daemon.post("/runs/r/cancel")
    lines = []
    while not (lines and '"cancelled"' in lines[-1]):
        lines.append(answer.readline().decode())
        assert lines[-1], lines[-5:]
    batches = [line for line in lines if '"run.metric"' in line]
    others = [line[:120] for line in batches if f'"run":"{run}"' not in line]
    assert batches and not others, others
    daemon.terminate()


def none_is_kept_where_none_is_wanted(folder):
    daemon = Daemon(folder, config="[storage]\nsample_seconds = 0\n")
    daemon.start()
    daemon.call("POST", "/datasets?name=words", lagd.text(6000), {"Content-Type": "text/plain"})
    daemon.post("/runs", run_body("r", "words", schedule={"max_steps": 200}))
    daemon.wait_for("/runs/r", lambda r: r["state"] == "completed")
    time.sleep(2)
    assert column(daemon, "cpu/lagd") == {}
    daemon.terminate()


if __name__ == "__main__":
    lagd.main(it_is_sampled_and_kept, the_old_grows_less, nobody_is_told_of_it_as_of_a_run,
              none_is_kept_where_none_is_wanted)
