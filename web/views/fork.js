// Fork: another run, from a checkpoint of this one.
import * as api from '../api.js';
import { button, copy, fill, h, toast } from '../dom.js';
import * as f from '../format.js';
import { address, parse } from '../state.js';
import { bodyOf, complain, Field, group, more, schema } from './form.js';
import { runLink } from './parts.js';

export function forkView(main, name) {
  const place = h('div', { class: 'form-page', 'aria-busy': 'true' }, h('p', { class: 'dim' }, 'Loading …'));
  fill(main, h('div', { class: 'page-head' }, h('h1', {}, 'Fork ', runLink(name))), place);
  begin();

  async function begin() {
    try {
      const path = `/runs/${api.part(name)}`;
      const [root, run, checkpoints] = await Promise.all([schema('ForkRequest'), api.get(path),
        api.get(`${path}/checkpoints`)]);
      build(place, root, run, checkpoints.items);
      place.removeAttribute('aria-busy');
    } catch (error) {
      fill(place, h('div', { class: 'failed' }, h('p', {}, error.message), button('Try again', begin)));
    }
  }
  return { title: `Fork ${name}`, destroy() {} };
}

function checkpointChoice(checkpoints) {
  const wanted = parse().parameters.get('checkpoint');
  return h('select', { value: checkpoints.find((one) => one.id === wanted)?.id ?? checkpoints[0]?.id },
    checkpoints.map((one) => h('option', { value: one.id },
      `step ${f.count(one.step)}: ${f.words(one.kind)}, ${one.n_layer} layers`)));
}

function build(place, root, run, checkpoints) {
  const { schedule } = run;
  const source = checkpointChoice(checkpoints);
  const field = (pointer, options) => new Field(root, pointer, options);
  const as = (value) => ({ placeholder: String(value) });
  const main_ = [field('/name'), field('/checkpoint', { input: source, help: 'The fork gets a copy of its own.' }),
    field('/schedule/max_steps', { label: 'Steps', ...as(schedule.max_steps),
      help: 'Of the whole run: they are counted on from the checkpoint.' }),
    field('/seed', as(run.seed)), field('/start', { label: 'Start at once', value: true,
      help: 'Untick to create it paused.' })];
  const extra = [field('/schedule/kind', { label: 'Schedule', value: schedule.kind }),
    field('/schedule/warmup_steps', { label: 'Warm-up', ...as(schedule.warmup_steps) }),
    field('/schedule/min_lr', { label: 'Lowest learning rate', ...as(schedule.min_lr) }),
    field('/schedule/decay_fraction', as(schedule.decay_fraction))];
  const fields = [...main_, ...extra];
  const path = `/runs/${api.part(run.id)}/fork`;
  const body = () => bodyOf(fields);
  const faults = h('div', { class: 'reason', role: 'alert', hidden: true });
  const submit = h('button', { class: 'primary', disabled: checkpoints.length === 0 }, 'Fork');
  const form = h('form', { novalidate: true }, group('Fork', main_.map((one) => one.element),
    more('Schedule', extra.map((one) => one.element))), faults, h('div', { class: 'row' }, submit,
    button('Copy as curl', () => copy(api.curl('POST', path, body()), 'curl command'), { class: 'quiet' })));
  const tell = (problem) => {
    const rest = complain(fields, problem);
    faults.hidden = rest.length === 0;
    fill(faults, rest.map((text) => h('p', {}, text)));
  };
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    submit.disabled = true;
    try {
      const fork = await api.send('POST', path, body());
      toast(`${fork.name} is forked from ${run.name}`);
      location.assign(address(['runs', fork.name]));
    } catch (error) {
      tell(error);
      toast(error.message, 'bad');
      submit.disabled = false;
    }
  });
  fill(place, checkpoints.length === 0 && h('p', { class: 'reason' },
    `${run.name} has no checkpoint yet: let it train to its first one, or write one now.`),
  h('p', { class: 'dim' }, `A fork goes on from a checkpoint of ${run.name}, with its configuration but for what is `
    + 'said here. With the same seed and schedule it takes the same steps, to the last bit.'), form);
}
