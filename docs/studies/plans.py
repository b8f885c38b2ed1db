#!/usr/bin/python3
"""Compares ways to a large model at equal FLOPs: growth plans, fixed gradual stacking, one hop, and from scratch.

usage: plans.py LAGD|SOCKET small|long|SPEC.json [FOLDER]      by ./dev study-plans [long|SPEC.json]

LAGD is a program, whose state is kept in FOLDER (build-studies/plans); SOCKET is that of a lagd which runs already. A
second call goes on where the first one ended, also after kill -9: all that it knows are lagd's rows, and the note of a
run says what it was made for. The report is written to FOLDER as JSON, Markdown and SVG; plan_report.py says what is in
it.

SPEC.json is an object with name, dataset, seeds, run, target, budget and arms. `run` is the body of POST /runs for the
small model; `target` the shape of which `budget` is counted, {"target_steps": 10000} or {"flops": 1e15}. An arm has a
name and either a plan, as the body of PUT /runs/{run}/plan, or a model, which is trained from scratch. The first arm is
what all others are compared with, and what groups are, by name lists of arms, each by its mean; they may be left out.

Every arm of a seed begins with the same weights and meets the same data, and ends with the last step that its budget
pays. What counts is what lagd charges a run with: all training from step 0, its validations, and of every growth the
candidates that did not win, `none`, and the validation of the parent. Where a growth has one operator nothing is
chosen, and the latter are not charged. A plan's run (NAME.ARM.sSEED.trunk) trains with its stable learning rate until
its last growth is decided. Only then is it known what the plan has cost; NAME.ARM.sSEED is forked from there, to the
step at which the budget is spent, its decay at its end.
"""
import hashlib
import http.client
import json
import os
import stat
import sys
import time

import plan_report
import study

# --- what is compared ------------------------------------------------------------------------------------------------

ONE_STEP = {"steps": 1, "eval_every": 1, "eval_batches": 2}  # a growth of one operator: nothing is to be found out
# delta 0: losses alone decide, and no prior, which would know of other arms.
LAG = {"eval_batches": 64, "max_eval_share": 0.2, "delta": 0}


def operator(name):
    return {"operator": name, **(study.RAMP if name == "zero_stack" else study.PLAIN)}


def plan_of(names, probe, stages):
    """stages: layers and step of each."""
    return {"stages": [{"target": {"n_layer": layers}, "trigger": {"step": step}, "probe": probe,
                        "pool": [operator(name) for name in names]} for layers, step in stages]}


