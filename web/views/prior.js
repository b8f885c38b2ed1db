// What growths that were decided here before say of operators: beside a new pool, and told of a plan.
import { table } from '../charts/table.js';
import { h } from '../dom.js';
import * as f from '../format.js';

/** A bin is what lies above its first number, 0 included, up to its second. */
const has = ([low, high], value) => (value > low || low === 0) && (high === null || value <= high);

const blocks = ({ n_layer: depth, n_embd: width, n_inner: inner }) => depth * (4 * width ** 2 + 2 * width * inner);

/** What a plan's prior is made of, in sentences. */
export function priorText(prior) {
  if (!prior) return null;
  const ranks = prior.of === 'finals' ? 'final ranks' : 'ranks at the lag';
  return `Prior: the place of each operator, 0 always first and 1 always last, by the ${ranks} of ${prior.cases} `
    + `growths here${prior.like === 'any' ? '' : ' like this one'}. `
    + 'It decides only between candidates whose losses decide nothing.';
}

const ranksOf = (tally) => (tally.cases ? `${tally.mean_rank.toFixed(1)} of ${tally.mean_ranked.toFixed(1)}` : '–');
const winsOf = (tally) => (tally.cases ? `${tally.wins} of ${tally.cases}` : '–');

/** The rows of GET /prior that fit a plan: its operators, its growth factor and the share of training done. */
export function history(prior, plan, share) {
  const factor = blocks(plan.to) / blocks(plan.from), ops = new Set(plan.candidates.map((one) => one.operator));
  const rows = prior.items.filter((one) => ops.has(one.operator) && has(one.factor, factor) && has(one.share, share));
  if (!rows.length) return h('p', { class: 'dim' }, prior.items.length
    ? 'No growth like this one has been decided here yet.' : 'No growth has been decided here yet.');
  return [
    h('p', { class: 'dim' }, 'In growths of like factor, after a like share of the training.'),
    h('div', { class: 'scroll', tabindex: 0, role: 'region', 'aria-label': 'What operators have done here' },
      table({ caption: 'What operators have done here',
        head: ['Operator', 'Verified wins', 'Mean rank at the lag', 'Won at the end', 'Mean final rank',
          'Final loss above the best'],
        rows: rows.map(({ operator, lags, finals }) => [operator, winsOf(lags), ranksOf(lags), winsOf(finals),
          ranksOf(finals), f.loss(finals.regret)]) })),
  ];
}
