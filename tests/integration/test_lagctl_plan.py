"""lagctl plan: a growth plan is set, looked at, changed and removed."""
import json
import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import lagd
from lagd import run_body
from test_lagctl import started


def a_plan(folder):
    daemon, ctl = started(folder)
    daemon.upload("words", lagd.text())
    body = run_body("one", "words", schedule={"max_steps": 200}, start=False)
    ctl("run", "create", "-f", "-", stdin=json.dumps(body))
    ctl("plan", "show", "one", error="no plan; set one by")
    ctl("plan", "set", "one", status=2, error="--stages")
    ctl("plan", "set", "one", "--stages", "3@20;4@60", status=2, error="LAYERS@STEP")
    ctl("plan", "set", "one", "--stages", "3@20,3@60", status=1, error="stage 2")
    flags = ("--lag", "4", "--pool", "stack,midas")
    said = ctl("plan", "set", "one", "--stages", "3@20,4@60", *flags, "--dry-run")
    assert re.search(r"^ *1 +step 20 +2 +3 +3 ", said, re.M) and re.search(r"^ *2 +step 60 +3 +4 ", said, re.M), said
    ctl("plan", "show", "one", error="no plan")
    said = ctl("plan", "set", "one", "--stages", "3@20,4@60", *flags)
    assert re.search(r"^ *1 +3 +planned +step 20 +4", said, re.M), said
    plan = ctl.json("plan", "show", "one")
    assert [one["trigger"] for one in plan["stages"]] == [{"step": 20}, {"step": 60}], plan
    assert plan["stages"][0]["pool"] == {"operators": [{"operator": "stack"}, {"operator": "midas"}]}, plan
    said = ctl("plan", "set", "one", "--stages", "3,4", "--steps", "180", "--prop-alpha", "1", *flags)
    assert "lengths of 180 steps, prop_alpha 1, from step 0" in said and "step 30" in said and "step 90" in said, said
    path = os.path.join(folder, "plan.json")
    plan["stages"][1]["trigger"] = {"slope": {"below": 1, "window_steps": 16}}
    with open(path, "w", encoding="utf-8") as file:
        json.dump(plan, file)
    said = ctl("plan", "set", "one", "-f", path)
    assert re.search(r"^ *2 +4 +planned +slope below 1 ", said, re.M), said
    ctl("run", "resume", "one")
    ctl("wait", "one", "--timeout", "60s")
    said = ctl("plan", "show", "one")
    assert re.search(r"^ *1 +3 +applied +step 20 +4 +20 +gr_", said, re.M) and "step 20 was reached" in said, said
    ctl("run", "create", "-f", "-", stdin=json.dumps(dict(body, name="two")))
    ctl("plan", "set", "two", "--stages", "3@20")
    ctl("plan", "rm", "two", error="no plan")
    ctl("plan", "set", "nobody", "--stages", "3@20", status=3, error="nobody")
    daemon.terminate()


if __name__ == "__main__":
    lagd.main(a_plan)
