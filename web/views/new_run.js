// New run: a form, and beside it what the daemon says it would take, before anything begins.
import * as api from '../api.js';
import { button, copy, fill, h, toast } from '../dom.js';
import * as f from '../format.js';
import { throttle } from '../throttle.js';
import { address, parse } from '../state.js';
import { uploadPanel } from './datasets.js';
import { bodyOf, complain, Field, group, more, schema } from './form.js';
import { fact, facts } from './parts.js';

export function newRunView(main) {
  const place = h('div', { class: 'form-page', 'aria-busy': 'true' }, h('p', { class: 'dim' }, 'Loading …'));
  let dry = null;
  fill(main, h('div', { class: 'page-head' }, h('h1', {}, 'New run')), place);
  begin();

  async function begin() {
    try {
      const [root, datasets, models] = await Promise.all([schema('RunRequest'), api.get('/datasets'),
        api.get('/models')]);
      const ready = (all) => all.items.filter((one) => one.state === 'ready');
      dry = build(place, root, ready(datasets), ready(models), begin);
      place.removeAttribute('aria-busy');
    } catch (error) {
      fill(place, h('div', { class: 'failed' }, h('p', {}, error.message), button('Try again', begin)));
    }
  }
  return { title: 'New run', destroy: () => dry?.cancel() };
}

/** Random weights, or those of a model that was brought. */
function sourceChoice(models) {
  const wanted = parse().parameters.get('model');
  return h('select', { value: models.some((one) => one.name === wanted) ? wanted : '' },
    h('option', { value: '' }, 'random weights'), models.map((one) => h('option', { value: one.name },
      `${one.name}: ${f.si(one.n_params)} parameters`)));
}

