#!/usr/bin/python3
"""Makes studies.txt, which tests/engine/test_study.c compares the engine's reports with.

Written from the formulas with numpy and scipy (Debian: python3-scipy). Run it in this folder. A case is: G n K B,
delta, warm-up's end, decay's begin; the K times (0 first, the last is H); diverged [G][n]; losses [G][n][K][B]. Then
follow, for each time: Pearson, Spearman, τ_b, pair accuracy beyond delta, the least and most without one candidate,
regret, regret of the spread; then random, spread, reliability; the largest break (before, t, height) and the one within
the constant learning rate; each time's low and high of the pair accuracy, and of the regret; and of the latter break
the height's and the place's low and high. nan: not known. The draws are Philox's, written from its paper."""
import functools
import math
import warnings

import numpy as np
from scipy import stats


DRAWS, KEY, PURPOSE = 1000, 0x6C61676473747564, 6
M64 = (1 << 64) - 1


def philox(key, high, low):
    """Philox4x32-10 (Salmon et al., SC'11): the first 64 bits."""
    c = [low & 0xFFFFFFFF, low >> 32, high & 0xFFFFFFFF, high >> 32]
    k0, k1 = key & 0xFFFFFFFF, key >> 32
    for _ in range(10):
        a, b = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = [b >> 32 ^ c[1] ^ k0, b & 0xFFFFFFFF, a >> 32 ^ c[3] ^ k1, a & 0xFFFFFFFF]
        k0, k1 = k0 + 0x9E3779B9 & 0xFFFFFFFF, k1 + 0xBB67AE85 & 0xFFFFFFFF
    return c[1] << 32 | c[0]


def below(step, index, bound):
    key = KEY
    while True:
        product = philox(key, PURPOSE << 56 | step, index) * bound
        if product & M64 >= ((1 << 64) - bound) % bound:
            return product >> 64
        key = key + 0x9E3779B97F4A7C15 & M64


@functools.lru_cache(None)
def draws(what, n):
    """How often each of n is in each draw."""
    counts = np.zeros((DRAWS, n))
    for d in range(DRAWS):
        for i in range(n):
            counts[d, below(d, i << 1 | what, n)] += 1
    return counts


def widening(n):
    return stats.t.ppf(0.975, n - 1) / stats.norm.ppf(0.975) * math.sqrt(n / (n - 1))


def drawn_tau(a, b, weights):
    """τ_b of samples in which candidate i is weights[:, i] times."""
    i, j = np.triu_indices(len(a), 1)
    pairs = weights[:, i] * weights[:, j]
    x, y = np.sign(a[i] - a[j]), np.sign(b[i] - b[j])
    both = (pairs @ (x != 0)) * (pairs @ (y != 0))
    with np.errstate(all="ignore"):
        return np.where(both > 0, pairs @ (x * y) / np.sqrt(both), math.nan)


def draw_accuracy(at, alive, n):
    """The draws of the pooled pair accuracy at one time; at has (losses, finals) of each group."""
    union = sorted({i for a in alive for i in a})
    place = {i: k for k, i in enumerate(union)}
    own = np.array([tau(a, b) for a, b in at])
    known = np.isfinite(own)
    if not known.any() or (len(at) < 2 and len(union) < 3):
        return np.full(DRAWS, math.nan)
    weights = draws(1, len(union)) if len(union) >= 3 else np.ones((DRAWS, len(union)))
    times = draws(0, len(at)) if len(at) >= 2 else np.ones((DRAWS, 1))
    by_group = np.array([drawn_tau(a, b, weights[:, [place[i] for i in w]]) for (a, b), w in zip(at, alive)])[known]
    theta, n_known = own[known].mean(), int(known.sum())
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        moved = np.nanmean(by_group, axis=0) - theta
        groups = (times[:, known] @ own[known]) / times[:, known].sum(axis=1) - theta
        together = np.nansum(moved ** 2) / DRAWS
        within = np.nanmean((by_group - own[known][:, None]) ** 2, axis=1).mean()
    factor = 0.0
    if n_known >= 2 and len(at) >= 2:
        between = own[known].var(ddof=1)
        shared = max(0, within - together) * n_known / (n_known - 1)
        factor = widening(len(at)) * math.sqrt(max(0, between - shared) / between) if between > 0 else 0.0
    candidates = math.sqrt(len(union) / (len(union) - 1)) if len(union) >= 3 else 0.0
    return (theta + candidates * moved + factor * groups + 1) / 2


