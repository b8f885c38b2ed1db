"""A state directory is a unit: it can be moved and copied, and what lies in it is all that its runs need."""
import os
import shutil
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import lagd
from lagd import Daemon

STEPS = 300


def body(name, **more):
    return lagd.run_body(name, "words", schedule={"max_steps": STEPS}, checkpoint={"every_steps": 20}, **more)


def begun(folder, at_step=60):
    """A daemon that was stopped amid a run of an uploaded dataset."""
    os.makedirs(folder, exist_ok=True)
    daemon = Daemon(folder)
    daemon.start()
    daemon.upload("words", lagd.text())
    daemon.post("/runs", body("first"))
    daemon.wait_for("/runs/first", lambda r: r["step"] >= at_step)
    daemon.terminate()
    return daemon


def open_datasets(daemon):
    folder = f"/proc/{daemon.process.pid}/fd"
    links = []
    for name in os.listdir(folder):
        try:
            links.append(os.readlink(f"{folder}/{name}"))
        except OSError:  # closed meanwhile
            pass
    return [link for link in links if "/datasets/" in link]


def completed(daemon, name="first"):
    run = daemon.wait_for(f"/runs/{name}", lambda r: r["state"] in ("completed", "paused"))
    assert run["state"] == "completed" and run["step"] == STEPS, run


def moved_and_copied(folder):
    """Both go on to the same bits; the copy reads nothing of the original, which may go away."""
    daemon = begun(os.path.join(folder, "a"))
    copy = Daemon(os.path.join(folder, "b"))
    os.makedirs(copy.folder)
    shutil.copytree(daemon.state_dir, copy.state_dir)
    elsewhere = os.path.join(folder, "a", "elsewhere")
    os.rename(daemon.state_dir, elsewhere)
    daemon.state_dir = elsewhere
    for one in (daemon, copy):
        one.start()
        one.wait_for("/runs/first", lambda r: r["step"] >= 100)
        links = open_datasets(one)
        assert all(link.startswith(one.state_dir + "/") for link in links), links
    for one in (daemon, copy):
        completed(one)
    assert daemon.points("first") == copy.points("first") and len(daemon.points("first")) == STEPS + 1
    assert daemon.final_weights("first") == copy.final_weights("first")
    dataset = copy.get("/datasets/words")
    copy.call("DELETE", "/runs/first")
    copy.call("DELETE", "/datasets/words")
    assert not os.path.exists(f"{copy.state_dir}/datasets/{dataset['id']}")
    assert os.listdir(f"{daemon.state_dir}/datasets/{dataset['id']}")
    for one in (daemon, copy):
        one.terminate()


if __name__ == "__main__":
    lagd.main(moved_and_copied)
