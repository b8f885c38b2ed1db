// The growth plan of a run: its stages, why each began, and editing those that have not.
import * as api from '../api.js';
import { table } from '../charts/table.js';
import { ask, button, fill, h } from '../dom.js';
import * as f from '../format.js';
import { panel } from '../panel.js';
import { growthLink } from './parts.js';

/** "step 400", "1.2 G tokens", "slope below 0.05, at most 2,000 steps" */
function begins({ step, tokens, flops, slope }) {
  if (step !== undefined) return `at step ${f.count(step)}`;
  if (tokens !== undefined) return `after ${f.si(tokens)} tokens`;
  if (flops !== undefined) return `after ${f.flops(flops)} of training`;
  return [`once the loss falls by less than ${slope.below} in 1,000 steps`,
    slope.least_steps > 0 && `at least ${f.count(slope.least_steps)} steps`,
    slope.most_steps > 0 && `at most ${f.count(slope.most_steps)} steps`].filter(Boolean).join(', ');
}

const mark = (state) => ({ under_way: 'running', unreached: 'queued', skipped: 'paused' }[state] ?? state);

const stateOf = (one) => h('span', { class: `badge ${mark(one.state)}` }, f.words(one.state));

function poolOf({ pool }) {
  const names = Array.isArray(pool.operators)
    ? pool.operators.map((each) => (typeof each === 'string' ? each : each.operator)).join(', ') : pool.operators;
  return pool.lr || pool.optimizer ? `${names} (${[pool.optimizer, pool.lr].filter(Boolean).join(', ')})` : names;
}

const row = (one) => [one.position, `${one.target.n_layer}`, stateOf(one),
  h('span', { class: 'told' }, begins(one.trigger)), poolOf(one),
  `${f.count(one.probe.steps)}, ${one.probe.allocator}`,
  one.growth ? growthLink(one.growth, `step ${f.count(one.step)}`)
    : one.step === null ? '–' : `step ${f.count(one.step)}`,
  one.why ? h('span', { class: 'told' }, one.why) : '–'];

export function planPanel(shared) {
  const path = `/runs/${api.part(shared.name)}/plan`;
  const changed = async (answer) => {
    if (answer !== undefined) await self.refresh();
  };

  async function edit(plan) {
    const answer = await ask({ title: 'The growth plan', confirm: 'Set it',
      text: 'A stage for each growth to come, as JSON. Stages that have begun stay as they are.',
      fields: [{ name: 'plan', label: 'Plan', value: JSON.stringify(asked(plan), null, 1), rows: 16 }] });
    if (!answer) return;
    let body = null;
    try {
      body = JSON.parse(answer.plan);
    } catch (error) {
      await ask({ title: 'That is no JSON', text: error.message, confirm: 'Back' });
      return;
    }
    await changed(await api.act('the plan is set', 'PUT', path, body));
  }

  async function remove() {
    const answer = await ask({ title: 'Remove the stages that have not begun?', confirm: 'Remove them', danger: true,
      text: 'What has begun goes on. The others can be planned again.' });
    if (answer) await changed(await api.act('the plan is removed', 'DELETE', path));
  }

  const tools = (plan) => {
    const may = shared.run?.allowed_actions.includes('grow');
    const left = plan.stages.some((one) => one.step === null);
    return h('div', { class: 'row' },
      may && button(plan.stages.length ? 'Edit plan …' : 'Plan stages …', () => edit(plan)),
      left && button('Remove …', remove, { class: 'danger' }));
  };
  const self = panel({
    title: 'Growth plan', wide: true, curl: ['GET', path], load: (signal) => api.get(path, signal),
    isEmpty: (plan) => plan.stages.length === 0,
    empty: (plan) => h('div', {}, h('p', { class: 'dim' }, 'None. A plan grows a run in stages, each when its trigger '
      + 'fires: at a step, after so many tokens or FLOPs, or once the loss has flattened.'), tools(plan)),
    show(plan, body) {
      const place = h('div', { class: 'scroll', tabindex: 0, role: 'region', 'aria-label': 'Growth plan, table' });
      const below = h('div', {});
      const update = (now) => {
        fill(place, table({ numeric: false, caption: 'Growth plan',
          head: ['Stage', 'Layers', 'State', 'Begins', 'Pool', 'Lag', 'Began', 'Why'], rows: now.stages.map(row) }));
        fill(below, now.lengths && h('p', { class: 'dim' }, `Lengths of ${f.count(now.lengths.steps)} steps together, `
          + `in proportion to the shape's number to the power ${now.lengths.prop_alpha}.`), tools(now));
      };
      body.append(place, below);
      update(plan);
      return update;
    },
  });
  return self;
}

/** What of it can be asked for again; an example where there is none. */
function asked(plan) {
  if (!plan.stages.length)
    return { stages: [{ target: { n_layer: 4 }, trigger: { step: 400 }, pool: 'default', probe: { steps: 50 } }] };
  const keep = ['target', 'trigger', 'pool', 'probe', 'mode', 'allow_none', 'audit', 'reason'];
  const stages = plan.stages.map((one) => Object.fromEntries(keep.map((key) => [key, one[key]])));
  return plan.lengths ? { stages, lengths: plan.lengths } : { stages };
}
