#!/usr/bin/python3
"""Judges from the reports of studies whether `auto` may be the default, and whether verified verdicts hold to the end.

usage: judge.py REPORT.json…      as ./dev study leaves them in build-studies/full/reports
       judge.py SOCKET            the completed studies of the lagd that listens there

A report's allocators and verdicts know of the end what the other studies of its database say, never the study itself,
and nothing where these are fewer than three. So four studies are the least that can be judged.
auto    is no worse than `all` where the upper end of the mean difference of their regrets, over the studies and with
        `all` at one lag of the same cost, stays within delta (95 %, Student); and no study may have a lag that costs
        less than auto and whose pick ends better by more than delta
verified  of these verdicts at least 95 % must pick what ends within delta of the best
"""
import json
import math
import os
import stat
import sys

import study

LEAST_STUDIES, LEAST_SHARE = 4, 0.95
STUDENT = [12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131,
           2.120, 2.110, 2.101, 2.093, 2.086]  # the 0.975 quantile by degrees of freedom, from 1 on


def interval(values):
    """Mean, and its interval of 95 %; None for what is not known."""
    n = len(values)
    if n < 2:
        return (values[0] if values else None), None, None
    mean = sum(values) / n
    half = STUDENT[min(n - 1, len(STUDENT)) - 1] * math.sqrt(sum((v - mean) ** 2 for v in values) / (n - 1) / n)
    return mean, mean - half, mean + half


def auto_of(report):
    return next((one for one in report["allocators"] if one["allocator"] == "auto" and one["regret"] is not None), None)


def better_lag(report, auto):
    """The first lag that costs less than auto, and ends better by more than delta."""
    delta = report["study"]["delta"]
    return next((p["t"] for p in report["regret"] if p["regret"] is not None and p["probe_steps"] < auto["probe_steps"]
                 and p["regret"] < auto["regret"] - delta), None)


def judge_study(report):
    auto = auto_of(report)
    if not auto:
        return {"name": report["study"]["name"], "auto": None}
    return {"name": report["study"]["name"], "auto": auto["regret"], "steps": auto["probe_steps"],
            "all": study.at_equal_cost(report, auto["probe_steps"]), "better_lag": better_lag(report, auto)}


def judge(reports):
    rows = [judge_study(report) for report in reports]
    differences = [row["auto"] - row["all"] for row in rows if row["auto"] is not None and row["all"] is not None]
    mean, low, high = interval(differences)
    verdicts = [v for report in reports for v in report["verdicts"] if v["basis"] == "verified"]
    n, n_within = sum(v["n"] for v in verdicts), sum(v["n_within_delta"] for v in verdicts)
    delta = min((report["study"]["delta"] for report in reports), default=0)
    reasons = []
    if len(differences) < LEAST_STUDIES:
        reasons.append(f"auto can be compared in {len(differences)} studies, and {LEAST_STUDIES} are the least")
    elif not high <= delta:
        reasons.append(f"the regret of auto may be {high:.4f} above that of all, more than {delta:g}")
    for row in rows:
        if row.get("better_lag") is not None:
            reasons.append(f"in {row['name']} a lag of {row['better_lag']} costs less than auto and ends better")
    doubts = []
    if n == 0:
        doubts.append("no verdict was verified")
    elif n_within / n < LEAST_SHARE:
        doubts.append(f"{n_within} of {n} verified verdicts end within delta of the best, fewer than {LEAST_SHARE:.0%}")
    return {"rows": rows, "mean": mean, "low": low, "high": high, "n_verified": n, "n_within": n_within,
            "auto": not reasons, "reasons": reasons, "verified": not doubts, "doubts": doubts}


def tell(found):
    lines = ["| study | probe steps of auto | regret of auto | of all at that cost | a cheaper lag that ends better |",
             "|---|---:|---:|---:|---:|"]
    for row in found["rows"]:
        lines.append(f"| {row['name']} | – | – | – | – |" if row["auto"] is None else
                     f"| {row['name']} | {row['steps']:.0f} | {row['auto']:.4f} | {study.number(row['all'])} | "
                     f"{row['better_lag'] or '–'} |")
    if found["low"] is not None:
        lines += ["", f"auto − all: {found['mean']:.4f} [{found['low']:.4f}, {found['high']:.4f}]"]
    lines += ["", f"auto is no worse than all: {'yes' if found['auto'] else 'not shown'}"]
    lines += [f"- {reason}" for reason in found["reasons"]]
    lines += [f"verified verdicts hold: {'yes' if found['verified'] else 'not shown'}"
              + (f", {found['n_within']} of {found['n_verified']}" if found["n_verified"] else "")]
    return "\n".join(lines + [f"- {doubt}" for doubt in found["doubts"]])


def get(socket, path):
    connection = study.Connection(socket)
    try:
        connection.request("GET", "/api/v1" + path)
        answer = connection.getresponse()
        data = json.loads(answer.read())
        if answer.status != 200:
            sys.exit(f"judge: {path}: {data.get('detail')}")
        return data
    finally:
        connection.close()


def reports_of(socket):
    """Of all completed studies, each with what the others say of the end."""
    studies = get(socket, "/studies?limit=1000")["items"]
    return [get(socket, f"/studies/{one['id']}/report?format=json") for one in studies if one["state"] == "completed"]


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__.split("\n\n")[1])
    reports = []
    for path in sys.argv[1:]:
        if stat.S_ISSOCK(os.stat(path).st_mode):
            reports += reports_of(path)
            continue
        with open(path, encoding="utf-8") as file:
            reports.append(json.load(file))
    print(tell(judge(reports)))


if __name__ == "__main__":
    main()
