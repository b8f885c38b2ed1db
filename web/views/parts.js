// What several views show.
import * as api from '../api.js';
import { ask, button, h } from '../dom.js';
import * as f from '../format.js';
import { words } from '../format.js';
import { address } from '../state.js';
import { hasEnded, meaning } from '../states.js';

const MARKS = {
  queued: '◌', running: '▶', paused: '❚❚', growing: '⇑', interrupted: '!', completed: '✓', cancelled: '✕', failed: '✕',
  probing: '▶', awaiting_approval: '?', decided: '✓', applying: '⇑', applied: '✓', rejected: '✕', diverged: '↗',
  stopped: '■',
  registering: '◌', importing: '◌', making: '◌', ready: '✓', cancelling: '✕', failing: '✕',
  planned: '◌', begun: '▶', skipped: '↷',
};

/** A state: colour, a mark and the word; what it means as the title. */
export function badge(machine, state, text) {
  return h('span', { class: `badge ${state}`, title: meaning(machine, state) },
    h('span', { 'aria-hidden': 'true' }, MARKS[state] ?? '•'), ` ${text ?? words(state)}`);
}

const HEALTHS = {
  diverged: ['diverged', 'Its validation loss exploded: the last two lie 0.5 or more above its lowest.'],
  above_best: ['above its best', 'Its last validation loss lies 0.1 or more above its lowest.'],
};

/** The state of a run, and whether its losses are well: one that diverged is never green, nor is one that ended far
 * above its best. */
export function runBadge(run) {
  const bad = run.health === 'diverged' || (run.health === 'above_best' && run.state === 'completed');
  if (!bad) return badge('run', run.state);
  const [text, title] = HEALTHS[run.health];
  return h('span', { class: `badge ${run.health === 'diverged' ? 'diverged' : 'paused'}`,
    title: `${meaning('run', run.state)} ${title}` },
    h('span', { 'aria-hidden': 'true' }, MARKS.diverged), ` ${words(run.state)}, ${text}`);
}

/** A growth before its step is planned: "planned (step 400)". at: its step, negative: the next one. */
export const growthBadge = (state, at) => badge('growth', state,
  state === 'queued' ? `planned${at >= 0 ? ` (step ${f.count(at)})` : ''}` : undefined);

export function fact(label, value, more) {
  return h('div', { class: 'fact' }, h('dt', {}, label),
    h('dd', {}, value, more && h('span', { class: 'dim' }, ` ${more}`)));
}

export const facts = (...list) => h('dl', { class: 'facts' }, list);

export function progress(done, total, label) {
  return h('progress', { max: Math.max(total, 1), value: done, 'aria-label': label });
}

export const runLink = (name, text) => h('a', { href: address(['runs', name]) }, text ?? name);
export const growthLink = (id, text) => h('a', { href: address(['growths', id]) }, text ?? id);

/** Where a fork comes from; a deleted run has no page. */
export const originOf = (origin) => ['Forked from ',
  origin.exists ? runLink(origin.run, origin.run_name) : `${origin.run_name}, which has been deleted,`,
  ` at step ${f.count(origin.step)}: its steps and curves begin there.`];

const VERBS = {
  pause: { label: 'Pause', done: 'pausing at the next step' },
  resume: { label: 'Resume', done: 'resumed', primary: true },
  checkpoint: { label: 'Checkpoint now', done: 'a checkpoint is being written' },
  cancel: { label: 'Cancel', danger: true, done: 'cancelled', title: 'End this run for good?', confirm: 'End it',
    text: (run) => `${run.name} ends at step ${run.step}. Its checkpoints and curves stay.` },
  delete: { label: 'Delete', danger: true, done: 'deleted', title: 'Delete this run?', confirm: 'Delete it',
    text: (run) => `${run.name} goes with its points, growths and checkpoints. This cannot be taken back.` },
};

const PAGES = { grow: 'Grow …', extend: 'Extend …', fork: 'Fork …' }; // actions with a form of their own

/** A button for every action that the daemon allows. */
export function runActions(run, after) {
  const { allowed_actions: allowed } = run;
  const more = allowed.includes('extend') && !allowed.includes('grow') ? ['grow'] : []; // on its way to a later end
  return [...more, ...allowed].map((action) => {
    if (PAGES[action]) return h('a', { class: 'button', href: address(['runs', run.name, action]) }, PAGES[action]);
    const verb = VERBS[action];
    if (!verb) return null;
    return button(verb.label, async () => {
      let reason = {};
      if (verb.text) {
        reason = await ask({ title: verb.title, text: verb.text(run), confirm: verb.confirm, danger: true,
          fields: action === 'delete' ? [] : [{ name: 'reason', label: 'Reason (kept with the event)' }] });
        if (!reason) return;
      }
      const path = `/runs/${api.part(run.id)}`;
      const answer = action === 'delete' ? await api.act(`${run.name}: ${verb.done}`, 'DELETE', path, undefined)
        : await api.act(`${run.name}: ${verb.done}`, 'POST', `${path}/${action}`, reason.reason ? reason : {});
      if (answer !== undefined) after(action, answer);
    }, { class: verb.danger ? 'danger' : verb.primary ? 'primary' : '' });
  });
}

/** Seconds until the run ends, growths that are still to come counted in; null where it does not go on by itself. */
export const eta = (run) => run.seconds_left ?? null;

/** A run that goes on by itself: neither at an end nor paused. */
export const isActive = (run) => !hasEnded('run', run.state) && run.state !== 'paused';

const getThere = (path, signal) => api.get(path, signal).catch((error) => {
  if (error.status === 404) return null; // it was deleted
  throw error;
});

/** What a run's tokens are made by: a tokenizer, the one that came with its model, or nothing: then they are bytes.
 * {name, known: it has a page, text: what the run writes can be told as text}. */
export async function tokenizerOf(run, signal) {
  const dataset = await getThere(`/datasets/${api.part(run.dataset_id)}`, signal);
  if (dataset?.tokenizer) return { name: dataset.tokenizer, known: true, text: true };
  const model = run.from_model_id && await getThere(`/models/${api.part(run.from_model_id)}`, signal);
  if (model && model.tokenizer !== 'none') return { name: model.name, known: true, text: true };
  if (dataset?.format === 'text') return { name: 'bytes', known: false, text: true };
  return { name: 'not known', known: false, text: false };
}
