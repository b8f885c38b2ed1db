"""docs/studies/plans.py: ways to a large model at equal FLOPs, on a real lagd; and what its report may say."""
import copy
import difflib
import json
import os
import subprocess
import sys
import time
import xml.etree.ElementTree

HERE = os.path.dirname(os.path.abspath(__file__))
STUDIES = os.path.join(HERE, "..", "..", "docs", "studies")
sys.dont_write_bytecode = True
sys.path[:0] = [HERE, STUDIES]
import lagd
import plan_report

PROBE = {"steps": 10, "eval_every": 5, "eval_batches": 4, "delta": 0}
ONE = {"steps": 1, "eval_every": 1, "eval_batches": 2}
RUN = {"model": {"n_layer": 1, "n_head": 1, "n_embd": 8, "n_positions": 8}, "optim": {"lr": 3e-3},
       "batch": {"sequences": 2}, "schedule": {"kind": "wsd", "warmup_steps": 3},
       "eval": {"every_steps": 10, "batches": 2}, "checkpoint": {"every_steps": 40}, "threads": 1}


def plan(pool, probe, *stages):
    return {"stages": [{"target": {"n_layer": layers}, "trigger": trigger, "pool": pool, "probe": probe}
                       for layers, trigger in stages]}


SLOPE = {"slope": {"below": 1000, "window_steps": 16, "least_steps": 30, "most_steps": 60}}
SPEC = {"name": "ways", "dataset": "words", "seeds": [1, 2], "run": RUN, "target": {"n_layer": 3},
        "budget": {"target_steps": 200}, "arms": [
            {"name": "lag", "plan": plan(["stack", "zero_stack"], PROBE, (2, {"step": 20}), (3, SLOPE))},
            {"name": "stack", "plan": plan(["stack"], ONE, (2, {"step": 20}), (3, {"step": 60}))},
            {"name": "scratch", "model": {"n_layer": 3}}]}


