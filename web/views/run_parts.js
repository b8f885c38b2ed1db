// Below a run's curves: checkpoints, lineage, configuration, a sample of its text.
import * as api from '../api.js';
import { table } from '../charts/table.js';
import { copy, fill, h } from '../dom.js';
import * as f from '../format.js';
import { panel } from '../panel.js';
import { address } from '../state.js';
import { growthBadge, growthLink, originOf, tokenizerOf } from './parts.js';

export function checkpointPanel(shared) {
  const path = `/runs/${api.part(shared.name)}/checkpoints`;
  const self = panel({
    title: 'Checkpoints', curl: ['GET', path],
    load: async (signal) => ({ ...await api.get(path, signal), run: await shared.known(signal) }),
    isEmpty: (list) => list.items.length === 0,
    empty: () => h('p', { class: 'dim' }, 'None yet: one is written at the interval of the configuration.'),
    show(list, body) {
      const place = h('div', { class: 'scroll', tabindex: 0, role: 'region', 'aria-label': 'Checkpoints, table' });
      const update = (now) => fill(place, table({ numeric: false, caption: 'Checkpoints',
        head: ['Step', 'Kind', 'Layers', 'Size', 'Kept', 'Files', 'Take away', 'Go on'],
        rows: now.items.map((one) => row(shared.name, now.run.model.n_positions, one, self.refresh)) }));
      body.append(place);
      update(list);
      return update;
    },
  });
  return self;
}

function row(run, context, one, refresh) {
  const keep = h('input', { type: 'checkbox', checked: one.keep,
    'aria-label': `Keep the checkpoint of step ${one.step}`,
    onchange: async (event) => {
      const wanted = event.target.checked;
      await api.act(wanted ? 'kept' : 'left to retention', 'PATCH', `/checkpoints/${api.part(one.id)}`,
        { keep: wanted });
      refresh();
    } });
  const files = h('details', {}, h('summary', {}, `${one.files.length} files`),
    h('ul', { class: 'files' }, one.files.map((file) => h('li', {},
      h('a', { href: file.href, download: file.name }, file.name), ' ',
      h('span', { class: 'dim' }, f.bytes(file.n_bytes)), ' ',
      h('code', { title: `SHA-256 ${file.sha256}` }, file.sha256.slice(0, 12))))));
  return [f.count(one.step), f.words(one.kind), one.n_layer, f.bytes(one.n_bytes), keep, files,
    take(one, context),
    h('a', { href: address(['runs', run, 'fork'], { checkpoint: one.id }),
      'aria-label': `Fork from step ${one.step}` }, 'Fork')];
}

const DTYPES = ['f32', 'bf16', 'f16'];

/** The model for Hugging Face's libraries, and what loads it there: prompt and answer fit into its context. */
function take(one, context) {
  const folder = `${one.id}-hf`, length = Math.max(1, Math.min(100, context - 4));
  const snippet = `from transformers import pipeline\nwrite = pipeline("text-generation", model="${folder}")\n`
    + `print(write("And ", max_new_tokens=${length})[0]["generated_text"])`;
  return h('details', {}, h('summary', {}, 'Model'),
    h('p', {}, 'For transformers and vLLM: ', DTYPES.map((dtype) => [
      h('a', { href: api.url(`/checkpoints/${api.part(one.id)}/hf.tar?dtype=${dtype}`), download: `${folder}.tar`,
        'aria-label': `Model of step ${one.step} in ${dtype}` }, dtype), ' '])),
    h('p', {}, 'For llama.cpp and ollama: ', ['f32', 'f16'].map((dtype) => [
      h('a', { href: api.url(`/checkpoints/${api.part(one.id)}/model.gguf?dtype=${dtype}`), download: `${one.id}.gguf`,
        'aria-label': `GGUF file of step ${one.step} in ${dtype}` }, dtype), ' '])),
    h('p', { class: 'dim' }, 'Unpack the archive for transformers with tar x, then:'),
    h('pre', { tabindex: 0, role: 'region', 'aria-label': 'Python that loads it' }, snippet),
    h('button', { onclick: () => copy(snippet, 'snippet') }, 'Copy'));
}

/** How the model came to be what it is: a stage for each size it had, and what was tried without effect. */
export function lineagePanel(shared) {
  const path = `/runs/${api.part(shared.name)}/lineage`;
  return panel({
    title: 'Lineage', curl: ['GET', path], load: (signal) => api.get(path, signal),
    show(data, body) {
      const update = (lineage) => fill(body, lineage.origin && h('p', { class: 'dim' }, originOf(lineage.origin)),
        h('ol', { class: 'lineage' }, lineage.stages.map(stage)),
        tried(lineage.growths));
      update(data);
      return update;
    },
  });
}

