// Extend: a run goes on to a later last step; beside the form the learning rate that it will have.
import * as api from '../api.js';
import { spark } from '../charts/spark.js';
import { table } from '../charts/table.js';
import { button, copy, fill, h, toast } from '../dom.js';
import * as f from '../format.js';
import { throttle } from '../throttle.js';
import { address } from '../state.js';
import { bodyOf, complain, Field, group, more, schema } from './form.js';
import { fact, facts, runLink } from './parts.js';

export function extendView(main, name) {
  const place = h('div', { class: 'form-page', 'aria-busy': 'true' }, h('p', { class: 'dim' }, 'Loading …'));
  let dry = null;
  fill(main, h('div', { class: 'page-head' }, h('h1', {}, 'Extend ', runLink(name))), place);
  begin();

  async function begin() {
    try {
      const [root, run] = await Promise.all([schema('ExtendRequest'), api.get(`/runs/${api.part(name)}`)]);
      dry = build(place, root, run);
      place.removeAttribute('aria-busy');
    } catch (error) {
      fill(place, h('div', { class: 'failed' }, h('p', {}, error.message), button('Try again', begin)));
    }
  }
  return { title: `Extend ${name}`, destroy: () => dry?.cancel() };
}

function build(place, root, run) {
  const { schedule } = run;
  const field = (pointer, options) => new Field(root, pointer, options);
  const kinds = root.properties.schedule.properties.kind.enum;
  const kind = h('select', {}, h('option', { value: '' }, `as it is: ${schedule.kind}`),
    kinds.filter((one) => one !== schedule.kind).map((one) => h('option', { value: one }, one)));
  const main_ = [field('/max_steps', { label: 'Steps', value: run.max_steps * 2 }),
    field('/schedule/after', { label: 'Learning rate' }), field('/from', { label: 'Go on from' })];
  const extra = [field('/schedule/kind', { label: 'Schedule', input: kind }),
    field('/schedule/warmup_steps', { label: 'Warm-up', placeholder: schedule.warmup_steps,
      help: 'Of a re-warm 50 when left out.' }),
    field('/schedule/min_lr', { label: 'Lowest learning rate', placeholder: schedule.min_lr }),
    field('/schedule/decay_fraction', { placeholder: schedule.decay_fraction })];
  const fields = [...main_, ...extra];
  const path = `/runs/${api.part(run.id)}/extend`;
  const body = () => bodyOf(fields);
  const faults = h('div', { class: 'reason', role: 'alert', hidden: true });
  const submit = h('button', { class: 'primary' }, 'Extend and go on');
  const form = h('form', { novalidate: true }, group('Extend', main_.map((one) => one.element),
    more('Schedule', extra.map((one) => one.element))), faults, h('div', { class: 'row' }, submit,
    button('Copy as curl', () => copy(api.curl('POST', path, body()), 'curl command'), { class: 'quiet' })));
  const numbers = h('div', { 'aria-live': 'polite' }, h('p', { class: 'dim' }, 'Asking the daemon …'));
  const aside = h('aside', { class: 'panel dry', 'aria-label': 'Its learning rate' },
    h('header', {}, h('h2', {}, 'Its learning rate'), h('span', { class: 'grow' }),
      h('button', { type: 'button', class: 'quiet small', title: 'Copy this request as a curl command',
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
      fill(numbers, rates(plan));
    } catch (error) {
      if (number !== asked) return;
      tell(error);
      fill(numbers, h('p', { class: 'dim' }, error.status === 0
        ? error.message : 'Fix what is marked to see the learning rate.'));
    }
  }, 350);
  form.addEventListener('input', dry);
  form.addEventListener('change', dry);
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    submit.disabled = true;
    try {
      await api.send('POST', path, body());
      toast(`${run.name} goes on`);
      location.assign(address(['runs', run.name]));
    } catch (error) {
      tell(error);
      toast(error.message, 'bad');
      submit.disabled = false;
    }
  });
  fill(place, h('p', { class: 'dim' }, `${run.name} is ${f.words(run.state)} at step ${f.count(run.step)} of `
    + `${f.count(run.max_steps)}.`), h('div', { class: 'form-columns' }, form, aside));
  dry();
  return dry;
}

function rates(plan) {
  const shown = plan.lr.filter((_, i) => i % 4 === 0 || i === plan.lr.length - 1);
  return [
    h('p', { class: plan.lr_changes || plan.checkpoint ? 'reason' : 'good-note' },
      `${plan.note[0].toUpperCase()}${plan.note.slice(1)}.`),
    facts(fact('Now', plan.lr_now === null ? '–' : f.number(plan.lr_now)), fact('Next', f.number(plan.lr_next)),
      fact('From step', f.count(plan.from_step)), fact('To', f.count(plan.max_steps)),
      plan.n_dropped_steps > 0 && fact('Given up', f.count(plan.n_dropped_steps), 'steps')),
    spark([plan.lr_now, ...plan.lr.map((one) => one.lr)], `Learning rate up to step ${plan.max_steps}`),
    h('div', { class: 'scroll', tabindex: 0, role: 'region', 'aria-label': 'Learning rate, table' },
      table({ caption: 'Learning rate', head: ['Step', 'Learning rate'],
        rows: shown.map((one) => [f.count(one.step), f.number(one.lr)]) })),
  ];
}