function build(place, root, datasets, models, again) {
  const source = sourceChoice(models);
  const dataset = h('select', { required: true }, datasets.map((one) =>
    h('option', { value: one.name }, `${one.name}: ${f.si(one.n_tokens)} tokens, vocabulary ${one.vocab_size}`
      + (one.tokenizer ? `, by ${one.tokenizer}` : ''))));
  const field = (pointer, options) => new Field(root, pointer, options);
  const groups = [
    ['Run', [field('/name'), field('/dataset', { input: dataset }), field('/from/model', { input: source,
      label: 'begin from', help: 'A model brings its shape; the dataset must be of its tokens.' }), field('/seed'),
      field('/start', { label: 'start at once', value: true, help: 'Untick to create it paused.' })],
      [field('/tags'), field('/note'), field('/threads'), field('/on_crash')]],
    ['Model', [field('/model/n_layer', { value: 3, label: 'layers' }),
      field('/model/n_head', { value: 4, label: 'heads' }),
      field('/model/n_embd', { value: 128, label: 'width' }),
      field('/model/n_positions', { value: 64, label: 'context' })],
    [field('/model/n_inner', { label: 'feed-forward width' }), field('/model/vocab_size', { label: 'vocabulary' })]],
    ['Training', [field('/schedule/max_steps', { value: 1000, label: 'steps' }),
      field('/batch/sequences', { label: 'batch' }),
      field('/optim/lr', { value: 0.002, label: 'learning rate' }),
      field('/schedule/warmup_steps', { value: 40, label: 'warm-up' }),
      field('/schedule/kind', { label: 'schedule' }), field('/precision')],
    [field('/schedule/min_lr', { label: 'lowest learning rate' }), field('/schedule/decay_fraction'),
      field('/optim/weight_decay'), field('/optim/grad_clip', { label: 'gradient clip' }),
      field('/optim/betas/0', { label: 'beta 1' }), field('/optim/betas/1', { label: 'beta 2' }), field('/optim/eps'),
      field('/batch/tokens_per_sequence'), field('/batch/accumulate'),
      field('/recompute', { label: 'recompute activations' })]],
    ['Evaluation and checkpoints', [field('/eval/every_steps', { label: 'validate every' }),
      field('/checkpoint/every_steps', { label: 'checkpoint every' })],
      [field('/eval/batches', { label: 'validation batches' }), field('/checkpoint/keep_last')]],
  ];
  const fields = groups.flatMap(([, main_, extra]) => [...main_, ...extra]);
  const shape = fields.filter((one) => one.pointer.startsWith('/model/'));
  const body = () => withBetas(bodyOf(source.value ? fields.filter((one) => !shape.includes(one)) : fields));
  const faults = h('div', { class: 'reason', role: 'alert', hidden: true });
  const submit = h('button', { class: 'primary' }, 'Create run');
  const boxes = groups.map(([title, main_, extra]) =>
    group(title, main_.map((one) => one.element), more('More', extra.map((one) => one.element))));
  const takeSource = () => { // a model brings its shape, and takes its own tokens
    const model = models.find((one) => one.name === source.value);
    const isText = (name) => datasets.find((one) => one.name === name)?.format === 'text';
    boxes[1].hidden = model !== undefined;
    if (!model || model.tokenizer === 'bytes' || !isText(dataset.value)) return;
    dataset.value = datasets.find((one) => one.format !== 'text')?.name ?? dataset.value;
  };
  source.addEventListener('change', takeSource);
  takeSource();
  const form = h('form', { novalidate: true }, boxes, faults,
  h('div', { class: 'row' }, submit, button('Copy as curl',
    () => copy(api.curl('POST', '/runs', body()), 'curl command'), { class: 'quiet' })));
  const numbers = h('div', { 'aria-live': 'polite' }, h('p', { class: 'dim' }, 'Asking the daemon …'));
  const aside = h('aside', { class: 'panel dry', 'aria-label': 'What it would take' },
    h('header', {}, h('h2', {}, 'What it would take'),
    h('span', { class: 'grow' }), h('button', { type: 'button', class: 'quiet small',
      title: 'Copy this request as a curl command',
      onclick: () => copy(api.curl('POST', '/runs?dry_run=true', body()), 'curl command') }, 'curl')), numbers);

  const tell = (problem) => {
    const rest = complain(fields, problem);
    faults.hidden = rest.length === 0;
    fill(faults, rest.map((text) => h('p', {}, text)));
  };
  let asked = 0;
  const dry = throttle(async () => {
    const number = ++asked;
    try {
      const estimate = await api.send('POST', '/runs?dry_run=true', body());
      if (number !== asked) return;
      tell(null);
      fill(numbers, estimateFacts(estimate));
    } catch (error) {
      if (number !== asked) return;
      tell(error);
      fill(numbers, h('p', { class: 'dim' }, error.status === 0
        ? error.message : 'Fix the marked fields to see the estimate.'));
    }
  }, 350);
  form.addEventListener('input', dry);
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    submit.disabled = true;
    try {
      const run = await api.send('POST', '/runs', body());
      toast(`${run.name} is created`);
      location.assign(address(['runs', run.name]));
    } catch (error) {
      tell(error);
      toast(error.message, 'bad');
      submit.disabled = false;
    }
  });
  fill(place, datasets.length === 0 ? uploadPanel('First a dataset', 2, again) : null,
    h('div', { class: 'form-columns' }, form, aside));
  if (datasets.length > 0) dry();
  else fill(numbers, h('p', { class: 'dim' }, 'A dataset is needed first. ',
    h('a', { href: address(['datasets']) }, 'Those that there are')));
  return dry;
}

/** Both betas or none: an array has no holes. */
function withBetas(body) {
  const { betas } = body.optim ?? {};
  if (betas) body.optim.betas = [betas[0] ?? 0.9, betas[1] ?? 0.95];
  return body;
}

function estimateFacts(estimate) {
  return [
    facts(
      fact('Parameters', f.si(estimate.n_params), f.count(estimate.n_params)),
      fact('Tokens', f.si(estimate.tokens_total), `${f.count(estimate.tokens_per_step)} a step`),
      fact('Compute', f.flops(estimate.flops_total), `${f.flops(estimate.flops_per_step)} a step`),
      fact('Time', f.duration(estimate.total_seconds),
        estimate.step_seconds ? `${f.number(estimate.step_seconds * 1000)} ms a step` : 'not known yet'),
      fact('Memory', f.bytes(estimate.memory_bytes), `of ${f.bytes(estimate.memory_available_bytes)}`),
      fact('A checkpoint', f.bytes(estimate.checkpoint_bytes))),
    h('p', { class: estimate.fits ? 'good-note' : 'reason' }, estimate.fits ? '✓ It fits into the memory that is free.'
      : 'It does not fit into the memory that is free: take a smaller batch, context, width or depth, '
          + 'or recompute activations.'),
    estimate.precision_note && h('p', { class: 'reason' }, `${estimate.precision_note}.`),
  ];
}
