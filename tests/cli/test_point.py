#!/usr/bin/python3
"""What the demo says of step 0 and the lag, for every way a growth can come out: test_point.py POINT.jq"""
import json
import subprocess
import sys
import tempfile

COMMAND = ["jq", "-r", "-f", sys.argv[1], "--slurpfile", "growth"]
NAMES = {"a": "stack", "b": "midas", "c": "random"}
DIFFERENCE = {"margin_to_best": 0.02137, "margin_interval": [0.01, 0.03274]}
OPEN = {"margin_to_best": 0.004, "margin_interval": [-0.00104, 0.009]}


def told(early=None, tied_at_0=(), late="a", tied=("a",), n_evaluations=16, **of_early):
    """early is step 0's pick, of_early what the ranking at the lag says of it."""
    growth = {"candidates": [{"id": i, "label": n} for i, n in NAMES.items()], "probe": {"steps": 2000},
              "decision": {"pick_at_0": early, "tied_at_0": list(tied_at_0), "pick_at_lag": late,
                           "tied_set": list(tied)}}
    items = [{"candidate": i, "label": n, "rank": k + 1, "tied": i in tied, "margin_to_best": 0.001,
              "margin_interval": [0.0005, 0.0015], **(of_early if i == early else {})}
             for k, (i, n) in enumerate(NAMES.items())]
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(growth, file)
        file.flush()
        return subprocess.run(COMMAND + [file.name], check=True, text=True,
                              input=json.dumps({"items": items, "n_evaluations": n_evaluations}),
                              capture_output=True).stdout.rstrip("\n")


BOTH = "Step 0 would have taken random. After 2000 steps stack is lowest, "
APART = BOTH + ("ahead of it by 0.0214 nats over the last 16 evaluations (95 % interval 0.0100 to 0.0327): at step 0 "
                "the worse one looked better.")
UNTOLD = BOTH + "but the two cannot be told apart: they differ by "
UNDECIDED = ". Between these two this run has decided nothing."
SET = " Which of stack{} is best is open: they cannot be told apart."

CASES = [
    ("step 0 misled", told("c", **DIFFERENCE), APART),
    ("it misled, and two are left", told("c", tied=("a", "b"), **DIFFERENCE), APART + SET.format(" and midas")),
    ("a tie", told("c", tied=("a", "b", "c"), **OPEN),
     UNTOLD + "0.0040 nats over the last 16 evaluations (95 % interval -0.0010 to 0.0090)" + UNDECIDED
     + SET.format(", midas and random")),
    ("beaten by another one only", told("c", **OPEN),
     UNTOLD + "0.0040 nats over the last 16 evaluations (95 % interval -0.0010 to 0.0090)" + UNDECIDED),
    ("in the set, though its interval is beyond 0", told("c", tied=("a", "c"), **DIFFERENCE),
     UNTOLD + "0.0214 nats over the last 16 evaluations (95 % interval 0.0100 to 0.0327), which is not enough beside "
     "so many others" + UNDECIDED + SET.format(" and random")),
    ("no interval", told("c", margin_to_best=0.5, margin_interval=[None, None], n_evaluations=1),
     UNTOLD + "0.5000 nats at that evaluation (one batch: no interval)" + UNDECIDED),
    ("both the same", told("a"),
     "Step 0 would have taken stack, and after 2000 steps that is lowest as well: here the lag changed nothing."),
    ("step 0 cannot choose", told(tied_at_0=("a", "b")),
     "Step 0 could not choose: stack and midas have the same loss there. After 2000 steps stack is lowest."),
    ("its pick diverged", told("c", rank=None, margin_to_best=None, margin_interval=[None, None]),
     "Step 0 would have taken random, which did not come as far as the lag. After 2000 steps stack is lowest."),
    ("nobody is left", told("c", late=None, tied=()), "No candidate is left: nothing was decided."),
]

failed = 0
for name, is_said, wanted in CASES:
    if is_said == wanted:
        print(f"ok      {name}")
    else:
        failed += 1
        print(f"FAILED  {name}\n  said   {is_said}\n  wanted {wanted}")
sys.exit(failed > 0)
