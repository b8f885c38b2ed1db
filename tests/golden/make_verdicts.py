#!/usr/bin/python3
"""Makes verdicts.txt, which tests/engine/test_verdict.c compares the engine's verdicts with.

Pairs, the tied set, and the verified best, written from their formulas with numpy and scipy (Debian: python3-scipy).
Run it in this folder. A case is: n B m, the m + 1 times (0 first), losses [n][m + 1][B], then what follows from them:
pick, runner-up, number of candidates that tie at 0; margin, low, high; p_now; n_tied and a flag a candidate; whether
the pick beats all at α/2; and of the pair (last, first): mean, standard error, degrees of freedom, low, high, chance.
"""
import math

import numpy as np
from scipy import stats

ALPHA = 6 * 0.05 / math.pi ** 2


def pair(a, b, times):
    """a - b over the tail; a and b are [m][B]."""
    d = a - b
    m, n_batches = d.shape
    batch = np.var(d.mean(axis=0), ddof=1) / n_batches
    if m == 1:
        return d.mean(), math.sqrt(batch), n_batches - 1
    u = d.mean(axis=1)
    if m > 2:
        fit = stats.linregress(times, u)
        rest, df = u - fit.intercept - fit.slope * times, m - 2
    else:
        rest, df = u - u.mean(), 1
    total = float(rest @ rest)
    rho = max(0.0, float(rest[1:] @ rest[:-1]) / total) if total > 0 else 0.0
    time = (1 + 2 * rho) * total / df / m
    both = batch + time
    nu = n_batches - 1 if time <= 0 else both ** 2 / (batch ** 2 / (n_batches - 1) + time ** 2 / df)
    return d.mean(), math.sqrt(both), max(1, math.floor(nu * (1 + 1e-12)))


def chance(p):
    mean, se, df = p
    if mean == 0:
        return 0.5
    return stats.t.cdf(mean / se, df) if se > 0 else float(mean > 0)


def beats(p, alpha):
    return p[0] > 0 and (p[1] == 0 or p[0] / p[1] > stats.t.isf(alpha, p[2]))


def interval(p):
    half = stats.t.ppf(0.975, p[2]) * p[1] if p[1] > 0 else 0.0
    return p[0], p[0] - half, p[0] + half


def case(rng, n, n_batches, m, spread, noise, wobble, equal_at_0):
    lag = 64
    tail = np.sort(rng.choice(np.arange(33, 64), size=m - 1, replace=False)) if m > 1 else np.array([], dtype=int)
    times = np.concatenate([[0], tail, [lag]]).astype(int)
    base = rng.normal(3, 0.2, size=n_batches)
    losses = np.empty((n, m + 1, n_batches))
    for i in range(n):
        walk = np.convolve(rng.normal(0, wobble, size=m + 3), [0.5, 0.3, 0.2], "valid")
        slope = rng.normal(0, 0.02)
        for k in range(m + 1):
            losses[i, k] = (base + rng.normal(0, noise, size=n_batches) * 0.3 + walk[k] + slope * times[k] / lag
                            + (spread * i if k else rng.normal(0, 0.3)))
        losses[i] += rng.normal(0, noise, size=n_batches)
    for i in range(1, equal_at_0):
        losses[i, 0] = losses[0, 0]
    losses = np.round(losses, 5)
    means = losses.mean(axis=2)
    order = np.argsort(means[:, -1], kind="stable")
    pick, second = int(order[0]), int(order[1])
    compare = lambda a, b: pair(losses[a, 1:], losses[b, 1:], times[1:])
    tied = [i == pick or not any(beats(compare(i, j), ALPHA / (n - 1)) for j in range(n) if j != i) for i in range(n)]
    others = [j for j in range(n) if j != pick]
    p_now = max(0.0, 1 - sum(1 - chance(compare(j, pick)) for j in others))
    best = all(beats(compare(j, pick), ALPHA / 2) for j in others)
    n_at_0 = int((means[:, 0] == means[:, 0].min()).sum())
    numbers = [n, n_batches, m, *times, *losses.ravel(), pick, second, n_at_0, *interval(compare(second, pick)), p_now,
               sum(tied), *map(int, tied), int(best)]
    last = compare(n - 1, 0)
    return numbers + [*last, *interval(last)[1:], chance(last)]


def main():
    rng = np.random.default_rng(7)
    shapes = [(2, 4, 1), (2, 2, 2), (3, 5, 2), (3, 4, 3), (4, 8, 4), (5, 3, 6), (6, 6, 3), (4, 3, 8)]
    with open("verdicts.txt", "w") as out:
        for number, (n, n_batches, m) in enumerate(shapes * 3):
            spread = (0.0, 0.01, 0.05)[number // len(shapes)]
            row = case(rng, n, n_batches, m, spread, 0.01, 0.004, (number % 4 == 1) * 2 + (number % 4 == 2) * n)
            out.write(" ".join(f"{x:.17g}" if isinstance(x, float) else str(x) for x in row) + "\n")


if __name__ == "__main__":
    main()
