// Tokenizers: what there is, how far what is being made is, one to train, to bring, to extend, to try.
import * as api from '../api.js';
import { ask, button, fill, h, toast } from '../dom.js';
import * as f from '../format.js';
import * as live from '../live.js';
import { panel } from '../panel.js';
import { address, Settings } from '../state.js';
import { throttle } from '../throttle.js';
import { Paces } from '../time_left.js';
import { uploadBar } from '../upload.js';
import { asCurl, bodyOf, Field, formOf, schema } from './form.js';
import { badge, fact, facts, progress } from './parts.js';
import { tryPanel } from './tokenizer_try.js';

const PULSE_MS = 1000;

export function tokenizersView(main) {
  const paces = new Paces(), settings = new Settings({ try: '' });
  let busy = false; // one of them is being made: how far it is comes without events
  const attempt = tryPanel(settings);
  const show = { try: (name) => attempt.choose(name), after: () => list.refresh(), paces };
  const list = panel({
    title: 'Tokenizers', wide: true, curl: ['GET', '/tokenizers'],
    async load(signal) {
      const [tokenizers, datasets] = await Promise.all([api.get('/tokenizers', signal), api.get('/datasets', signal)]);
      return { items: tokenizers.items, datasets: datasets.items };
    },
    isEmpty: (now) => now.items.length === 0,
    empty: () => h('p', { class: 'dim' }, 'No tokenizer yet. Train one on a text, or bring its files: its tokens stand '
      + 'for more of the text than bytes do.'),
    show(first, body) {
      const cards = h('div', { class: 'cards' });
      const update = (now) => {
        busy = now.items.some((one) => one.state === 'making');
        fill(cards, now.items.map((one) => card(one, now, show)));
        attempt.offer();
      };
      body.append(cards);
      update(first);
      return update;
    },
  });
  const place = h('div', { class: 'columns', 'aria-busy': 'true' });
  fill(main, h('div', { class: 'page-head' }, h('h1', {}, 'Tokenizers')), list.element, attempt.element, place);
  begin();

  async function begin() {
    try {
      const [root, datasets] = await Promise.all([schema('TokenizerRequest'), api.get('/datasets')]);
      fill(place, trainPanel(root, texts(datasets), show.after), bringPanel(root, show.after));
      place.removeAttribute('aria-busy');
    } catch (error) {
      fill(place, h('div', { class: 'failed' }, h('p', {}, error.message), button('Try again', begin)));
    }
  }
  const refresh = throttle(() => list.refresh(), 300);
  const unsubscribe = live.subscribe((event) => /^(tokenizer|model|dataset)\./.test(event.type ?? '') && refresh());
  const pulse = setInterval(() => busy && !document.hidden && refresh(), PULSE_MS);
  list.refresh();
  return {
    title: 'Tokenizers',
    changed: () => attempt.offer(),
    destroy() {
      unsubscribe();
      clearInterval(pulse);
      refresh.cancel();
      list.destroy();
      attempt.destroy();
    },
  };
}

/** Datasets that hold text, which words can be learnt of. */
const texts = (list) => list.items.filter((one) => one.state === 'ready' && one.format === 'text')
  .map((one) => one.name);

/** Where it comes from; what it was made of may be gone. */
function origin(one, { items, datasets }) {
  const dataset = datasets.find((other) => other.id === one.dataset)?.name ?? 'a dataset that is gone';
  const base = items.find((other) => other.id === one.base)?.name ?? 'a tokenizer that is gone';
  if (one.origin === 'trained') return ['trained', `on ${dataset}`];
  if (one.origin === 'extended') return ['extended', `from ${base}, on ${dataset}`];
  return one.path ? ['read', `from ${one.path}`] : ['uploaded', ''];
}

/** As measured: on the datasets that hold its tokens. */
function bytesPerToken(one, datasets) {
  const known = datasets.filter((other) => other.tokenizer_id === one.id && other.tokens_per_byte);
  if (known.length === 0) return fact('Bytes a token', '–', 'no dataset of its tokens yet');
  return fact('Bytes a token', f.number(1 / known[0].tokens_per_byte), known.map((other, i) =>
    (i === 0 ? `on ${other.name}` : `, ${f.number(1 / other.tokens_per_byte)} on ${other.name}`)).join(''));
}

function card(one, now, { try: attempt, after, paces }) {
  const making = one.state === 'making', ready = one.state === 'ready';
  const left = paces.of(one.id, making ? one.progress : null);
  return h('article', { class: 'card', 'aria-label': one.name },
    h('header', {}, h('h3', {}, one.name), badge('tokenizer', one.state)),
    one.reason && h('p', { class: 'reason' }, one.reason),
    making && progress(one.progress, 1, `${one.name}: made so far`),
    making && h('p', { class: 'dim' }, `${f.percent(one.progress)} made${f.left(left)}`),
    facts(
      ready && fact('Vocabulary', f.count(one.vocab_size), `${f.count(one.n_merges)} merges, `
        + `${f.count(one.n_added)} special or added`),
      ready && fact('Kind', one.kind, one.byte_level ? 'any bytes' : 'not all bytes'),
      ready && fact('Words by', one.pattern || 'its own rules'),
      ready && bytesPerToken(one, now.datasets),
      ready && fact('Ends a text', one.eos_token ?? '–', one.eos_token && `id ${one.eos_id}`),
      fact('From', ...origin(one, now))),
    h('footer', { class: 'row' },
      ready && button('Try it', () => attempt(one.name), { class: 'primary' }),
      ready && one.byte_level && button('Extend …', () => extend(one, after)),
      ready && h('a', { class: 'button', href: api.url(`/tokenizers/${api.part(one.id)}/files/tokenizer.json`),
        download: `${one.name}.tokenizer.json`, 'aria-label': `tokenizer.json of ${one.name}` },
      `tokenizer.json, ${f.bytes(one.n_bytes)}`),
      ready && h('a', { class: 'button', href: address(['datasets'], { tokenizer: one.name }) },
        'Make tokens of a text'),
      button(making ? 'Cancel' : 'Delete', () => remove(one, after), { class: 'danger' })));
}