def arms_of(names, probe, stages, hop):
    """The plan that chooses among the names, each of them alone, one hop by the first, and from scratch."""
    lag = dict(LAG, steps=probe, eval_every=probe // 5)
    return [{"name": "lag", "plan": plan_of(names, lag, stages)},
            *({"name": name, "plan": plan_of((name,), ONE_STEP, stages)} for name in names),
            {"name": "hop", "plan": plan_of(names[:1], ONE_STEP, ((6, hop),))},
            {"name": "scratch", "model": {"n_layer": 6}}]


BASE = {"dataset": "bible", "parallel": 2, "target": {"n_layer": 6},
        "run": {"model": {"n_layer": 2, "n_embd": 32, "n_head": 2, "n_positions": 32}, "optim": {"lr": study.LR},
                "batch": {"sequences": study.SEQUENCES}, "schedule": {"kind": "wsd", "decay_fraction": 0.2},
                "eval": {"every_steps": 1000, "batches": 64}, "checkpoint": {"every_steps": 2000}, "threads": 1}}
ANY = "at random"  # the mean of these arms
SETS = {"small": {**BASE, "name": "plans", "groups": {ANY: ["stack", "midas", "zero_stack"]}, "seeds": [1, 2, 3, 4, 5],
                  "budget": {"target_steps": 8000},
                  "arms": arms_of(("stack", "midas", "zero_stack"), 500, ((4, 1500), (6, 4000)), 2500)},
        "long": {**BASE, "name": "plans-long", "groups": {ANY: ["stack", "midas"]}, "seeds": [1, 2, 3, 4],
                 "budget": {"target_steps": 16000},
                 "arms": arms_of(("stack", "midas"), 1000, ((4, 3000), (6, 8000)), 5000)}}

KEYS = {"name": str, "dataset": str, "seeds": list, "run": dict, "target": dict, "budget": dict, "arms": list}
OVER = ("the budget is spent before its last stage is decided: let that begin earlier or probe shorter, or raise the "
        "budget")
PENDING, ENDED = ("planned", "under_way"), ("completed", "failed", "cancelled")


def refuse(text):
    sys.exit(f"plans: {text}")


def check_arm(arm, at, names):
    if not isinstance(arm, dict) or not isinstance(arm.get("name"), str):
        refuse(f"{at} needs a name")
    if arm["name"] in names:
        refuse(f"{at}: the name {arm['name']} is there twice, give each arm its own")
    plan, model = arm.get("plan"), arm.get("model")
    if isinstance(plan, dict) == isinstance(model, dict):
        refuse(f"{at} ({arm['name']}) needs either a plan or a model, each an object")
    if plan is not None and not plan.get("stages"):
        refuse(f"{at} ({arm['name']}): its plan has no stages; a model in its place trains from scratch")
    names.add(arm["name"])


def check_spec(spec):
    """Refuses what lagd would not: the rest is told by its own answers, before anything trains."""
    for key, kind in KEYS.items():
        if not isinstance(spec.get(key), kind) or not spec[key]:
            refuse(f"the specification needs {key}, a {'list' if kind is list else 'text' if kind is str else 'object'}"
                   " that is not empty")
    seeds, budget = spec["seeds"], spec["budget"]
    if any(not isinstance(seed, int) for seed in seeds) or len(set(seeds)) < len(seeds):
        refuse("seeds are whole numbers, each once: the same numbers again tell nothing new")
    if len(budget) != 1 or not isinstance(budget.get("flops", budget.get("target_steps")), (int, float)):
        refuse("the budget is either flops or target_steps, a number")
    if len(spec["arms"]) < 2:
        refuse("one arm cannot be compared: name another one")
    names = set()
    for i, arm in enumerate(spec["arms"]):
        check_arm(arm, f"arms/{i}", names)
    groups = spec.get("groups", {})
    if not isinstance(groups, dict):
        refuse("groups is an object: lists of arms by name")
    for name, arms in groups.items():
        if name in names or not isinstance(arms, list) or not arms or not all(arm in names for arm in arms):
            refuse(f"groups/{name} needs a name that no arm has, and a list of arms that are there")
    if spec["run"].get("schedule", {}).get("kind", "wsd") not in ("wsd", "constant"):
        refuse("run/schedule/kind must be wsd or constant: how long a plan trains is known only once its last growth "
               "is decided, and a cosine would have to know it at step 0")


# --- lagd ------------------------------------------------------------------------------------------------------------

class Attached(study.Lagd):
    """One that somebody else has started."""
    def __init__(self, path):
        self.socket = path

    def end(self):
        pass


def connect(program, folder):
    return Attached(program) if stat.S_ISSOCK(os.stat(program).st_mode) else study.Lagd(program, folder)


# --- FLOPs -----------------------------------------------------------------------------------------------------------

def merged(one, two):
    """Two bodies as one, the second's members counting."""
    both = dict(one)
    for key, value in two.items():
        both[key] = merged(both[key], value) if isinstance(value, dict) and isinstance(both.get(key), dict) else value
    return both


class Costs:
    """What lagd charges for steps and validations of the study's runs, by shape."""
    def __init__(self, lagd, spec):
        self.lagd, self.body = lagd, merged(spec["run"], {"dataset": spec["dataset"], "start": False})
        self.known = {}
        row = self.dry_run({})["config"]
        self.every, self.warmup = row["eval"]["every_steps"], row["schedule"]["warmup_steps"]
        self.share = row["eval"]["batches"] / (3 * row["batch"]["accumulate"])  # of a step, a validation
        self.decay = row["schedule"]["decay_fraction"] if row["schedule"]["kind"] == "wsd" else 0
        self.budget = spec["budget"].get("flops") or spec["budget"]["target_steps"] * self.step(spec["target"])

    def dry_run(self, model):
        return self.lagd.ask("POST", "/runs?dry_run=true", merged(self.body, {
            "name": "plans.dry", "model": model, "schedule": {"max_steps": 1000}}))

    def step(self, model):
        key = json.dumps(model, sort_keys=True)
        if key not in self.known:
            self.known[key] = self.dry_run(model)["flops_per_step"]
        return self.known[key]

    def between(self, model, after, to, last):
        """Of the steps after one and up to another, with the validations among them; that at step 0 is the first's."""
        n = to // self.every - after // self.every + (to >= last > after and last % self.every != 0)
        return self.step(model) * (to - after + self.share * n)

    def first(self, model):
        return self.step(model) * self.share

    def last_step(self, model, after, spent):
        """The last one that the budget pays, when so much was spent by the step `after`."""
        left = self.budget - spent
        n = after + int(max(0, left) // self.step(model)) + 1
        while n > after and self.between(model, after, n, n) > left:
            n -= 1
        return n

    def decays_from(self, n):
        return n - int(self.decay * max(0, n - self.warmup)) if self.decay else n


# --- one arm of one seed ---------------------------------------------------------------------------------------------

class Arm:
    """Looks at its rows and does the one thing that comes next, so that it may be ended and begun again anywhere."""
    def __init__(self, lagd, spec, costs, arm, seed):
        self.lagd, self.spec, self.costs, self.arm, self.seed = lagd, spec, costs, arm, seed
        self.name = f"{spec['name']}.{arm['name']}.s{seed}"
        self.trunk = self.name + ".trunk"
        self.why = ""  # it ends without a result
        asked = [spec[key] for key in ("dataset", "run", "target", "budget")] + [arm, seed]
        self.mark = "plans.py " + hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()[:16]

    def get(self, path):
        return self.lagd.ask("GET", path)

    def own(self, name):
        """The run of that name. Its note says what it was made for; a fork has its trunk's. One that has not trained,
        of a specification that was refused, makes room."""
        run = self.get(f"/runs/{name}")
        if not run or run["note"] == self.mark:
            return run
        if run["note"][:9] == self.mark[:9] and run["state"] == "paused" and run["step"] == 0:
            self.lagd.ask("DELETE", f"/runs/{name}")
            return None
        return refuse(f"run {name} was made for another specification, or by somebody else: give this one another "
                      "name, or delete that run")

    def make(self, name, model, max_steps, start):
        self.lagd.ask("POST", "/runs", merged(self.costs.body, {
            "name": name, "seed": self.seed, "model": model, "schedule": {"max_steps": max_steps}, "start": start,
            "note": self.mark}))

    def fail(self, why):
        self.why = why
        return True

    def advance(self):
        """True: it has ended, or cannot go on."""
        run = self.own(self.name)
        if run:
            return self.look_after(run)
        if "plan" not in self.arm:
            model = merged(self.spec["run"]["model"], self.arm["model"])
            n = self.costs.last_step(model, 0, self.costs.first(model))
            if n < 1:
                return self.fail("the budget pays no step: raise it")
            self.make(self.name, self.arm["model"], n, True)
            return False
        trunk = self.own(self.trunk)
        if trunk:
            return self.lead(trunk)
        # Its decay begins where twice the budget would be spent by the small model: never.
        self.make(self.trunk, {}, 4 + int(4 * self.costs.budget / self.costs.step({})), False)
        return False

    def rehearse(self):
        """What its plan comes to, as far as that is known now. Refuses, before anything trains, what cannot be."""
        if self.own(self.name) or "plan" not in self.arm:
            return
        trunk = self.own(self.trunk)
        if not trunk:
            self.advance()
        elif trunk["step"] > 0:
            return
        plan = self.lagd.ask("PUT", f"/runs/{self.trunk}/plan?dry_run=true", self.arm["plan"])
        model, step, spent = {}, 0, self.costs.first({})
        for stage in plan["stages"]:
            growth, lag = stage["growth"], self.arm["plan"]["stages"][stage["position"] - 1]
            spent += self.costs.between(model, step, stage["begins"], sys.maxsize) + growth["flops_total"]
            model, step = growth["to"], stage["begins"] + lag.get("probe", {}).get("steps", 50)
        if why := self.too_late(model, step, spent):
            refuse(f"arm {self.arm['name']}: {why}")

    def too_late(self, model, step, spent):
        """Why it cannot end in time, when its last stage is decided at that step."""
        if spent > self.costs.budget:
            return OVER
        n = self.costs.last_step(model, step, spent)
        if n > step and self.costs.decays_from(n) > step:
            return ""
        return (f"its last stage is decided at step {step}, with {spent / self.costs.budget:.0%} of the budget spent; "
                f"it would end at step {max(n, step)}, and its learning rate would have to fall before that decision: "
                "let the stage begin earlier, probe it shorter, or raise the budget")

    def look_after(self, run):
        trunk = self.own(self.trunk)
        if trunk and trunk["state"] not in ENDED:
            self.lagd.ask("POST", f"/runs/{self.trunk}/cancel")
        elif run["state"] in ENDED:
            return run["state"] == "completed" or self.fail(f"run {self.name} is {run['state']}: {run['reason']}")
        elif run["state"] == "paused":
            self.lagd.ask("POST", f"/runs/{self.name}/resume")
        return False

    def lead(self, trunk):
        stages = self.get(f"/runs/{self.trunk}/plan")["stages"]
        if trunk["state"] in ENDED:
            # It trains on where nobody stops it in time; what it was wanted for may be there all the same.
            if trunk["state"] == "completed" and stages and all(one["state"] == "applied" for one in stages):
                return self.fork(trunk)
            return self.fail(f"run {self.trunk} is {trunk['state']}: {trunk['reason']}")
        if not stages:
            self.lagd.ask("PUT", f"/runs/{self.trunk}/plan", self.arm["plan"])
            return False
        lost = [i for i, one in enumerate(stages, 1) if one["state"] not in PENDING + ("applied",)]
        waits = [i for i, one in enumerate(stages, 1) if one["state"] in PENDING]
        over = bool(waits) and trunk["flops"] > self.costs.budget
        if waits and not lost and not over:
            if trunk["state"] == "paused":
                self.lagd.ask("POST", f"/runs/{self.trunk}/resume")
            return False
        if trunk["state"] != "paused":
            self.lagd.ask("POST", f"/runs/{self.trunk}/pause")
            return False
        if lost:
            return self.fail(f"stage {lost[0]} of run {self.trunk} is {stages[lost[0] - 1]['state']}")
        if over:
            return self.fail(OVER)
        return self.fork(trunk)

    def fork(self, trunk):
        at = decided(self.lagd, trunk)
        model, spent = at["to"], spent_by(self.costs, trunk, at)
        if why := self.too_late(model, at["step"], spent):
            return self.fail(why)
        n = self.costs.last_step(model, at["step"], spent)
        self.lagd.ask("POST", f"/runs/{self.trunk}/fork", {
            "checkpoint": at["checkpoint"], "name": self.name, "schedule": {"max_steps": n}})
        return False


def growths_of(lagd, run):
    rows = lagd.ask("GET", f"/runs/{run['id']}/growths?limit=1000")["items"]
    return sorted((row for row in rows if row["state"] == "applied"), key=lambda row: row["start_step"])


def decided(lagd, trunk):
    """Where the last growth was applied: its shape, step and checkpoint; and all growths."""
    rows, growths = lagd.ask("GET", f"/runs/{trunk['id']}/checkpoints?limit=1000")["items"], growths_of(lagd, trunk)
    newest = max((row for row in rows if row["kind"] == "growth"), key=lambda row: row["step"])
    return {"step": newest["step"], "checkpoint": newest["id"], "to": growths[-1]["to"], "growths": growths}


def winner_of(growth):
    return next(one for one in growth["candidates"] if one["id"] == growth["decision"]["candidate"])


def operators_of(growth):
    return [one for one in growth["candidates"] if one["operator"] != "none"]


def free_of(costs, growth):
    """What lagd spends beside the one operator of a growth that chooses nothing."""
    if len(operators_of(growth)) > 1:
        return 0
    return costs.first(growth["from"]) + growth["decision"]["flops"] - winner_of(growth)["flops"]


def spent_by(costs, trunk, at):
    """What is charged up to then: the trunk may have trained on since."""
    since = costs.between(at["to"], at["step"], trunk["step"], trunk["max_steps"])
    # FLOPs are whole; what was added in another order may differ behind the point.
    return float(round(trunk["flops"] - since - sum(free_of(costs, growth) for growth in at["growths"])))


# --- rows for the report ---------------------------------------------------------------------------------------------

def points(lagd, run):
    series = lagd.ask("GET", f"/runs/{run['id']}/series?key=val/loss&max_points=5000")
    return list(zip(series["step"], series["series"]["val/loss"]["last"]))


def told(growth):
    winner = winner_of(growth)
    at_0 = next((one["label"] for one in growth["candidates"] if one["id"] == growth["decision"]["pick_at_0"]), None)
    return {"step": growth["start_step"], "change": growth["change"], "picked": winner["label"],
            "basis": growth["decision"]["basis"], "at_0": at_0, "lag": winner["t"],
            "n_candidates": len(operators_of(growth))}


def trunk_curve(lagd, costs, trunk, at):
    """Validation losses by all FLOPs; the growths' FLOPs are spent when they are decided."""
    model, step, flops, curve = {}, 0, costs.first({}), []
    losses = points(lagd, trunk)
    for growth in at["growths"] + [None]:
        begins = growth["start_step"] if growth else at["step"]
        curve += [[flops + costs.between(model, step, x, trunk["max_steps"]), loss] for x, loss in losses
                  if (step < x or x == step == 0) and x <= begins]
        if not growth:
            return curve
        flops += costs.between(model, step, begins, trunk["max_steps"]) + growth["decision"]["flops"] + costs.first(
            growth["from"]) - free_of(costs, growth)
        step, model = begins + winner_of(growth)["t"], growth["to"]


def result_of(lagd, costs, one):
    """A row of the report. Pure: from lagd's rows."""
    row = {"arm": one.arm["name"], "seed": one.seed, "run": one.name, "why": one.why or None, "loss": None,
           "steps": None, "flops": None, "flops_probes": 0, "growths": [], "curve": []}
    run, trunk = one.get(f"/runs/{one.name}"), one.get(f"/runs/{one.trunk}")
    if one.why or not run or run["state"] != "completed":
        return dict(row, why=one.why or "it has not ended yet")
    start, model, before = 0, run["model"], 0
    if trunk:
        at = decided(lagd, trunk)
        start, model, before = at["step"], at["to"], spent_by(costs, trunk, at)
        free = sum(free_of(costs, growth) for growth in at["growths"])
        row.update(growths=[told(growth) for growth in at["growths"]], flops_probes=trunk["flops_probes"] - free,
                   curve=trunk_curve(lagd, costs, trunk, at))
    first = before if trunk else costs.first(model)
    row["curve"] += [[first + costs.between(model, start, x, run["max_steps"]), loss] for x, loss in points(lagd, run)]
    return dict(row, loss=run["latest"]["val/loss"], steps=run["max_steps"], flops=before + run["flops"])


# --- the whole -------------------------------------------------------------------------------------------------------

def prepare(lagd, spec):
    if lagd.ask("GET", f"/datasets/{spec['dataset']}"):
        return
    if spec["dataset"] not in ("bible", "code"):
        refuse(f"there is no dataset {spec['dataset']}: `lagctl dataset add` makes one")
    lagd.ask("POST", f"/datasets?name={spec['dataset']}&wait=60", study.read_text(spec["dataset"]), "text/plain")


def drive(arms, parallel):
    """One seed after the other, some runs at once."""
    waiting, active = list(arms), []
    while waiting or active:
        while waiting and len(active) < parallel:
            active.append(waiting.pop(0))
        for one in [one for one in active if one.advance()]:
            active.remove(one)
            print(f"{one.name}: {one.why or 'ended'}", flush=True)
        time.sleep(0.2)


def compare(lagd, spec, folder):
    prepare(lagd, spec)
    costs = Costs(lagd, spec)
    arms = [Arm(lagd, spec, costs, arm, seed) for seed in spec["seeds"] for arm in spec["arms"]]
    for one in arms[:len(spec["arms"])]:
        one.rehearse()
    drive(arms, spec.get("parallel", 2))
    report = plan_report.make(spec, costs.budget, [result_of(lagd, costs, one) for one in arms])
    for form, text in plan_report.texts(report).items():
        with open(os.path.join(folder, f"{spec['name']}.{form}"), "w", encoding="utf-8") as file:
            file.write(text)
    return report


def main():
    if len(sys.argv) not in (3, 4):
        sys.exit(__doc__.split("\n\n")[1])
    program, which = os.path.abspath(sys.argv[1]), sys.argv[2]
    folder = os.path.abspath(sys.argv[3] if len(sys.argv) == 4 else "build-studies/plans")
    try:
        with open(which, encoding="utf-8") if which not in SETS else open(os.devnull, encoding="utf-8") as file:
            spec = SETS.get(which) or json.load(file)
        check_spec(spec)
    except (OSError, ValueError) as error:
        refuse(f"{which}: {error}")
    os.makedirs(folder, exist_ok=True)
    lagd = None
    try:
        lagd = connect(program, folder)
        report = compare(lagd, spec, folder)
    except (OSError, http.client.HTTPException) as error:
        refuse(f"lagd does not answer ({error}): start it and call this again, which goes on where it ended")
    finally:
        if lagd:
            lagd.end()
    print("\n" + plan_report.texts(report)["md"] + f"\nReports: {folder}/{spec['name']}.*")


if __name__ == "__main__":
    main()
