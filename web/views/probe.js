// The numbers behind the growth page: candidates, their curves by probe step, and who leads when. No page here.
import * as api from '../api.js';
import { hasEnded } from '../states.js';
import { LEAST_CHANCE } from './verdict.js';

/** Beyond their last step they have no place. */
const OUT = ['diverged', 'stopped'];

/** As the daemon names it beside the others. */
export function labelOf(candidate) {
  return candidate.operator === 'none' ? 'none (do not grow)' : candidate.label;
}

export class Probe {
  constructor(id) {
    this.id = id;
    this.growth = null;
    this.curves = new Map(); // candidate id → Map(probe step → loss)
    this.complete = new Set();
    this.rankings = new Map();
    this.ranked = new Map(); // candidate id → Map(probe step → {loss, rank}), as the daemon ranks them
  }

  async load(signal) {
    this.growth = await api.get(`/growths/${api.part(this.id)}`, signal);
    const start = this.growth.start_step;
    const wanted = start === null ? []
      : this.growth.candidates.filter((one) => !this.complete.has(one.id) && one.state !== 'queued');
    await Promise.all([...wanted.map((one) => this.loadCurve(one, start, signal)), this.loadRanks(signal)]);
    return this;
  }

  /** What decides is the loss over all batches of a step; the curves show what the run validates on. */
  async loadRanks(signal) {
    const { times, curves } = await api.get(`/growths/${api.part(this.id)}/report`, signal);
    this.ranked = new Map(curves.map((one) => [one.candidate,
      new Map(times.map((step, i) => [step, { loss: one.mean[i], rank: one.rank[i] }]))]));
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
    return this.growth.candidates.map((one, index) => ({ ...one, index, label: labelOf(one),
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
    return best !== null && Number.isFinite(best) && (!OUT.includes(candidate.state) || candidate.t >= step)
      ? best : null;
  }

  /** Eligible candidates by loss at the step, best first: [{candidate, loss, rank}]. Beyond what all have reached
   *  nothing is ranked, and they stand in the order of the pool. */
  order(step) {
    const list = this.candidates().filter((one) => one.eligible).map((candidate) => {
      const { loss = null, rank = null } = this.ranked.get(candidate.id)?.get(step) ?? {};
      return { candidate, loss: loss ?? this.lossAt(candidate, step), rank };
    });
    return list.sort((a, b) => (a.rank ?? 999) - (b.rank ?? 999)
      || a.candidate.position - b.candidate.position);
  }

  /** Whether every candidate that still runs has been evaluated there: before, there is no ranking. */
  reached(step) {
    return this.candidates().every((one) => hasEnded('candidate', one.state)
      || Math.max(-1, ...one.curve.keys()) >= step);
  }

  /** The last evaluated step that all have reached; -1: none. */
  common() {
    return Math.max(-1, ...this.steps().filter((step) => this.reached(step)));
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
    const steps = this.steps().filter((step) => this.reached(step));
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
  if (!probe.reached(step)) return [behind(probe, step)];
  const order = probe.order(step), best = order[0];
  if (!best || best.loss === null) return ['No candidate has been evaluated yet.'];
  const out = [`Decided at probe step ${step}, ${best.candidate.label} would be taken: `
    + `validation loss ${loss(best.loss)}.`];
  if (ranking) out.push(told(ranking, best));
  if (step > 0) out.push(atStep0(probe, order, best, ranking));
  const stopped = probe.candidates().filter((one) => one.state === 'stopped' && one.t < step);
  if (stopped.length) out.push(`Stopped before: ${stopped.map((one) => `${one.label} (step ${one.t})`).join(', ')}.`);
  const lead = probe.leadSince(), steps = probe.steps().filter((one) => probe.reached(one)), last = steps.at(-1);
  if (lead && last > 0) {
    const share = steps.filter((s) => s >= lead.since).length;
    const since = lead.since < last ? `has since step ${lead.since} (${share} evaluations)`
      : 'not at the evaluation before it';
    out.push(`${lead.leader.label} leads at step ${last}, and ${since}.`);
  }
  return out;
}

/** How far the probe is, where some have not come to the line. */
function behind(probe, step) {
  const all = probe.candidates(), common = probe.common();
  const there = all.filter((one) => hasEnded('candidate', one.state) || Math.max(-1, ...one.curve.keys()) >= step);
  return `${there.length} of ${all.length} candidates are at step ${step}: nothing is ranked there yet. `
    + (common >= 0 ? `They are comparable up to step ${common}.` : 'They are not comparable yet.');
}

/** The set that cannot be told apart, as the daemon found it. */
function told(ranking, best) {
  const others = ranking.items.filter((one) => one.tied && one.candidate !== best.candidate.id)
    .map((one) => one.label);
  const stopped = ranking.items.some((one) => one.stopped);
  if (!others.length && stopped) return 'Of those that were probed so far, every other is behind it at 95 %.';
  if (!others.length) return 'Every other is behind it at 95 %.';
  const some = others.slice(0, 3).join(', ') + (others.length > 3 ? ` and ${others.length - 3} more` : '');
  const chance = !(ranking.p_now >= LEAST_CHANCE) ? ''
    : ` It is the best now with a probability of at least ${ranking.p_now.toFixed(2)}.`;
  return `${ranking.n_tied} candidates cannot be told apart at 95 % there: it and ${some}.${chance}`;
}

function atStep0(probe, order, best, ranking) {
  const firsts = probe.order(0).filter((one) => one.rank === 1);
  if (firsts.length > 1) return `Ranking at step 0 cannot choose: a ${firsts.length}-way tie.`;
  const [first] = firsts;
  if (!first) return '';
  if (first.candidate.id === best.candidate.id) return 'Ranking at step 0 would have picked the same.';
  const now = order.find((one) => one.candidate.id === first.candidate.id);
  const tied = ranking?.items.find((one) => one.candidate === first.candidate.id)?.tied;
  const where = now?.rank ? `number ${now.rank} here` : 'which has no loss here';
  return `Ranking at step 0 would have picked ${first.candidate.label}, `
    + `${tied ? 'which cannot be told apart from it here' : where}.`;
}