async function extend(one, after) {
  try {
    const [root, datasets] = await Promise.all([schema('TokenizerExtendRequest'), api.get('/datasets')]);
    extendDialog(root, one, texts(datasets), after);
  } catch (error) {
    toast(error.message, 'bad');
  }
}

async function remove(one, after) {
  const making = one.state === 'making';
  const sure = await ask({ title: making ? 'End its making?' : 'Delete this tokenizer?', danger: true,
    confirm: making ? 'End it' : 'Delete it', text: `${one.name} goes with lagd's file of it.` });
  if (!sure) return;
  const done = await api.act(`${one.name}: deleted`, 'DELETE', `/tokenizers/${api.part(one.id)}`, undefined);
  if (done !== undefined) after();
}

// --- one that is to be made: trained, read from files, or with more merges than another one has

const choices = (names) => h('select', {}, names.map((name) => h('option', { value: name }, name)));

const box = (title, ...children) => h('section', { class: 'panel', 'aria-label': title },
  h('header', {}, h('h2', {}, title)), children);

function trainPanel(root, datasets, after) {
  const field = (pointer, options) => new Field(root, pointer, { prefix: 'train', ...options });
  const patterns = h('datalist', { id: 'patterns' },
    ['gpt2', 'llama3', 'qwen2'].map((value) => h('option', { value })));
  const fields = [field('/name', { placeholder: 'mine' }), field('/train/dataset', { input: choices(datasets) }),
    field('/train/vocab_size', { label: 'Tokens' }),
    field('/train/pattern', { input: h('input', { list: 'patterns', placeholder: 'gpt2', autocomplete: 'off' }) }),
    field('/train/specials', { label: 'Special tokens' })];
  const title = 'Train a tokenizer';
  if (datasets.length === 0) {
    return box(title, h('p', { class: 'dim' }, 'It learns words from a text: ',
      h('a', { href: address(['datasets']) }, 'add one first'), '.'));
  }
  return box(title, h('p', {}, 'Byte-level BPE: what stands together most often becomes a token, again and again.'),
    formOf(fields, { submit: 'Train it', after, more: [patterns], tools: [asCurl('/tokenizers', fields)],
      ask: () => api.send('POST', '/tokenizers', bodyOf(fields)) }));
}

function bringPanel(root, after) {
  const bar = uploadBar();
  const name = new Field(root, '/name', { prefix: 'bring', placeholder: 'gpt2' });
  const path = new Field(root, '/path', { prefix: 'bring', help: 'On the daemon\'s machine, below one of its dataset '
    + 'roots: tokenizer.json, vocab.json beside merges.txt, vocab.txt, or a folder with such.' });
  const file = h('input', { type: 'file', id: 'bring-file', accept: '.json,application/json' });
  const own = h('div', { class: 'field' }, h('label', { for: 'bring-file' }, 'File'), file,
    h('small', { class: 'dim' }, 'A tokenizer.json of this computer, or …'));
  const fields = [name, path];
  const form = formOf(fields, { submit: 'Bring it', after, more: [bar.element],
    tools: [asCurl('/tokenizers', fields)],
    ask: () => (file.files[0] ? bar.send(`/tokenizers${api.query({ name: name.read() })}`, file.files[0])
      : api.send('POST', '/tokenizers', bodyOf(fields))) });
  path.element.before(own);
  path.input.addEventListener('input', () => { file.value = ''; }); // one of them
  file.addEventListener('change', () => { path.input.value = ''; });
  return box('Bring a tokenizer', h('p', {}, 'As Hugging Face\'s libraries save it: BPE or WordPiece. It is read and '
    + 'checked; a part that lagd does not know is named.'), form);
}

/** In a dialog: the new one's first ids are those of the old one, so that a model's vocabulary can grow to it. */
function extendDialog(root, one, datasets, after) {
  const field = (pointer, options) => new Field(root, pointer, { prefix: 'extend', ...options });
  const fields = [field('/name', { value: `${one.name}-more` }), field('/dataset', { input: choices(datasets) }),
    field('/vocab_size', { value: 2 * one.vocab_size, label: 'Tokens' })];
  const path = `/tokenizers/${api.part(one.id)}/extend`, title = `Extend ${one.name}`;
  const form = formOf(fields, { submit: 'Extend it', ask: () => api.send('POST', path, bodyOf(fields)),
    after: () => {
      dialog.close();
      after();
    },
    tools: [asCurl(path, fields), h('button', { type: 'button', class: 'quiet', onclick: () => dialog.close() },
      'Keep as is')] });
  const dialog = h('dialog', { 'aria-label': title }, h('h2', {}, title), h('p', {}, `Another one with the `
    + `${one.vocab_size} tokens of ${one.name}, and more merges: a model's vocabulary can grow to it.`), form);
  dialog.addEventListener('close', () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}