function stage(one) {
  const kept = one.checkpoints.filter((checkpoint) => checkpoint.keep).length;
  return h('li', {}, h('b', {}, `${one.n_layer} layers`),
    h('span', { class: 'dim' },
      `, ${f.si(one.n_params)} parameters, steps ${f.count(one.from_step)} to ${f.count(one.to_step)}`),
    one.growth && h('div', {}, growthLink(one.growth, `grown by ${one.operator}`), `, layers ${one.recipe}`),
    one.verdict && h('div', { class: 'dim' }, one.verdict),
    one.checkpoints.length > 0 && h('div', { class: 'dim' },
      `${one.checkpoints.length} checkpoint${one.checkpoints.length > 1 ? 's' : ''}, ${kept} kept`));
}

function tried(growths) {
  const others = growths.filter((growth) => !growth.grew);
  if (!others.length) return null;
  return h('ul', { class: 'lineage' }, others.map((growth) => h('li', {},
    growthBadge(growth.state, growth.step ?? -1), ' ',
    growthLink(growth.id, f.growthChange(growth)),
    h('span', { class: 'dim' }, growth.step >= 0 && growth.step !== null
      ? ` at step ${f.count(growth.step)}` : ' at the next step'),
    growth.reason && h('div', { class: 'dim' }, growth.reason))));
}

const GROUPS = ['model', 'optim', 'schedule', 'batch', 'eval', 'checkpoint'];

export function configPanel(shared) {
  const path = `/runs/${api.part(shared.name)}`;
  return panel({
    title: 'Configuration', curl: ['GET', path], load: (signal) => api.get(path, signal),
    show(run, body) {
      const update = (now) => fill(body, h('div', { class: 'scroll', tabindex: 0, role: 'region',
        'aria-label': 'Configuration, table' },
        table({ numeric: false, caption: 'Configuration', head: ['Key', 'Value'], rows: [
          ['dataset', now.dataset], ['seed', now.seed], ['precision', now.precision],
          ['recompute', String(now.recompute)], ['threads', now.threads || 'no limit of its own'],
          ['on_crash', now.on_crash],
          ...GROUPS.flatMap((group) => Object.entries(now[group]).map(([key, value]) =>
            [`${group}.${key}`, Array.isArray(value) ? value.join(', ') : String(value)])),
          ['created', f.when(now.created_at)], ['id', now.id]] })));
      update(run);
      return update;
    },
  });
}

/** It asks when somebody asks; where the dataset's tokens have no text, it says so instead. */
export function samplePanel(shared) {
  const text = h('pre', { class: 'sample', tabindex: 0, role: 'region', 'aria-label': 'Sampled text' });
  const state = h('p', { class: 'dim', role: 'status' }, 'The newest state of the run goes on from your words.');
  const prompt = h('input', { name: 'prompt', maxlength: 500, value: 'And ' });
  const numbers = { n_tokens: [120, 1, 4096, 1], temperature: [0.8, 0, 10, 0.1], top_k: [0, 0, 1000, 1],
    seed: [0, 0, 999999, 1] };
  const inputs = Object.entries(numbers).map(([name, [value, min, max, step]]) =>
    [name, h('input', { type: 'number', name, value, min, max, step, required: true })]);
  const body = () => ({ prompt: prompt.value,
    ...Object.fromEntries(inputs.map(([name, input]) => [name, Number(input.value)])) });
  const path = `/runs/${api.part(shared.name)}/generate`;
  const submit = h('button', { class: 'primary' }, 'Write');
  const form = h('form', { class: 'sample-form' }, h('label', { class: 'field wide' }, h('span', {}, 'Prompt'), prompt),
    inputs.map(([name, input]) => h('label', { class: 'field' }, h('span', {}, f.words(name)), input)), submit);
  let destroyed = false;
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    submit.disabled = true;
    state.textContent = 'Writing …';
    try {
      const answer = await api.send('POST', path, body());
      if (destroyed) return;
      fill(text, h('b', {}, answer.prompt), answer.text.startsWith(answer.prompt)
        ? answer.text.slice(answer.prompt.length) : answer.text);
      state.textContent = `${answer.n_tokens} tokens by the weights of step ${f.count(answer.step)}`
        + `${answer.checkpoint ? '' : ', which trains on and has no checkpoint yet'}.`;
    } catch (error) {
      state.textContent = `No sample: ${error.message}.`;
    } finally {
      submit.disabled = false;
    }
  });
  const self = panel({ title: 'Text sample', curl: () => ['POST', path, body()],
    load: async (signal) => shared.tokenizer ??= await tokenizerOf(await shared.known(signal), signal),
    isEmpty: (tokenizer) => !tokenizer.text,
    empty: () => h('p', { class: 'dim' }, `The dataset ${shared.run?.dataset ?? ''} holds tokens that no tokenizer of `
      + 'lagd\'s has made: what this run writes has no text.'),
    show: (_, place) => { place.append(form, state, text); } });
  return { element: self.element, refresh: self.refresh, destroy: () => { destroyed = true; self.destroy(); } };
}
