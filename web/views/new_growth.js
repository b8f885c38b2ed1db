// New growth: target, time, pool and lag, and beside it each candidate with its cost, before anything begins.
import * as api from '../api.js';
import { table } from '../charts/table.js';
import { button, copy, fill, h, toast } from '../dom.js';
import * as f from '../format.js';
import { throttle } from '../throttle.js';
import { address } from '../state.js';
import { bodyOf, complain, Field, group, more, schema } from './form.js';
import { fact, facts, runLink } from './parts.js';

export function newGrowthView(main, name) {
  const place = h('div', { class: 'form-page', 'aria-busy': 'true' }, h('p', { class: 'dim' }, 'Loading …'));
  let dry = null;
  fill(main, h('div', { class: 'page-head' }, h('h1', {}, 'Grow ', runLink(name))), place);
  begin();

  async function begin() {
    try {
      const [root, run, catalog] = await Promise.all([schema('GrowthRequest'), api.get(`/runs/${api.part(name)}`),
        api.get('/operators')]);
      dry = build(place, root, run, catalog);
      place.removeAttribute('aria-busy');
    } catch (error) {
      fill(place, h('div', { class: 'failed' }, h('p', {}, error.message), button('Try again', begin)));
    }
  }
  return { title: `Grow ${name}`, destroy: () => dry?.cancel() };
}

const USUAL = 'as usual'; // no rule is sent: the pool's own, or each operator's preset

function ruleChoice(catalog) {
  const select = (label, words) => {
    const element = h('select', { 'aria-label': label },
      [USUAL, ...words].map((one) => h('option', { value: one }, one)));
    return [h('label', { class: 'field' }, h('span', {}, label), element), element];
  };
  const [optimizer, optimizerInput] = select('optimiser of all', catalog.optimizer_rules);
  const [lr, lrInput] = select('learning rate of all', catalog.lr_rules);
  const freezeInput = h('input', { type: 'text', placeholder: '0', title: 'a number of steps, or keep', size: 8,
    'aria-label': 'only new layers train for' });
  const freeze = h('label', { class: 'field' }, h('span', {}, 'only new layers train for'), freezeInput,
    h('small', { class: 'dim' }, 'steps, or keep'));
  const inputs = [optimizerInput, lrInput, freezeInput];
  const read = () => {
    const rules = {}, frozen = freezeInput.value.trim();
    if (optimizerInput.value !== USUAL) rules.optimizer = optimizerInput.value;
    if (lrInput.value !== USUAL) rules.lr = lrInput.value;
    if (frozen) rules.freeze_old = /^\d+$/.test(frozen) ? Number(frozen) : frozen;
    return rules;
  };
  return { element: h('div', { class: 'row' }, optimizer, lr, freeze), read,
    disable: (off) => inputs.forEach((one) => { one.disabled = off; }) };
}

function poolChoice(catalog) {
  const operators = catalog.items.filter((one) => one.name !== 'none');
  const recipes = catalog.recipes.filter((one) => !operators.some((other) => other.name === one.name));
  const listed = [...operators, ...recipes];
  const boxes = listed.map((one) => [one.name,
    h('input', { type: 'checkbox', checked: operators.includes(one), disabled: true })]);
  const radios = [...catalog.pools.map((one) => [one.name, `the ${one.name} pool`, one.help]), ['', 'these', '']]
    .map(([name, label, help], i) => [name, label, help,
      h('input', { type: 'radio', name: 'pool', checked: i === 0 })]);
  const list = h('div', { class: 'operators' },
    listed.map((one, i) => h('label', { class: 'check', title: one.reference },
    boxes[i][1], h('span', {}, h('b', {}, f.words(one.name)),
      h('small', { class: 'dim' }, ` ${one.help}`, one.function_preserving ? '; keeps the function' : '')))));
  const rules = ruleChoice(catalog), help = h('p', { class: 'dim' });
  const chosen = () => radios.find(([, , , input]) => input.checked);
  const set = () => {
    const [name, , text] = chosen();
    boxes.forEach(([, box]) => { box.disabled = name !== ''; });
    rules.disable(name === 'published'); // its recipes have rules of their own
    fill(help, text || 'An operator has its preset rules, unless you choose others here; a recipe keeps its own.');
  };
  radios.forEach(([, , , input]) => input.addEventListener('change', set));
  set();
  const element = h('fieldset', {}, h('legend', {}, 'Pool'),
    h('div', { class: 'row' }, radios.map(([, label, , input]) => h('label', { class: 'check' }, input, label))),
    help, rules.element, list);
  const read = () => {
    const [name] = chosen();
    const named = name || boxes.filter(([, box]) => box.checked).map(([word]) => word);
    const said = name === 'published' ? {} : rules.read();
    return Object.keys(said).length > 0 ? { operators: named, ...said } : named;
  };
  return { element, read };
}

