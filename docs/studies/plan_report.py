"""The report of plans.py: which way to a large model ends lower at equal FLOPs, and how sure that is.

Pure: rows in, a report out. A row is one arm of one seed, as plans.py reads it from lagd; a report is an object, which
texts() writes as JSON, Markdown and SVG. All is paired by seed: the arms of a seed begin with the same weights and meet
the same data. What is said of two arms rests on the mean of their differences and its interval of 95 % by Student's t
over the seeds; one that holds 0 has shown nothing. A group of arms counts as their mean: what taking one of them
without knowing more comes to.
"""
import html
import json
import math

import judge

# --- numbers ---------------------------------------------------------------------------------------------------------


def finals_of(rows, arm):
    return {row["seed"]: row["loss"] for row in rows if row["arm"] == arm and row["loss"] is not None}


def means_of(rows, arms):
    """Of the seeds in which all of these have ended: what taking one of them at random comes to."""
    finals = [finals_of(rows, arm) for arm in arms]
    return {seed: sum(one[seed] for one in finals) / len(finals) for seed in set.intersection(*map(set, finals))}


def compare(rows, one, other, arms):
    """What `other`, the mean of these arms, ends above `one`, over the seeds that have both."""
    a, b = finals_of(rows, one), means_of(rows, arms)
    differences = {seed: b[seed] - a[seed] for seed in sorted(set(a) & set(b))}
    mean, low, high = judge.interval(list(differences.values()))
    lower = None if low is None or low <= 0 <= high else one if low > 0 else other
    return {"arm": one, "other": other, "n_seeds": len(differences), "difference": mean, "low": low, "high": high,
            "differences": differences, "lower": lower}


def mean(values):
    values = [value for value in values if value is not None]
    return sum(values) / len(values) if values else None


def arm_of(rows, name, budget):
    own = [row for row in rows if row["arm"] == name]
    loss, low, high = judge.interval(list(finals_of(rows, name).values()))
    ended = [row for row in own if row["loss"] is not None]
    return {"name": name, "n_ended": len(ended), "loss": loss, "low": low, "high": high,
            "steps": mean(row["steps"] for row in ended),
            "share": mean(row["flops"] / budget for row in ended),
            "share_of_probes": mean(row["flops_probes"] / row["flops"] for row in ended)}


def make(spec, budget, rows):
    names = [arm["name"] for arm in spec["arms"]]
    return {"study": spec, "budget": budget, "arms": [arm_of(rows, name, budget) for name in names],
            "comparisons": [compare(rows, names[0], name, [name]) for name in names[1:]] +
                           [compare(rows, names[0], name, arms) for name, arms in spec.get("groups", {}).items()],
            "rows": rows}


# --- Markdown --------------------------------------------------------------------------------------------------------

def number(value, digits=4):
    return "–" if value is None else f"{value:.{digits}f}".replace("-", "−")


def interval(value, low, high):
    return number(value) if low is None else f"{number(value)} [{number(low)}, {number(high)}]"


def percent(value, digits=1):
    return "–" if value is None else f"{value:.{digits}%}"


def sentence(found):
    one, other, n, difference = found["arm"], found["other"], found["n_seeds"], found["difference"]
    if difference is None:
        return f"`{one}` and `{other}` cannot be compared: no seed has both."
    if found["low"] is None:
        return f"`{other}` ends {number(difference)} above `{one}` in the one seed that has both: nothing is shown."
    if not found["lower"]:
        return (f"Not shown: over {n} seeds `{other}` ends {interval(difference, found['low'], found['high'])} above "
                f"`{one}`, an interval that holds 0.")
    if found["lower"] == other:
        by = interval(-difference, -found["high"], -found["low"])
        return f"`{other}` ends lower than `{one}`, by {by}, {n} seeds."
    by = interval(difference, found["low"], found["high"])
    return f"`{one}` ends lower than `{other}`, by {by}, {n} seeds."


def story(growth):
    first = "" if growth["n_candidates"] == 1 else f", {growth['basis']}; step 0 would have taken {growth['at_0']}"
    return f"{growth['change']} at {growth['step']}: {growth['picked']}{first}"


