// The tables of a comparison, and the list of what is compared.
import { swatch } from '../charts/legend.js';
import { lineStyle } from '../charts/style.js';
import { table } from '../charts/table.js';
import { button, h } from '../dom.js';
import * as f from '../format.js';
import { address } from '../state.js';
import { runBadge, runLink } from './parts.js';

/** What is compared, each with its line's style and a button that takes it out. */
export function chosenList(entries, remove) {
  return h('ul', { class: 'row chosen', 'aria-label': 'Compared' }, entries.map((entry, i) => h('li', {},
    swatch(lineStyle(i)), entry.kind === 'run' ? runLink(entry.name)
      : h('a', { href: address(['runs'], { tag: entry.name }) }, entry.label),
    entry.kind === 'tag' && h('span', { class: 'dim' },
      ` ${entry.members.length} ${entry.members.length === 1 ? 'run' : 'runs'}`),
    button('×', () => remove(entry), { class: 'quiet small', 'aria-label': `Remove ${entry.label}` }))));
}

const mean = (values) => values.reduce((a, b) => a + b, 0) / values.length;
const deviation = (values) => Math.sqrt(values.reduce((sum, x) => sum + (x - mean(values)) ** 2, 0)
  / (values.length - 1));
const finite = (values) => values.filter((x) => x !== null && x !== undefined && Number.isFinite(x));

/** A number of each run: that of the only one, or the mean of all. */
const across = (entry, of) => {
  const values = finite(entry.members.map(of));
  return values.length ? mean(values) : null;
};

/** Lowest validation loss first. */
export function bestsTable(entries) {
  const rows = entries.map((entry, i) => {
    const bests = finite(entry.members.map((run) => run.best_loss));
    return { entry, i, best: bests.length ? mean(bests) : null, bests };
  }).sort((a, b) => (a.best ?? Infinity) - (b.best ?? Infinity));
  const first = rows[0]?.best ?? null;
  return h('div', { class: 'scroll', tabindex: 0, role: 'region', 'aria-label': 'How good they are, table' },
    table({ caption: 'Lowest validation loss of each, lowest first',
      head: ['Run or group', 'State', 'Best val loss', 'Above the best', 'At step', 'Steps', 'Tokens', 'FLOPs',
        'Parameters', 'Layers'],
      rows: rows.map(({ entry, i, best, bests }) => {
        const one = entry.kind === 'run' ? entry.members[0] : null;
        return [h('span', {}, swatch(lineStyle(i)), one ? runLink(one.name)
          : `${entry.label}, ${entry.members.length} ${entry.members.length === 1 ? 'run' : 'runs'}`),
          one ? runBadge(one) : statesOf(entry.members),
          bests.length > 1 ? `${f.loss(best)} ± ${f.loss(deviation(bests))}` : f.loss(best),
          best === null || first === null ? '–' : best === first ? 'the best' : `+${f.loss(best - first)}`,
          one ? (one.best_step >= 0 ? f.count(one.best_step) : '–') : '',
          one ? `${f.count(one.step)} of ${f.count(one.max_steps)}` : f.count(across(entry, (run) => run.step)),
          f.si(across(entry, (run) => run.tokens)), f.si(across(entry, (run) => run.flops)),
          f.si(across(entry, (run) => run.n_params)), f.number(across(entry, (run) => run.n_layer))];
      }) }),
    entries.some((one) => one.kind === 'tag') && h('p', { class: 'dim' },
      'Of a group: the mean of its runs, ± one standard deviation.'));
}

function statesOf(runs) {
  const counts = new Map();
  for (const run of runs) counts.set(run.state, (counts.get(run.state) ?? 0) + 1);
  return [...counts].map(([state, n]) => `${n} ${f.words(state)}`).join(', ');
}

const ALWAYS = new Set(['tags', 'note', 'start']); // about a run, not of its training
const MANY = 4;

/** Rows that differ only; of a group every value that one of its runs has. */
export function differencesTable({ entries, runs, differences }) {
  const place = new Map(runs.map((run, i) => [run.id, i]));
  const valuesOf = (entry, row) => {
    const values = [...new Set(entry.members.map((run) => row.values[place.get(run.id)]))];
    return values.length > MANY ? `${values.slice(0, MANY).join(', ')} and ${values.length - MANY} more`
      : values.join(', ') || '–';
  };
  const rows = differences.filter((row) => !ALWAYS.has(row.key))
    .map((row) => [row.key, ...entries.map((entry) => valuesOf(entry, row))])
    .filter(([, ...cells]) => entries.length === 1 || cells.some((cell) => cell !== cells[0]));
  if (rows.length === 0) {
    return h('p', { class: 'dim' }, entries.length < 2 && runs.length < 2
      ? 'One run differs from nothing: add another.' : 'Nothing but their names, tags and notes.');
  }
  return h('div', { class: 'scroll', tabindex: 0, role: 'region', 'aria-label': 'What differs, table' },
    table({ numeric: false, caption: 'What differs in their configurations',
      head: ['Key', ...entries.map((entry) => entry.label)], rows }));
}