function build(place, root, run, catalog) {
  const field = (pointer, options) => new Field(root, pointer, options);
  const main_ = [field('/target/n_layer', { value: run.model.n_layer * 2, label: 'Layers after growth' }),
    field('/when/at_step', { label: 'at step' }),
    field('/probe/steps', { value: 50, label: 'lag' }), field('/probe/eval_every', { label: 'evaluate every' }),
    field('/mode', { value: 'manual' })];
  const ended = run.allowed_actions.includes('extend') && !run.allowed_actions.includes('grow');
  if (ended) main_.splice(1, 0, field('/extend/max_steps', { value: run.max_steps * 2, label: 'Extend to',
    help: 'The run has ended: it goes on to so many steps, and grows on its way.' }));
  const extra = [field('/probe/eval_batches'), field('/probe/max_eval_share'), field('/probe/divergence_bound'),
    field('/probe/delta', { label: 'difference that matters' }), field('/probe/parallel'),
    field('/allow_none', { label: 'not growing may win' }), field('/reason')];
  const fields = [...main_, ...extra], pool = poolChoice(catalog);
  const path = `/runs/${api.part(run.id)}/growths`;
  const body = () => ({ ...bodyOf(fields), pool: pool.read() });
  const faults = h('div', { class: 'reason', role: 'alert', hidden: true });
  const submit = h('button', { class: 'primary' }, 'Ask for this growth');
  const form = h('form', { novalidate: true }, group('Growth', main_.map((one) => one.element),
    more('More', extra.map((one) => one.element))),
    pool.element, faults, h('div', { class: 'row' }, submit,
      button('Copy as curl', () => copy(api.curl('POST', path, body()), 'curl command'), { class: 'quiet' })));
  const numbers = h('div', { 'aria-live': 'polite' }, h('p', { class: 'dim' }, 'Asking the daemon …'));
  const aside = h('aside', { class: 'panel dry', 'aria-label': 'What it would take' },
    h('header', {}, h('h2', {}, 'What it would take'),
    h('span', { class: 'grow' }), h('button', { type: 'button', class: 'quiet small',
      title: 'Copy this request as a curl command',
      onclick: () => copy(api.curl('POST', `${path}?dry_run=true`, body()), 'curl command') }, 'curl')), numbers);
  const tell = (problem) => {
    const rest = complain(fields, problem);
    faults.hidden = rest.length === 0;
    fill(faults, rest.map((text) => h('p', {}, text)));
  };
  let asked = 0;
  const dry = throttle(async () => {
    const number = ++asked;
    try {
      const plan = await api.send('POST', `${path}?dry_run=true`, body());
      if (number !== asked) return;
      tell(null);
      fill(numbers, planFacts(plan, run));
    } catch (error) {
      if (number !== asked) return;
      tell(error);
      fill(numbers, h('p', { class: 'dim' }, error.status === 0
        ? error.message : 'Fix the marked fields to see the estimate.'));
    }
  }, 350);
  form.addEventListener('input', dry);
  form.addEventListener('change', dry);
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    submit.disabled = true;
    try {
      const growth = await api.send('POST', path, body());
      toast('the growth is planned');
      location.assign(address(['growths', growth.id]));
    } catch (error) {
      tell(error);
      toast(error.message, 'bad');
      submit.disabled = false;
    }
  });
  const allowed = run.allowed_actions.includes('grow') || ended;
  fill(place, !allowed && h('p', { class: 'reason' },
    `${run.name} is ${f.words(run.state)}: it cannot be grown in this state.`),
    h('p', { class: 'dim' }, `${run.name} has ${run.model.n_layer} layers, ${f.si(run.n_params)} parameters, `
      + `and is at step ${f.count(run.step)} of ${f.count(run.max_steps)}.`),
    h('div', { class: 'form-columns' }, form, aside));
  dry();
  return dry;
}

/** "inherit, rewarm 50, old layers frozen for 200 steps" */
function rulesOf(strategy) {
  if (!strategy) return '–';
  const { optimizer, lr, rewarm_steps: ramp, freeze_old: frozen } = strategy;
  return [optimizer, lr.startsWith('rewarm') && ramp !== null ? `${lr} ${f.count(ramp)}` : lr,
    frozen === null ? 'old layers frozen for good' : frozen > 0 && `old layers frozen for ${f.count(frozen)} steps`]
    .filter(Boolean).join(', ');
}

function planFacts(plan, run) {
  return [
    facts(
      fact('Candidates', plan.candidates.length, 'the reference included'),
      fact('Compute', f.flops(plan.flops_total), run.flops_training > 0
        ? f.share(plan.flops_total / run.flops_training, 'training so far') : ''),
      fact('Time', f.duration(plan.seconds_guess), plan.time_basis === 'run'
        ? `about, ${plan.n_workers} at once` : 'a guess: the run has not trained yet'),
      fact('Memory', f.bytes(plan.memory_bytes),
        `of ${f.bytes(plan.memory_available_bytes)}; ${f.bytes(plan.memory_peak_bytes)} with the run`),
      fact('Evaluations', plan.n_times, `of ${plan.n_batches} batches`),
      fact('Spent on them', f.percent(plan.eval_share))),
    h('div', { class: 'scroll', tabindex: 0, role: 'region', 'aria-label': 'Candidates' },
      table({ caption: 'Candidates', head: ['Candidate', 'Layers from', 'Rules', 'Parameters', 'Compute'],
        rows: plan.candidates.map((one) => [one.operator === 'none' ? 'none (do not grow)' : one.names,
          one.recipe || '–', rulesOf(one.strategy), f.si(one.n_params), f.flops(one.flops)]) })),
  ];
}