def call(folder, spec, program):
    """What plans.py says, and the process that has said it."""
    path = os.path.join(folder, "spec.json")
    with open(path, "w") as file:
        json.dump(spec, file)
    return subprocess.Popen([sys.executable, "-B", os.path.join(STUDIES, "plans.py"), program, path, folder],
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def result(folder, spec, program, rc=0):
    process = call(folder, spec, program)
    said = process.communicate(timeout=lagd.slow(200))[0]
    assert process.returncode == rc, said
    return said


def started(folder, name):
    place = os.path.join(folder, name)
    os.mkdir(place)
    return lagd.started(place)


def read(daemon, form):
    with open(os.path.join(daemon.folder, f"ways.{form}")) as file:
        return file.read()


def body(name, steps, **changes):
    return {**RUN, "name": name, "dataset": "words", "schedule": {**RUN["schedule"], "max_steps": steps}, **changes}


def equal_flops(folder):
    daemon = started(folder, "one")
    said = result(daemon.folder, SPEC, daemon.socket)
    report = json.loads(read(daemon, "json"))
    assert read(daemon, "md") in said and len(report["rows"]) == 6, said
    largest = daemon.post("/runs?dry_run=true", body("x", 9, model=dict(RUN["model"], n_layer=3)))["flops_per_step"]
    assert report["budget"] == 200 * largest, report["budget"]
    for row in report["rows"]:
        end = daemon.get(f"/runs/{row['run']}")
        assert end["state"] == "completed" and end["model"]["n_layer"] == 3 and end["seed"] == row["seed"], end
        # Another step, with a validation of 2/3 of one that may come with it, would be more than is there.
        assert 0 <= report["budget"] - row["flops"] < 2 * largest, row
        xs = [x for x, _ in row["curve"]]
        assert xs == sorted(xs) and abs(xs[-1] - row["flops"]) < 1, row
        assert row["loss"] == row["curve"][-1][1] == end["latest"]["val/loss"], row
    lag, stack, scratch = report["rows"][:3]
    trunk = daemon.get("/runs/ways.lag.s1.trunk")
    assert trunk["state"] == "cancelled" and lag["flops_probes"] == trunk["flops_probes"] > 0, trunk
    assert [growth["n_candidates"] for growth in lag["growths"]] == [2, 2] and lag["growths"][0]["step"] == 20, lag
    # A growth of one operator chooses nothing: what lagd spends beside it is not charged.
    assert stack["flops_probes"] == scratch["flops_probes"] == 0 and stack["steps"] > lag["steps"], (stack, lag)
    check_straight(daemon, stack)
    daemon.kill()


def check_straight(daemon, row):
    """An arm is what one run would be that knew its end from the beginning, bit by bit; so are its FLOPs."""
    daemon.post("/runs", body("straight", row["steps"], seed=1, start=False))
    daemon.call("PUT", "/runs/straight/plan", SPEC["arms"][1]["plan"])
    daemon.post("/runs/straight/resume")
    run = daemon.wait_for("/runs/straight", lambda r: r["state"] == "completed")
    assert run["latest"]["val/loss"] == row["loss"], (run["latest"], row)
    growths = daemon.get("/runs/straight/growths")["items"]
    own = sum(one["flops"] for growth in growths for one in growth["candidates"] if one["operator"] == "none")
    parents = run["flops_probes"] - own
    assert parents > 0 and abs(run["flops"] - own - parents - row["flops"]) < 1, (run, row)


def as_told(daemon):
    """A report without what is drawn by chance: ids and times are not in it."""
    return [read(daemon, form) for form in ("json", "md", "svg")]


def killed_in_between(folder):
    whole, broken = started(folder, "whole"), started(folder, "broken")
    result(whole.folder, SPEC, whole.socket)
    for n in (1, 2, 3):
        process = call(broken.folder, SPEC, broken.socket)
        until = time.monotonic() + 0.9 * n
        while time.monotonic() < until and process.poll() is None:
            time.sleep(0.02)
        if n == 2:
            process.kill()
        broken.kill()
        said = process.communicate(timeout=lagd.slow(60))[0]
        assert n == 2 or process.returncode == 0 or "lagd does not answer" in said, said
        broken.start()
    result(broken.folder, SPEC, broken.socket)
    told, wanted = as_told(broken), as_told(whole)
    assert told == wanted, "\n".join(difflib.unified_diff(wanted[0].split("\n"), told[0].split("\n"), lineterm="", n=0))
    result(broken.folder, SPEC, broken.socket)  # nothing left to do
    assert as_told(broken) == as_told(whole)
    said = result(broken.folder, changed(budget={"target_steps": 201}), broken.socket, 1)
    assert "was made for another specification" in said, said
    said = result(broken.folder, changed(arms=SPEC["arms"][:2]), broken.socket)  # the same arms, fewer of them
    assert "ended" in said and "scratch" not in said, said
    whole.kill()
    broken.kill()


def trained_on_alone(folder):
    """The script is gone while a plan is carried out: its run trains to its end, and is forked all the same."""
    daemon = started(folder, "one")
    spec = changed(seeds=[1], arms=SPEC["arms"][1:])
    process = call(daemon.folder, spec, daemon.socket)
    trunk = "/runs/ways.stack.s1.trunk"
    until = time.monotonic() + lagd.slow(60)
    while not any(run["name"] == "ways.stack.s1.trunk" for run in daemon.get("/runs")["items"]) \
            or not daemon.get(f"{trunk}/plan")["stages"]:
        assert time.monotonic() < until, "its plan is not there"
        time.sleep(0.01)
    process.kill()
    process.communicate()
    if daemon.get(trunk)["state"] == "paused":
        daemon.post(f"{trunk}/resume")
    daemon.wait_for(trunk, lambda run: run["state"] == "completed")
    said = result(daemon.folder, spec, daemon.socket)
    rows = {row["arm"]: row for row in json.loads(read(daemon, "json"))["rows"]}
    assert rows["stack"]["loss"] is not None and not rows["stack"]["why"], said
    daemon.kill()


def changed(**changes):
    return dict(copy.deepcopy(SPEC), **changes)


def refused_before_anything_trains(folder):
    daemon = started(folder, "one")
    arms = SPEC["arms"]
    late = {"name": "late", "plan": plan(["stack"], ONE, (3, {"step": 250}))}
    shrinks = {"name": "shrinks", "plan": plan(["stack"], ONE, (3, {"step": 20}), (2, {"step": 40}))}
    for spec, text in ((changed(seeds=[1, 1]), "each once"), (changed(arms=arms[:1]), "one arm cannot be compared"),
                       (changed(arms=[arms[0], arms[0]]), "the name lag is there twice"),
                       (changed(arms=[arms[0], {"name": "x"}]), "needs either a plan or a model"),
                       (changed(arms=[arms[0], {"name": "x", "plan": {"stages": []}}]), "has no stages"),
                       (changed(budget={"steps": 3}), "either flops or target_steps"), (changed(run={}), "needs run"),
                       (changed(run=dict(RUN, schedule={"kind": "cosine"})), "must be wsd or constant"),
                       (changed(groups={"any": ["stack", "hop"]}), "groups/any"),
                       (changed(dataset="nowhere"), "no dataset nowhere"),
                       (changed(arms=[arms[2], late], budget={"target_steps": 100}), "arm late: the budget is spent"),
                       (changed(arms=[arms[2], late]), "learning rate would have to fall before"),
                       (changed(arms=[arms[0], shrinks]), "stage 2")):
        said = result(daemon.folder, spec, daemon.socket, 1)
        assert text in said and "Traceback" not in said, said
    assert all(run["step"] == 0 for run in daemon.get("/runs")["items"])
    said = result(daemon.folder, {"name": "x"}, os.path.join(folder, "nothing"), 1)
    assert "needs dataset" in said, said
    said = result(daemon.folder, SPEC, os.path.join(folder, "nothing"), 1)
    assert "lagd does not answer" in said, said
    daemon.kill()


def without_a_result(folder):
    """A stage that comes too late is told of its arm; no pair has it, and the others are compared."""
    daemon = started(folder, "one")
    never = {"slope": {"below": 1e-9, "window_steps": 32}}  # within its budget the loss falls
    spec = changed(seeds=[1], budget={"target_steps": 90}, arms=[
        SPEC["arms"][2], {"name": "stack", "plan": plan(["stack"], ONE, (3, {"step": 20}))},
        {"name": "never", "plan": plan(["stack"], ONE, (3, never))}])
    said = result(daemon.folder, spec, daemon.socket)
    report = json.loads(read(daemon, "json"))
    assert "budget is spent before its last stage is decided" in report["rows"][2]["why"], report["rows"][2]
    assert report["rows"][2]["loss"] is None and "no seed has both" in said, said
    assert "in the one seed that has both: nothing is shown" in said, said
    assert daemon.get("/runs/ways.never.s1.trunk")["state"] == "paused"
    daemon.kill()


# --- the report alone ------------------------------------------------------------------------------------------------

def planted(losses):
    """losses: by arm, a list by seed."""
    return [{"arm": arm, "seed": seed, "run": f"x.{arm}.s{seed}", "why": None if loss is not None else "it is late",
             "loss": loss, "steps": 90, "flops": 95.0, "flops_probes": 19.0 if arm == "a" else 0.0, "growths": [],
             "curve": [[10.0, 3.0], [95.0, loss]] if loss is not None else []}
            for arm, by_seed in losses.items() for seed, loss in enumerate(by_seed, 1)]


def report_of(losses, name="x", **more):
    spec = {"name": name, "seeds": [1, 2, 3], "arms": [{"name": arm} for arm in losses], **more}
    return plan_report.make(spec, 100.0, planted(losses))


def what_is_shown(folder):
    report = report_of({"a": [1.0, 1.1, 1.2], "above": [1.1, 1.21, 1.32], "near": [1.01, 1.12, 1.17],
                        "below": [0.9, 1.01, 1.09], "missing": [1.5, None, None], "gone": [None, None, None]})
    above, near, below, missing, gone = report["comparisons"]
    # 0.1, 0.11 and 0.12: mean 0.11, standard error 0.01/√3, and Student's t of two degrees of freedom, 4.3027
    assert abs(above["difference"] - 0.11) < 1e-12 and abs(above["low"] - (0.11 - 4.3027 * 0.01 / 3 ** 0.5)) < 1e-5
    assert above["lower"] == "a" and below["lower"] == "below" and near["lower"] is None, report["comparisons"]
    assert missing["n_seeds"] == 1 and missing["lower"] is None and missing["low"] is None, missing
    assert gone["n_seeds"] == 0 and gone["difference"] is None, gone
    first = report["arms"][0]
    assert abs(first["share"] - 0.95) < 1e-12 and abs(first["share_of_probes"] - 0.2) < 1e-12, first
    texts = plan_report.texts(report)
    for text in ("`a` ends lower than `above`, by 0.1100 [0.0852, 0.1348], 3 seeds",
                 "`below` ends lower than `a`, by 0.1000 [", "Not shown: over 3 seeds `near` ends 0.0000 [",
                 "in the one seed that has both: nothing is shown", "`a` and `gone` cannot be compared", "it is late"):
        assert text in texts["md"], (text, texts["md"])
    assert json.loads(texts["json"]) == json.loads(json.dumps(report))
    # The first one's sign is right whichever is first.
    turned = report_of({"above": [1.1, 1.21, 1.32], "a": [1.0, 1.1, 1.2]})["comparisons"][0]
    assert turned["lower"] == "a" and abs(turned["difference"] + 0.11) < 1e-12, turned


def groups_are_means(folder):
    report = report_of({"a": [1.0, 1.1, 1.2], "b": [1.2, 1.2, 1.3], "c": [1.0, 1.2, None]}, groups={"any": ["b", "c"]})
    any_of = report["comparisons"][2]
    assert any_of["other"] == "any" and any_of["n_seeds"] == 2, any_of
    assert all(abs(value - 0.1) < 1e-12 for value in any_of["differences"].values()), any_of
    assert "`a` ends lower than `any`, by 0.1000 [" in plan_report.texts(report)["md"], any_of


def figures_are_well_formed(folder):
    for losses in ({"a<&>": [1.0, 1.1, 1.2], "b\"": [1.1, 1.21, 1.3]}, {"a": [1.0, None, None], "b": [None] * 3},
                   {"a": [None] * 3, "b": [None] * 3}, {"a": [1.0, 1.0, 1.0], "b": [1.0, 1.0, 1.0]}):
        text = plan_report.texts(report_of(losses, "<x>"))["svg"]
        root = xml.etree.ElementTree.fromstring(text)
        assert "nan" not in text and root.get("role") == "img", text
    names = [element.text for element in root.iter() if element.tag.endswith("text")]
    assert "b" in names, names


if __name__ == "__main__":
    lagd.main(what_is_shown, groups_are_means, figures_are_well_formed, equal_flops, killed_in_between,
              trained_on_alone, refused_before_anything_trains, without_a_result)
