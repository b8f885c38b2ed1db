// Exponential moving average without the bias of its start, time-weighted: a step of twice the usual width forgets
// twice as much, so that thinned and unthinned points of a curve smooth alike.

/** weight 0 … <1 per `unit` of x; null values are passed over. `breaks`: x where the average begins anew. */
export function smooth(x, values, weight, unit, breaks = []) {
  const out = new Array(values.length).fill(null);
  if (!(weight > 0)) return values.slice();
  let average = 0, debias = 0, before = null, next = 0;
  for (let i = 0; i < values.length; i++) {
    while (next < breaks.length && x[i] > breaks[next]) {
      average = debias = 0;
      before = null;
      next++;
    }
    const y = values[i];
    if (y === null || !Number.isFinite(y)) continue;
    const keep = before === null ? weight : weight ** Math.max((x[i] - before) / unit, 0);
    average = average * keep + y * (1 - keep);
    debias = debias * keep + (1 - keep);
    before = x[i];
    out[i] = debias > 0 ? average / debias : y;
  }
  return out;
}

/** The usual distance of points between from and to: what the slider's weight is per. */
export function spacing(x, from = -Infinity, to = Infinity) {
  const first = x.findIndex((one) => one >= from), last = x.findLastIndex((one) => one <= to);
  return first >= 0 && last > first ? Math.max((x[last] - x[first]) / (last - first), Number.MIN_VALUE) : 1;
}