def interval(values):
    values = values[np.isfinite(values)]
    return np.quantile(values, [0.025, 0.975]) if len(values) else [math.nan, math.nan]


def heights(curves, weights):
    """Of each draw's curve [times][DRAWS] the height at every place, and the place that leaves the least squares."""
    result, gains = [], []
    for k in range(len(weights) - 1):
        sums = []
        for s in (slice(0, k + 1), slice(k + 1, None)):
            known = np.isfinite(curves[s])
            weight = (known * weights[s, None]).sum(axis=0)
            with np.errstate(all="ignore"):
                sums.append((weight, np.where(known, curves[s], 0).T @ weights[s] / weight, known.sum(axis=0)))
        (w1, m1, n1), (w2, m2, n2) = sums
        result.append(np.where((n1 >= 2) & (n2 >= 2), m2 - m1, math.nan))
        with np.errstate(all="ignore"):
            gains.append(w1 * w2 / (w1 + w2) * result[-1] ** 2)
    gains = np.nan_to_num(np.array(gains), nan=0.0)
    return np.array(result), np.where(gains.max(axis=0) > 0, gains.argmax(axis=0), math.nan)


def break_intervals(times, accuracy, curves):
    """Of the height by the largest deviation over all places, and of the place."""
    if len(times) < 4:
        return [math.nan] * 4
    x = np.log(times)
    weights = np.array([(x[min(k + 1, len(x) - 1)] - x[max(k - 1, 0)]) / 2 for k in range(len(x))])
    seen, place = heights(accuracy[:, None], weights)
    if np.isnan(place[0]):
        return [math.nan] * 4
    drawn, places = heights(curves, weights)
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        errors = np.sqrt(np.nanmean((drawn - seen) ** 2, axis=1))
        largest = np.nanmax(np.where(errors[:, None] > 1e-12, np.abs(drawn - seen) / errors[:, None], math.nan), axis=0)
    k = int(place[0])
    known = largest[np.isfinite(largest)]
    half = np.quantile(known, 0.95) * errors[k] if errors[k] > 1e-12 else 0.0
    low, high = interval(places)
    where = [times[k], times[k + 1]] if np.isnan(low) else [times[int(low)], times[math.ceil(high) + 1]]
    return [seen[k, 0] - half, seen[k, 0] + half, *where]


def constant(x):
    return len(x) < 2 or np.all(x == x[0])


def tau(a, b):
    return math.nan if constant(a) or constant(b) else stats.kendalltau(a, b, variant="b")[0]


def tau_beyond(a, b, delta):
    i, j = np.triu_indices(len(a), 1)
    far = np.abs(b[i] - b[j]) > delta
    x, y = np.sign(a[i] - a[j])[far], np.sign(b[i] - b[j])[far]
    both = (x != 0).sum() * (y != 0).sum()
    return (x * y).sum() / math.sqrt(both) if both else math.nan


def mean(values):
    known = [v for v in values if np.isfinite(v)]
    return float(np.mean(known)) if known else math.nan


def reliability(x):
    """The mean over all ways to halve the batches of Rulon's split-half coefficient, by definition."""
    n_batches = x.shape[1]
    if n_batches < 2 or n_batches % 2:
        total = x.sum(axis=1).var(ddof=1)
        if n_batches < 2 or total <= 0:
            return math.nan
        return min(1, max(0, n_batches / (n_batches - 1) * (1 - x.var(axis=0, ddof=1).sum() / total)))
    halves = []
    for bits in range(1 << n_batches):
        half = np.array([bits >> b & 1 for b in range(n_batches)], dtype=bool)
        if half.sum() * 2 == n_batches:
            a, b = x[:, half].sum(axis=1), x[:, ~half].sum(axis=1)
            total = (a + b).var(ddof=1)
            if total <= 0:
                return math.nan
            halves.append(4 * np.cov(a, b)[0, 1] / total)
    return min(1, max(0, float(np.mean(halves))))


