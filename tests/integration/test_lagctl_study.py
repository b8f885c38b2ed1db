"""lagctl study: a study is asked for, followed, reported, steered and deleted."""
import json
import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import lagd
from lagd import run_body
from test_lagctl import started

STUDY = ("--parent", "one", "--to", "3", "--horizon", "16", "--pool", "stack,midas,random", "--eval-every", "8",
         "--seeds", "1,2")


def a_study(folder):
    """Asked for, looked at, steered, reported, deleted."""
    daemon, ctl = started(folder)
    daemon.upload("words", lagd.text())
    body = run_body("one", "words", schedule={"max_steps": 30, "kind": "constant"})
    ctl("run", "create", "-f", "-", stdin=json.dumps(body))
    ctl("wait", "one", "--timeout", "60s")
    ctl("study", "create", "--name", "x", status=2, error="--horizon")
    plan = ctl("study", "create", "--name", "all", *STUDY, "--dry-run")
    assert re.search(r"^random.* yes$", plan, re.M) and "from step 30 to 46, 2 runs for 2 seeds" in plan, plan
    assert ctl("study", "list", "-o", "name") == ""
    assert ctl("study", "create", "--name", "all", *STUDY, "--seeds", "7,7", status=1, error="/seeds") == ""
    assert ctl("study", "create", "--name", "all", *STUDY) == "all: running\n"
    said = ctl("study", "show", "all", "--follow", error="all: completed, 100 % done")
    assert re.search(r"^done +█+ 100 %$", said, re.M), said
    assert re.search(r"^ *2 +all candidates +all\.s2 +completed ", said, re.M), said
    study = ctl.json("study", "show", "all")
    report = json.loads(ctl("study", "report", "all", "--format", "json"))
    assert report["n_seeds"] == 2 and all(line in said for line in report["reading"].split("\n")), said
    see_the_report(ctl, report)
    assert re.search(r"^all +completed +1", ctl("study", "list"), re.M)
    ctl("study", "pause", "all", status=4, error="completed")
    slow = ("--parent", "one", "--to", "3", "--horizon", "100000", "--pool", "stack,random")
    ctl("study", "create", "--name", "long", *slow)
    assert ctl("study", "pause", "long", "-r", "for a while") == "long: paused\n"
    assert re.search(r"^state +paused: ", ctl("study", "show", "long"), re.M)
    assert ctl("study", "resume", "long") == "long: running\n"
    assert ctl.json("study", "cancel", "long")["state"] in ("cancelling", "cancelled")
    said = ctl("study", "show", "long", "--follow", "-q", status=1)
    assert re.search("^state +cancelled", said, re.M) and "There is no result yet: " in said, said
    assert ctl("study", "rm", "all") == "deleted all\n"
    assert ctl("study", "show", study["id"], status=3, error=study["id"]) == ""
    daemon.terminate()


def see_the_report(ctl, report):
    words = ctl("study", "report", "all")
    assert words.startswith("# Study all\n") and all("- " + line.replace("_", "\\_") in words
                                                     for line in report["reading"].split("\n")[:1]), words
    assert ctl("study", "report", "all", "--format", "svg").count("<svg ") == 6
    one = ctl("study", "report", "all", "--figure", "regret")
    assert one.startswith("<svg ") and one == ctl("study", "report", "all", "--format", "svg", "--figure", "regret")
    ctl("study", "report", "all", "--format", "md", "--figure", "regret", status=2, error="--figure")
    ctl("study", "report", "all", "--figure", "losses", status=2, error="losses")
    ctl("study", "report", "nobody", status=3, error="nobody")


if __name__ == "__main__":
    lagd.main(a_study)