def markdown(report):
    n_seeds = len(report["study"]["seeds"])
    lines = [f"# {report['study']['name']}: ways to a large model at equal FLOPs", "",
             f"Budget of each arm: {report['budget']:.4g} FLOPs, with all training from step 0, its validations, and "
             f"the probes of its growths. {n_seeds} seed{'s' if n_seeds > 1 else ''}. Losses in nats; intervals of "
             "95 % by Student's t over the seeds.", "",
             "| arm | final loss [95 %] | seeds | FLOPs spent | of them probes | steps |",
             "|---|---|---:|---:|---:|---:|"]
    for arm in report["arms"]:
        lines.append(f"| {arm['name']} | {interval(arm['loss'], arm['low'], arm['high'])} | {arm['n_ended']} | "
                     f"{percent(arm['share'], 2)} | {percent(arm['share_of_probes'])} | {number(arm['steps'], 0)} |")
    first = report["arms"][0]["name"]
    lines += ["", f"Paired by seed, above `{first}`:", "",
              "| arm | difference [95 %] | by seed | |", "|---|---|---|---|"]
    for found in report["comparisons"]:
        by_seed = ", ".join(number(value) for value in found["differences"].values())
        lines.append(f"| {found['other']} | {interval(found['difference'], found['low'], found['high'])} | {by_seed} | "
                     f"{found['lower'] + ' is lower' if found['lower'] else 'not shown'} |")
    lines += [""] + [f"- {sentence(found)}" for found in report["comparisons"]]
    chosen = [row for row in report["rows"] if any(growth["n_candidates"] > 1 for growth in row["growths"])]
    lines += ["", "What was chosen:", ""] * bool(chosen)
    lines += [f"- {row['arm']}, seed {row['seed']}: " + "; ".join(map(story, row["growths"])) for row in chosen]
    missing = [row for row in report["rows"] if row["loss"] is None]
    lines += ["", "Without a result, and so in no pair:", ""] * bool(missing)
    lines += [f"- {row['arm']}, seed {row['seed']}: {row['why']}" for row in missing]
    return "\n".join(lines) + "\n"


# --- SVG -------------------------------------------------------------------------------------------------------------

COLOURS = ["#0b62ad", "#c44e00", "#00805c", "#a8467e", "#8a6500", "#6a4fbf", "#1b1f26", "#2a8cb8"]
DASHES = ["", "7 4", "2 3", "9 3 2 3"]
WIDTH, LEFT, RIGHT, FROM = 760, 110, 40, 0.2  # the curves are drawn from this share of the budget on


def ticks(low, high, n=5):
    """Round numbers between the two."""
    raw = max((high - low) / n, 1e-12)
    unit = 10 ** math.floor(math.log10(raw))
    step = next(unit * k for k in (1, 2, 5, 10) if unit * k >= raw)
    return [k * step for k in range(math.ceil(low / step), math.floor(high / step) + 1)]


class Axis:
    def __init__(self, low, high, start, end, log=False):
        self.log = math.log10 if log else float
        self.low, self.high = self.log(low), self.log(high)
        self.start, self.end = start, end

    def at(self, value):
        span = self.high - self.low or 1
        return self.start + (self.end - self.start) * (self.log(value) - self.low) / span


def text(x, y, words, anchor="start", more=""):
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="currentColor"{more}>{html.escape(words)}</text>'


def line(x0, y0, x1, y1, colour, more=""):
    return f'<path d="M{x0:.1f} {y0:.1f}L{x1:.1f} {y1:.1f}" stroke="{colour}" fill="none"{more}/>'