def find_break(times, accuracy):
    """The place by brute force: weighted least squares of two levels."""
    if len(times) < 2:
        return -1, -1, math.nan
    x = np.log(times)
    weights = np.gradient(x) if len(x) > 1 else np.array([0.0])
    weights[0], weights[-1] = (x[1] - x[0]) / 2, (x[-1] - x[-2]) / 2
    for k in range(1, len(x) - 1):
        weights[k] = (x[k + 1] - x[k - 1]) / 2
    known = np.isfinite(accuracy)
    best = (math.inf, -1)
    for k in range(len(x) - 1):
        left, right = known & (np.arange(len(x)) <= k), known & (np.arange(len(x)) > k)
        if left.sum() < 2 or right.sum() < 2:
            continue
        error = sum(np.average((accuracy[s] - np.average(accuracy[s], weights=weights[s])) ** 2, weights=weights[s])
                    * weights[s].sum() for s in (left, right))
        if error < best[0] - 1e-13:
            height = np.average(accuracy[right], weights=weights[right]) - np.average(accuracy[left],
                                                                                     weights=weights[left])
            best = (error, k, height)
    whole = np.average((accuracy[known] - np.average(accuracy[known], weights=weights[known])) ** 2,
                       weights=weights[known]) * weights[known].sum() if known.any() else 0
    if best[1] < 0 or whole - best[0] < 1e-13:
        return -1, -1, math.nan
    return times[best[1]], times[best[1] + 1], best[2]


def batch_interval(finals, pick):
    """finals is [n][B]: the largest bounds of the pick against each other one."""
    n, n_batches = finals.shape
    low = high = 0.0
    for j in range(n):
        if j == pick:
            continue
        d = finals[pick] - finals[j]
        se = d.std(ddof=1) / math.sqrt(n_batches)
        high = max(high, d.mean() + stats.t.ppf(0.975, n_batches - 1) * se)
        low = max(low, d.mean() - stats.t.ppf(1 - 0.025 / (n - 1), n_batches - 1) * se)
    return low, high


def in_order(losses, diverged):
    """The groups by their means, who is not ranked first: the order in which the draws count them."""
    means = losses.mean(axis=3)
    means[diverged] = -math.inf
    ranked = ~diverged.all(axis=0)
    order = sorted(range(len(losses)), key=lambda g: tuple(means[g][ranked].T.ravel()))
    return losses[order], diverged[order]


