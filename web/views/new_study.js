// New study: parent, target, horizon, seeds and pool, and beside it what it would take, before anything begins.
import * as api from '../api.js';
import { table } from '../charts/table.js';
import { button, copy, fill, h, toast } from '../dom.js';
import * as f from '../format.js';
import { address, parse } from '../state.js';
import { throttle } from '../throttle.js';
import { bodyOf, complain, Field, group, more, schema } from './form.js';
import { fact, facts } from './parts.js';
import { poolChoice } from './pool.js';

export function newStudyView(main) {
  const place = h('div', { class: 'form-page', 'aria-busy': 'true' }, h('p', { class: 'dim' }, 'Loading …'));
  let dry = null;
  fill(main, h('div', { class: 'page-head' }, h('h1', {}, 'New study')), place);
  begin();

  async function begin() {
    try {
      const [root, runs, catalog] = await Promise.all([schema('StudyRequest'), api.get('/runs?limit=1000'),
        api.get('/operators')]);
      const parents = runs.items.filter((one) => one.step > 0);
      if (parents.length === 0) {
        fill(place, h('p', { class: 'reason' }, 'A study begins from a checkpoint of a run, and no run has trained '
          + 'yet. ', h('a', { href: address(['new']) }, 'Create one'), ' first.'));
      } else {
        dry = build(place, root, parents, catalog);
      }
      place.removeAttribute('aria-busy');
    } catch (error) {
      fill(place, h('div', { class: 'failed' }, h('p', {}, error.message), button('Try again', begin)));
    }
  }
  return { title: 'New study', destroy: () => dry?.cancel() };
}

/** "1, 2 3" → [1, 2, 3]; what is no number stays as it is, for the daemon to refuse. */
const seedsOf = (text) => text.split(/[\s,]+/).filter(Boolean).map((one) => (/^\d+$/.test(one) ? Number(one) : one));

function build(place, root, runs, catalog) {
  const wanted = parse().parameters.get('parent');
  const parent = runs.find((one) => one.id === wanted || one.name === wanted) ?? runs[0];
  const runChoice = h('select', { value: parent.name },
    runs.map((one) => h('option', { value: one.name }, `${one.name} (step ${one.step}, ${one.model.n_layer} layers)`)));
  const layers = h('input', { type: 'number', required: true, min: 1, step: 1, value: parent.model.n_layer * 2 });
  const scratch = h('input', { type: 'checkbox' });
  const seeds = new Field(root, '/seeds', { value: '1, 2, 3', help: 'Whole numbers with a comma between. From two '
    + 'seeds on the report can tell what is chance.' });
  const field = (pointer, options) => new Field(root, pointer, options);
  const main_ = [field('/name'), field('/parent/run', { input: runChoice, value: parent.name, label: 'Parent' }),
    field('/target/n_layer', { input: layers, label: 'Layers after growth' }), field('/horizon', { value: 1000 }),
    seeds, field('/delta', { label: 'Difference that matters' })];
  const extra = [field('/parent/checkpoint'), field('/eval/every', { label: 'Evaluate every' }),
    field('/eval/batches', { label: 'Evaluation batches' }), field('/divergence_bound'), field('/parallel'),
    field('/note')];
  const fields = [...main_, ...extra], pool = poolChoice(catalog);
  const body = () => ({ ...bodyOf(fields), seeds: seedsOf(seeds.input.value), pool: pool.read(),
    ...(scratch.checked ? { baselines: ['none', 'scratch'] } : {}) });
  const faults = h('div', { class: 'reason', role: 'alert', hidden: true });
  const submit = h('button', { class: 'primary' }, 'Begin this study');
  const form = h('form', { novalidate: true }, group('Study', main_.map((one) => one.element),
    h('div', { class: 'field check-field' }, h('label', { class: 'check' }, scratch, 'also train from scratch'),
      h('small', { class: 'dim' }, 'A model of the target’s shape, from nothing, for as many FLOPs.')),
    more('More', extra.map((one) => one.element))), pool.element, faults, h('div', { class: 'row' }, submit,
    button('Copy as curl', () => copy(api.curl('POST', '/studies', body()), 'curl command'), { class: 'quiet' })));
  runChoice.addEventListener('change', () => {
    layers.value = runs.find((one) => one.name === runChoice.value).model.n_layer * 2;
  });
  const numbers = h('div', { 'aria-live': 'polite' }, h('p', { class: 'dim' }, 'Asking the daemon …'));
  const aside = h('aside', { class: 'panel dry', 'aria-label': 'What it would take' },
    h('header', {}, h('h2', {}, 'What it would take'), h('span', { class: 'grow' }),
      h('button', { type: 'button', class: 'quiet small', title: 'Copy this request as a curl command',
        onclick: () => copy(api.curl('POST', '/studies?dry_run=true', body()), 'curl command') }, 'curl')), numbers);
  const tell = (problem) => {
    const rest = complain(fields, problem);
    faults.hidden = rest.length === 0;
    fill(faults, rest.map((text) => h('p', {}, text)));
  };
  const dry = estimate(body, tell, numbers);
  form.addEventListener('input', dry);
  form.addEventListener('change', dry);
  form.addEventListener('submit', (event) => send(event, body(), submit, tell));
  fill(place, h('p', { class: 'dim first' }, 'Every candidate of the pool is trained from the parent to the horizon, '
    + 'once a seed. That costs much more than a growth, and tells what a growth cannot: whether its lag is long '
    + 'enough.'),
    h('div', { class: 'form-columns' }, form, aside));
  dry();
  return dry;
}

async function send(event, body, submit, tell) {
  event.preventDefault();
  submit.disabled = true;
  try {
    const study = await api.send('POST', '/studies', body);
    toast('the study begins');
    location.assign(address(['studies', study.id]));
  } catch (error) {
    tell(error);
    toast(error.message, 'bad');
    submit.disabled = false;
  }
}

function estimate(body, tell, numbers) {
  let asked = 0;
  return throttle(async () => {
    const number = ++asked;
    try {
      const request = body();
      const plan = await api.send('POST', '/studies?dry_run=true', { ...request, name: request.name ?? 'study' });
      if (number !== asked) return;
      tell(null);
      fill(numbers, planFacts(plan));
    } catch (error) {
      if (number !== asked) return;
      tell(error);
      fill(numbers, h('p', { class: 'dim' }, error.status === 0
        ? error.message : 'Fix the marked fields to see the estimate.'));
    }
  }, 350);
}

function planFacts(plan) {
  return [
    facts(
      fact('Runs', plan.n_runs, `${plan.n_seeds} of all candidates`),
      fact('Candidates', plan.candidates.length, 'the reference included'),
      fact('Compute', f.flops(plan.flops_total), plan.parent_flops > 0
        ? f.share(plan.flops_total / plan.parent_flops, 'the parent’s training') : ''),
      fact('Time', f.duration(plan.seconds_guess), 'about, one run after the other'),
      fact('Memory', f.bytes(plan.memory_bytes), 'at most, of one run'),
      fact('Disk', f.bytes(plan.disk_bytes), 'of checkpoints'),
      fact('Begins at', `step ${f.count(plan.start_step)}`), fact('Evaluations', plan.n_times, 'of a candidate')),
    h('div', { class: 'scroll', tabindex: 0, role: 'region', 'aria-label': 'Candidates' },
      table({ caption: 'Candidates', head: ['Candidate', 'Parameters', 'Compute'],
        rows: plan.candidates.map((one) => [one.operator === 'none' ? 'none (do not grow)' : one.names,
          f.si(one.n_params), f.flops(one.flops)]) })),
  ];
}