def style(i):
    dash = DASHES[i // len(COLOURS) % len(DASHES)]
    return COLOURS[i % len(COLOURS)], ' stroke-width="1.6"' + (f' stroke-dasharray="{dash}"' if dash else "")


def curves(report, top, height):
    """Loss against all FLOPs, each seed a line."""
    names = [arm["name"] for arm in report["arms"]]
    rows = [row for row in report["rows"] if len(row["curve"]) > 1]
    points = [(x, y) for row in rows for x, y in row["curve"] if x > FROM * report["budget"]]
    if not points:
        return [text(LEFT, top + 20, "No arm has ended yet.")]
    losses = [y for _, y in points]
    x = Axis(FROM * report["budget"], report["budget"], LEFT, WIDTH - RIGHT)
    y = Axis(min(losses), max(losses), top + height - 40, top + 10)
    out = []
    for value in ticks(min(losses), max(losses)):
        out += [line(LEFT, y.at(value), WIDTH - RIGHT, y.at(value), "#dce0e6"),
                text(LEFT - 7, y.at(value) + 4, number(value, 2), "end")]
    for share in (0.2, 0.4, 0.6, 0.8, 1):
        out.append(text(x.at(share * report["budget"]), top + height - 22, percent(share, 0), "middle"))
    out.append(text((LEFT + WIDTH - RIGHT) / 2, top + height - 4, "share of the budget of FLOPs, probes included",
                    "middle"))
    for row in rows:
        colour, more = style(names.index(row["arm"]))
        path = "L".join(f"{x.at(a):.1f} {y.at(b):.1f}" for a, b in row["curve"] if a > FROM * report["budget"])
        if path:
            out.append(f'<path d="M{path}" stroke="{colour}" fill="none"{more} opacity="0.75"><title>'
                       f'{html.escape(row["arm"])}, seed {row["seed"]}</title></path>')
    return out


def legend(report, top):
    out, x = [], LEFT
    for i, arm in enumerate(report["arms"]):
        colour, more = style(i)
        out += [line(x, top, x + 22, top, colour, more), text(x + 27, top + 4, arm["name"])]
        x += 45 + 8 * len(arm["name"])
    return out


def differences(report, top, pace):
    """Each arm above the first one: its seeds as dots, their mean and its interval."""
    found = [one for one in report["comparisons"] if one["difference"] is not None]
    values = [0.0] + [v for one in found for v in [one["low"], one["high"], *one["differences"].values()]
                      if v is not None]
    if not found:
        return [text(LEFT, top + 20, "No seed has two arms that have ended.")]
    bottom = top + pace * len(report["comparisons"]) + 8
    x = Axis(min(values), max(values), LEFT + 10, WIDTH - RIGHT)
    out = []
    for value in ticks(min(values), max(values), 6):
        out += [line(x.at(value), top, x.at(value), bottom, "#59616e" if abs(value) < 1e-12 else "#dce0e6"),
                text(x.at(value), bottom + 16, number(value, 3), "middle")]
    for i, one in enumerate(report["comparisons"]):
        y, colour = top + pace * (i + 0.5) + 4, COLOURS[(i + 1) % len(COLOURS)]
        out.append(text(LEFT - 7, y + 4, one["other"], "end"))
        if one["low"] is not None:
            out.append(line(x.at(one["low"]), y, x.at(one["high"]), y, colour, ' stroke-width="2"'))
        out += [f'<circle cx="{x.at(value):.1f}" cy="{y:.1f}" r="3" fill="{colour}" opacity="0.55"><title>seed {seed}: '
                f'{number(value)}</title></circle>' for seed, value in one["differences"].items()]
        if one["difference"] is not None:
            out.append(f'<path d="M{x.at(one["difference"]):.1f} {y - 7:.1f}v14" stroke="{colour}" stroke-width="3"/>')
    out.append(text((LEFT + WIDTH - RIGHT) / 2, bottom + 34,
                    f"final loss above that of {report['arms'][0]['name']}, nats: right of 0 it ends higher", "middle"))
    return out


def svg(report):
    pace, height = 30, 360
    second = 96 + height
    total = second + 30 + pace * len(report["comparisons"]) + 60
    name = html.escape(report["study"]["name"])
    title = ' font-weight="600"'
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{total}" viewBox="0 0 {WIDTH} {total}" '
             'role="img" aria-labelledby="pl-title pl-desc" color="#1b1f26" font-family="system-ui, sans-serif" '
             f'font-size="13">', f'<title id="pl-title">{name}: ways to a large model at equal FLOPs</title>',
             '<desc id="pl-desc">Validation loss against all FLOPs spent, for every arm and seed; below, how far each '
             'arm ends above the first one, paired by seed, with the interval of the mean.</desc>',
             '<rect width="100%" height="100%" fill="#ffffff"/>',
             text(20, 22, "Validation loss against all FLOPs", more=title), *legend(report, 44),
             *curves(report, 56, height), text(20, second, "At the end of the budget, paired by seed", more=title),
             *differences(report, second + 14, pace), "</svg>"]
    return "\n".join(parts) + "\n"


def texts(report):
    return {"json": json.dumps(report, indent=1) + "\n", "md": markdown(report), "svg": svg(report)}