def report(losses, diverged, times, delta, warm, decay):
    losses, diverged = in_order(losses, diverged)
    groups = [losses[g][~diverged[g]] for g in range(len(losses))]
    alive = [np.flatnonzero(~d) for d in diverged]
    n = losses.shape[1]
    means = [x.mean(axis=2) for x in groups]
    rows, accuracy, curves, intervals = [], [], [], []
    for k in range(len(times)):
        at = [(m[:, k], m[:, -1]) for m in means]
        pearson = mean([math.nan if constant(a) or constant(b) else stats.pearsonr(a, b)[0] for a, b in at])
        spearman = mean([math.nan if constant(a) or constant(b) else stats.spearmanr(a, b)[0] for a, b in at])
        tau_b = mean([tau(a, b) for a, b in at])
        beyond = mean([tau_beyond(a, b, delta) for a, b in at])
        without = [mean([tau(a[w != i], b[w != i]) for (a, b), w in zip(at, alive)]) for i in range(n)]
        without = [(w + 1) / 2 for i, w in enumerate(without) if any(i in a for a in alive) and np.isfinite(w)]
        regrets = [(b[a == a.min()] - b.min()).mean() for a, b in at]
        spreads = [b.max() - b.min() for _, b in at]
        rows.append([pearson, spearman, tau_b, (beyond + 1) / 2, min(without, default=math.nan),
                     max(without, default=math.nan), np.mean(regrets),
                     mean([r / s if s > 0 else math.nan for r, s in zip(regrets, spreads)])])
        accuracy.append((tau_b + 1) / 2)
        curves.append(draw_accuracy(at, alive, n))
        picks = [np.flatnonzero(a == a.min()) for a, _ in at]
        low, high = np.mean([np.mean([batch_interval(x[:, -1], i) for i in p], axis=0)
                             for x, p in zip(groups, picks)], axis=0)
        if len(groups) > 1:
            moved = draws(0, len(groups)) @ (np.array(regrets) - np.mean(regrets)) / len(groups)
            by_draws = interval(np.maximum(0, np.mean(regrets) + widening(len(groups)) * moved))
            low, high = min(low, by_draws[0]), max(high, by_draws[1])
        intervals.append([*interval(np.clip(curves[-1], 0, 1)), low, high])
    finals = [m[:, -1] for m in means]
    rest = [np.mean([f.mean() - f.min() for f in finals]), np.mean([f.max() - f.min() for f in finals]),
            mean([reliability(x[:, -1]) for x in groups])]
    times, accuracy = np.array(times)[:-1], np.array(accuracy)[:-1]
    inside = (times > warm) & (times > 0) & (times <= decay)
    breaks = [*find_break(times[times > 0], accuracy[times > 0]), *find_break(times[inside], accuracy[inside])]
    return [*np.ravel(rows), *rest, *breaks, *np.ravel(intervals),
            *break_intervals(times[inside], accuracy[inside], np.array(curves)[:-1][inside])]


def case(rng, n_groups, n, n_batches, kind):
    times = [0, 2, 4, 8, 16, 32, 48, 64, 96]
    warm, decay = (3, 48) if kind % 2 else (0, 1 << 40)
    quality = rng.normal(0, 0.05, n)
    losses = np.empty((n_groups, n, len(times), n_batches))
    for g in range(n_groups):
        final = quality + rng.normal(0, 0.02, n)
        early = rng.normal(0, 0.05, n)
        for k, t in enumerate(times):
            level = early if t < 16 else final + (t < 96) * rng.normal(0, 0.015, n)
            losses[g, :, k] = 3 + level[:, None] + rng.normal(0, 0.02, (n, n_batches)) + 0.1 * np.arange(n_batches)
    losses = np.round(losses, 3)
    if kind in (1, 2):  # exact ties: of all at 0, of two later and at the end
        losses[:, :, 0] = losses[:, :1, 0]
        losses[:, 1, 3] = losses[:, 0, 3]
        losses[:, 1, -1] = losses[:, 0, -1]
    if kind == 3:  # constant finals in one group
        losses[0, :, -1] = losses[0, :1, -1]
    diverged = np.zeros((n_groups, n), dtype=bool)
    if kind == 4:
        diverged[0, 1] = True
        diverged[-1, 0] = n > 3
    return [n_groups, n, len(times), n_batches, 0.02, warm, decay, *times, *diverged.astype(int).ravel(),
            *losses.ravel(), *report(losses, diverged, times, 0.02, warm, decay)]


def main():
    rng = np.random.default_rng(11)
    shapes = [(1, 2, 4), (1, 5, 4), (2, 4, 3), (3, 5, 4)]
    with open("studies.txt", "w") as out:
        for kind in range(5):
            for n_groups, n, n_batches in shapes:
                if kind != 4 or n > 2:
                    row = case(rng, n_groups, n, n_batches, kind)
                    out.write(" ".join(f"{x:.17g}" if isinstance(x, float) and x != round(x, 3) else
                                       f"{x:.10g}" if isinstance(x, float) else str(x) for x in row) + "\n")


if __name__ == "__main__":
    main()
