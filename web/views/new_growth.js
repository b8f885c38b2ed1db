// New growth: target, time, pool and lag, and beside it each candidate with its cost, before anything begins.
import * as api from '../api.js';
import { table } from '../charts/table.js';
import { button, copy, fill, h, toast } from '../dom.js';
import * as f from '../format.js';
import { throttle } from '../throttle.js';
import { address } from '../state.js';
import { drawing } from './drawing.js';
import { bodyOf, complain, Field, group, more, schema } from './form.js';
import { fact, facts, runLink } from './parts.js';
import { poolChoice } from './pool.js';
import { history, priorText } from './prior.js';

export function newGrowthView(main, name) {
  const place = h('div', { class: 'form-page', 'aria-busy': 'true' }, h('p', { class: 'dim' }, 'Loading …'));
  let dry = null;
  fill(main, h('div', { class: 'page-head' }, h('h1', {}, 'Grow ', runLink(name))), place);
  begin();

  async function begin() {
    try {
      const [root, run, catalog, prior, config] = await Promise.all([schema('GrowthRequest'),
        api.get(`/runs/${api.part(name)}`), api.get('/operators'), api.get('/prior'), api.get('/config')]);
      dry = build(place, root, run, catalog, prior, config.growth.audit);
      place.removeAttribute('aria-busy');
    } catch (error) {
      fill(place, h('div', { class: 'failed' }, h('p', {}, error.message), button('Try again', begin)));
    }
  }
  return { title: `Grow ${name}`, destroy: () => dry?.cancel() };
}

function build(place, root, run, catalog, prior, audits) {
  const field = (pointer, options) => new Field(root, pointer, options);
  const main_ = [field('/target/n_layer', { value: run.model.n_layer * 2, label: 'Layers after growth' }),
    field('/target/n_embd', { label: 'Width after growth' }), field('/when/at_step', { label: 'at step' }),
    field('/probe/steps', { value: 50, label: 'lag' }), field('/probe/eval_every', { label: 'evaluate every' }),
    field('/probe/allocator', { label: 'allocator' }),
    field('/mode', { value: 'manual' })];
  const ended = run.allowed_actions.includes('extend') && !run.allowed_actions.includes('grow');
  if (ended) main_.splice(1, 0, field('/extend/max_steps', { value: run.max_steps * 2, label: 'Extend to',
    help: 'The run has ended: it goes on to so many steps, and grows on its way.' }));
  const audit = field('/audit', { value: audits, label: 'audit the decision' });
  audit.read = () => audit.input.checked; // left out, the daemon's configuration would decide
  const extra = [field('/target/n_head', { label: 'heads' }), field('/target/head_dim', { label: 'size of a head' }),
    field('/target/n_inner', { label: 'FFN width' }), field('/target/vocab_size', { label: 'vocabulary' }),
    field('/target/n_positions', { label: 'context' }),
    field('/batch/tokens_per_sequence', { label: 'tokens of a sequence' }),
    field('/probe/max_steps', { label: 'extend up to' }), field('/probe/eval_batches'),
    field('/probe/max_eval_share'), field('/probe/divergence_bound'),
    field('/probe/delta', { label: 'difference that matters' }), field('/probe/parallel'),
    field('/allow_none', { label: 'not growing may win' }), audit, field('/reason')];
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
  let asked = 0, aimed = null;
  /** Which operators lead to the target that is asked for now. */
  const aim = async () => {
    const target = Object.entries(body().target ?? {}).map(([axis, value]) => `${axis}=${value}`).join(',');
    if (!target || target === aimed) return;
    aimed = target;
    const told = await api.get(`/operators${api.query({ run: run.id, target })}`).catch(() => null);
    if (target === aimed) pool.know(told?.items ?? null);
  };
  const dry = throttle(async () => {
    const number = ++asked;
    aim();
    try {
      const plan = await api.send('POST', `${path}?dry_run=true`, body());
      if (number !== asked) return;
      tell(null);
      const at = body().when?.at_step ?? -1, until = body().extend?.max_steps ?? run.max_steps;
      fill(numbers, planFacts(plan, run), grown(plan), h('h3', {}, 'What operators have done here'),
        history(prior, plan, (at >= 0 ? at : run.step) / until));
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
    h('p', { class: 'dim' }, `${run.name} has ${run.model.n_layer} layers of width ${run.model.n_embd}, `
      + `${f.si(run.n_params)} parameters, and is at step ${f.count(run.step)} of ${f.count(run.max_steps)}.`),
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

/** What one of the candidates would do to the layers, whichever is chosen. */
function grown(plan) {
  const able = plan.candidates.filter((one) => one.operator !== 'none'), place = h('div', {});
  if (able.length === 0) return null;
  const show = (i) => fill(place, drawing(plan, { ...able[i], label: able[i].names }));
  const select = h('select', { 'aria-label': 'Candidate that is drawn', onchange: () => show(Number(select.value)) },
    able.map((one, i) => h('option', { value: i }, one.names)));
  select.addEventListener('input', (event) => event.stopPropagation());
  show(0);
  return h('details', { class: 'more' }, h('summary', {}, 'What would grow'), select, place);
}

function planFacts(plan, run) {
  return [
    facts(
      fact('Candidates', plan.candidates.length, 'the reference included'),
      fact('Compute', f.flops(plan.flops_total), run.flops_training > 0
        ? f.share(plan.flops_total / run.flops_training, 'training so far') : ''),
      fact('Time', f.duration(plan.seconds_guess), plan.time_basis === 'run'
        ? `about, ${plan.n_workers} at once` : 'a guess: the run has not trained yet'),
      plan.rungs.length > 0 && fact('Looked at', `after ${plan.rungs.map(f.count).join(', ')} steps`,
        `at least ${f.flops(plan.least.flops)}`),
      fact('Memory', f.bytes(plan.memory_bytes),
        `of ${f.bytes(plan.memory_available_bytes)}; ${f.bytes(plan.memory_peak_bytes)} with the run`),
      plan.batch.tokens_per_sequence !== run.batch.tokens_per_sequence
        && fact('Sequences', `${f.count(plan.batch.tokens_per_sequence)} tokens`,
          `${plan.batch.sequences * plan.batch.accumulate} a step; ${f.count(run.batch.tokens_per_sequence)} before`),
      fact('Evaluations', plan.n_times, `of ${plan.n_batches} batches`),
      fact('Spent on them', f.percent(plan.eval_share))),
    plan.batch_note && h('p', { class: 'dim' }, `${plan.batch_note}.`),
    h('div', { class: 'scroll', tabindex: 0, role: 'region', 'aria-label': 'Candidates' },
      table({ caption: 'Candidates',
        head: ['Candidate', ...(plan.prior ? ['Prior'] : []), 'Layers from', 'Rules', 'Parameters', 'Compute'],
        rows: plan.candidates.map((one) => [one.operator === 'none' ? 'none (do not grow)' : one.names,
          ...(plan.prior ? [one.prior === null ? '–' : one.prior.toFixed(2)] : []),
          one.recipe || '–', rulesOf(one.strategy), f.si(one.n_params), f.flops(one.flops)]) })),
    plan.prior && h('p', { class: 'dim' }, priorText(plan.prior)),
  ];
}
