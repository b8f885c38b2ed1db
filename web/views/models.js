// Models that were brought: what there is, how far what is being imported is, and another one by its path.
import * as api from '../api.js';
import { ask, button, fill, h } from '../dom.js';
import * as f from '../format.js';
import * as live from '../live.js';
import { panel } from '../panel.js';
import { address } from '../state.js';
import { throttle } from '../throttle.js';
import { Paces } from '../time_left.js';
import { asCurl, bodyOf, Field, formOf, schema } from './form.js';
import { badge, fact, facts, progress } from './parts.js';

const PULSE_MS = 1000;

export function modelsView(main) {
  const paces = new Paces();
  let busy = false; // one of them is being imported: how far it is comes without events
  const list = panel({
    title: 'Models', wide: true, curl: ['GET', '/models'],
    load: (signal) => api.get('/models', signal),
    isEmpty: (now) => now.items.length === 0,
    empty: () => h('p', { class: 'dim' }, 'No model yet. A run can begin from one instead of random weights.'),
    show(first, body) {
      const cards = h('div', { class: 'cards' });
      const update = (now) => {
        busy = now.items.some((one) => one.state === 'importing');
        fill(cards, now.items.map((one) => card(one, paces, () => list.refresh())));
      };
      body.append(cards);
      update(first);
      return update;
    },
  });
  const place = h('div', { 'aria-busy': 'true' });
  fill(main, h('div', { class: 'page-head' }, h('h1', {}, 'Models')), list.element, place);
  begin();

  async function begin() {
    try {
      fill(place, bringPanel(await schema('ModelRequest'), () => list.refresh()));
      place.removeAttribute('aria-busy');
    } catch (error) {
      fill(place, h('div', { class: 'failed' }, h('p', {}, error.message), button('Try again', begin)));
    }
  }
  const refresh = throttle(() => list.refresh(), 300);
  const unsubscribe = live.subscribe((event) => event.type?.startsWith('model.') && refresh());
  const pulse = setInterval(() => busy && !document.hidden && refresh(), PULSE_MS);
  list.refresh();
  return {
    title: 'Models',
    destroy() {
      unsubscribe();
      clearInterval(pulse);
      refresh.cancel();
      list.destroy();
    },
  };
}

function tokenizerOf(one) {
  if (!one.tokenizer) return fact('Tokenizer', '–');
  if (one.tokenizer === 'none') return fact('Tokenizer', 'none');
  return fact('Tokenizer', one.tokenizer, one.tokenizer_size ? `${f.count(one.tokenizer_size)} tokens` : '');
}

function card(one, paces, after) {
  const importing = one.state === 'importing', ready = one.state === 'ready';
  const left = paces.of(one.id, importing ? one.progress : null);
  return h('article', { class: 'card', 'aria-label': one.name },
    h('header', {}, h('h3', {}, one.name), badge('model', one.state)),
    one.reason && h('p', { class: 'reason' }, one.reason),
    importing && progress(one.progress, 1, `${one.name}: copied and checked`),
    importing && h('p', { class: 'dim' }, `${f.percent(one.progress)} copied and checked${f.left(left)}`),
    ready && facts(
      fact('Parameters', f.si(one.n_params), f.count(one.n_params)),
      fact('Shape', `${one.shape.n_layer} layers, width ${f.count(one.shape.n_embd)}`),
      fact('Context', f.count(one.shape.n_positions)),
      fact('Vocabulary', f.count(one.shape.vocab_size)),
      tokenizerOf(one),
      fact('Weights', one.dtype)),
    h('p', { class: 'dim' }, ready ? `${f.bytes(one.n_bytes)}, copied from ${one.path}` : one.path),
    h('footer', { class: 'row' },
      ready && h('a', { class: 'button primary', href: address(['new'], { model: one.name }) }, 'Begin a run from it'),
      button(importing ? 'Cancel' : 'Delete', () => remove(one, after), { class: 'danger' })));
}

async function remove(one, after) {
  const importing = one.state === 'importing';
  const sure = await ask({ title: importing ? 'End this import?' : 'Delete this model?', danger: true,
    confirm: importing ? 'End it' : 'Delete it',
    text: `${one.name} goes with lagd's copy of its files; the folder that it came from stays.` });
  if (!sure) return;
  const done = await api.act(`${one.name}: deleted`, 'DELETE', `/models/${api.part(one.id)}`, undefined);
  if (done !== undefined) after();
}

function bringPanel(root, after) {
  const fields = [new Field(root, '/path', { placeholder: 'gpt2' }), new Field(root, '/name', { placeholder: 'gpt2' })];
  const form = formOf(fields, { submit: 'Bring it', after, tools: [asCurl('/models', fields)],
    ask: () => api.send('POST', '/models', bodyOf(fields)) });
  return h('section', { class: 'panel', 'aria-label': 'Bring a model' }, h('header', {}, h('h2', {}, 'Bring a model')),
    h('p', {}, 'A GPT-2 as Hugging Face\'s libraries save it: a folder on the daemon\'s machine, below one of its '
      + 'dataset roots, with config.json, safetensors and the tokenizer\'s files. It is copied and checked.'), form);
}
