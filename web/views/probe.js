// The numbers behind the growth page: candidates, their curves by probe step, and who leads when. No page here.
import * as api from '../api.js';
import { hasEnded } from '../states.js';

/** The operator where that is enough, its parameters too where two candidates share it. */
export function labelOf(candidate, all) {
  if (candidate.operator === 'none') return 'none (do not grow)';
  const alone = all.filter((one) => one.operator === candidate.operator).length === 1;
  return alone ? candidate.operator : candidate.names[0] ?? candidate.strategy?.text ?? candidate.operator;
}

export class Probe {
  constructor(id) {
    this.id = id;
    this.growth = null;
    this.curves = new Map(); // candidate id → Map(probe step → loss)
    this.complete = new Set();
    this.rankings = new Map();
  }

  async load(signal) {
    this.growth = await api.get(`/growths/${api.part(this.id)}`, signal);
    const start = this.growth.start_step;
    const wanted = start === null ? []
      : this.growth.candidates.filter((one) => !this.complete.has(one.id) && one.state !== 'queued');
    await Promise.all(wanted.map((one) => this.loadCurve(one, start, signal)));
    return this;
  }

  async loadCurve(candidate, start, signal) {
    const query = api.query({ key: 'val/loss', max_points: 4000 });
    const answer = await api.get(`/candidates/${api.part(candidate.id)}/series${query}`, signal);
    const curve = new Map();
    answer.step.forEach((step, i) => curve.set(step - start, answer.series['val/loss'].last[i]));
    if (String([...curve]) !== String([...(this.curves.get(candidate.id) ?? [])])) this.rankings.clear();
    this.curves.set(candidate.id, curve);
    if (candidate.state !== 'running') this.complete.add(candidate.id);
  }

  /** In the order of the pool; index is the colour, for good. */
  candidates() {
    return this.growth.candidates.map((one, index) => ({ ...one, index, label: labelOf(one, this.growth.candidates),
      curve: this.curves.get(one.id) ?? new Map() }));
  }

  /** Every probe step that was evaluated, ascending. */
  steps() {
    return [...new Set([...this.curves.values()].flatMap((curve) => [...curve.keys()]))].filter((step) => step >= 0)
      .sort((a, b) => a - b);
  }

  /** Loss at the last evaluation at or before the step; null when it had none, or was dropped before it. */
  lossAt(candidate, step) {
    let best = null, at = -1;
    for (const [s, value] of candidate.curve) if (s <= step && s > at) [best, at] = [value, s];
    return best !== null && Number.isFinite(best) && (candidate.state !== 'diverged' || candidate.t >= step)
      ? best : null;
  }

  /** Eligible candidates by loss at the step, best first: [{candidate, loss, rank}]. */
  order(step) {
    const list = this.candidates().filter((one) => one.eligible)
      .map((candidate) => ({ candidate, loss: this.lossAt(candidate, step) }));
    list.sort((a, b) => (a.loss ?? Infinity) - (b.loss ?? Infinity) || a.candidate.position - b.candidate.position);
    return list.map((entry) => ({ ...entry, rank: entry.loss === null
      ? null : 1 + list.filter((other) => other.loss !== null && other.loss < entry.loss).length }));
  }

  /** Whether every candidate that still runs has been evaluated there: before, the daemon has no ranking. */
  reached(step) {
    return this.candidates().every((one) => hasEnded('candidate', one.state)
      || Math.max(-1, ...one.curve.keys()) >= step);
  }

  /** The daemon's own ranking there, with its intervals. */
  async ranking(step, signal) {
    if (!this.rankings.has(step))
      this.rankings.set(step, await api.get(`/growths/${api.part(this.id)}/ranking${api.query({ at_step: step })}`,
        signal));
    return this.rankings.get(step);
  }

  /** The step from which on the leader of the last evaluation leads without a break. */
  leadSince() {
    const steps = this.steps();
    if (steps.length === 0) return null;
    const leader = this.order(steps[steps.length - 1])[0]?.candidate;
    let since = steps[steps.length - 1];
    for (let i = steps.length - 1; i >= 0 && this.order(steps[i])[0]?.candidate.id === leader?.id; i--)
      since = steps[i];
    return leader ? { leader, since } : null;
  }
}

/** What the line shows, in sentences. ranking may be null: not asked yet. */
export function sentences(probe, step, ranking, loss) {
  const order = probe.order(step), steps = probe.steps(), last = steps[steps.length - 1];
  const best = order[0];
  if (!best || best.loss === null) return ['No candidate has been evaluated yet.'];
  const out = [];
  const tied = (ranking?.items ?? []).filter((one) => one.candidate !== best.candidate.id && one.eligible
    && one.margin_interval?.[0] !== null
    && one.margin_interval?.[0] <= 0 && one.rank !== null)
    .map((one) => order.find((o) => o.candidate.id === one.candidate)?.candidate.label).filter(Boolean);
  out.push(`Decided at probe step ${step}, ${best.candidate.label} would be taken: `
    + `validation loss ${loss(best.loss)}.`);
  if (tied.length) {
    const some = tied.slice(0, 3).join(', ') + (tied.length > 3 ? ` and ${tied.length - 3} more` : '');
    out.push(`It is a tie with ${some}: the 95 % interval of the difference contains 0.`);
  } else if (ranking) {
    out.push('Nothing is tied with it.');
  }
  const first = probe.order(0)[0];
  if (step > 0 && first?.loss !== null && first.candidate.id !== best.candidate.id) {
    const now = order.find((one) => one.candidate.id === first.candidate.id);
    out.push(`Step 0 would have picked ${first.candidate.label}, `
      + `${now?.rank ? `number ${now.rank} here` : 'which has no loss here'}.`);
  } else if (step > 0) {
    out.push('Step 0 would have picked the same.');
  }
  const lead = probe.leadSince();
  if (lead && last > 0) {
    const share = steps.filter((s) => s >= lead.since).length;
    out.push(`${lead.leader.label} leads at step ${last}`
      + `${lead.since < last ? `, and has since step ${lead.since} (${share} evaluations)` : ', and only there'}.`);
  }
  return out;
}
