// Datasets: what there is, how far what is being registered is, and a text from this computer.
import * as api from '../api.js';
import { ask, button, fill, h } from '../dom.js';
import * as f from '../format.js';
import * as live from '../live.js';
import { panel } from '../panel.js';
import { address, parse } from '../state.js';
import { throttle } from '../throttle.js';
import { Paces } from '../time_left.js';
import { uploadBar } from '../upload.js';
import { Field, formOf, schema } from './form.js';
import { badge, fact, facts, progress } from './parts.js';

const PULSE_MS = 1000;

export function datasetsView(main) {
  const paces = new Paces();
  let busy = false; // one of them is being registered: how far it is comes without events
  const list = panel({
    title: 'Datasets', wide: true, curl: ['GET', '/datasets'],
    load: (signal) => api.get('/datasets', signal),
    isEmpty: (now) => now.items.length === 0,
    empty: () => h('p', { class: 'dim' }, 'No dataset yet. Any text will do.'),
    show(first, body) {
      const cards = h('div', { class: 'cards' });
      const update = (now) => {
        busy = now.items.some((one) => one.state === 'registering');
        fill(cards, now.items.map((one) => card(one, paces, () => list.refresh())));
      };
      body.append(cards);
      update(first);
      return update;
    },
  });
  fill(main, h('div', { class: 'page-head' }, h('h1', {}, 'Datasets')), list.element,
    uploadPanel('Add a text', 2, () => list.refresh()));
  const refresh = throttle(() => list.refresh(), 300);
  const unsubscribe = live.subscribe((event) => event.type?.startsWith('dataset.') && refresh());
  const pulse = setInterval(() => busy && !document.hidden && refresh(), PULSE_MS);
  list.refresh();
  return {
    title: 'Datasets',
    destroy() {
      unsubscribe();
      clearInterval(pulse);
      refresh.cancel();
      list.destroy();
    },
  };
}

function card(one, paces, after) {
  const registering = one.state === 'registering';
  const left = paces.of(one.id, registering && one.n_bytes > 0 ? one.n_bytes_done / one.n_bytes : null);
  return h('article', { class: 'card', 'aria-label': one.name },
    h('header', {}, h('h3', {}, one.name), badge('dataset', one.state)),
    one.reason && h('p', { class: 'reason' }, one.reason),
    registering && progress(one.n_bytes_done, one.n_bytes, `${one.name}: bytes read`),
    facts(
      registering ? fact('Read', f.bytes(one.n_bytes_done), `of ${f.bytes(one.n_bytes)}${f.left(left)}`)
        : fact('Size', f.bytes(one.n_bytes)),
      fact('Tokens', f.si(one.n_tokens), one.n_tokens ? f.count(one.n_tokens) : ''),
      fact('Vocabulary', f.count(one.vocab_size)),
      fact('Tokenizer', one.tokenizer ? h('a', { href: address(['tokenizers'], { try: one.tokenizer }) }, one.tokenizer)
        : one.format === 'text' ? 'bytes' : 'not known', one.documents && one.documents !== 'none'
        && `each ${f.words(one.documents)} a document`),
      one.tokenizer && fact('Tokens a byte', f.number(one.tokens_per_byte), perToken(one)),
      fact('Format', one.format),
      fact('Origin', one.origin),
      fact('Since', f.when(one.created_at))),
    h('footer', { class: 'row' }, button(registering ? 'Cancel' : 'Delete', () => remove(one, after),
      { class: 'danger' })));
}

const perToken = (one) => one.tokens_per_byte && `${f.number(1 / one.tokens_per_byte)} bytes a token`;

async function remove(one, after) {
  const registering = one.state === 'registering';
  const sure = await ask({ title: registering ? 'End this registration?' : 'Delete this dataset?', danger: true,
    confirm: registering ? 'End it' : 'Delete it',
    text: one.origin === 'tokenized' ? `${one.name} goes with the tokens that were made for it.`
      : one.origin === 'upload' ? `${one.name} goes with its file. This cannot be taken back.`
      : `${one.name} is forgotten; its file stays where it is.` });
  if (!sure) return;
  const done = await api.act(`${one.name}: deleted`, 'DELETE', `/datasets/${api.part(one.id)}`, undefined);
  if (done !== undefined) after();
}

/** Who can make tokens of a text: tokenizers, and models that came with one. */
export async function tokenizerNames(signal) {
  const [tokenizers, models] = await Promise.all([api.get('/tokenizers', signal), api.get('/models', signal)]);
  const ready = (list) => list.items.filter((one) => one.state === 'ready');
  return [...ready(tokenizers).map((one) => [one.name, `${one.name}: ${f.count(one.vocab_size)} tokens`]),
    ...ready(models).filter((one) => one.tokenizer !== 'none').map((one) => [one.name, `${one.name}, as the model`])];
}

/** A text chosen here becomes a dataset: of its bytes, or of a tokenizer's tokens. */
export function uploadPanel(title, level, after) {
  const place = h('div', { 'aria-busy': 'true' });
  begin();

  async function begin() {
    try {
      const [root, names] = await Promise.all([schema('DatasetRequest'), tokenizerNames()]);
      fill(place, uploadForm(root, names, after));
      place.removeAttribute('aria-busy');
    } catch (error) {
      fill(place, h('div', { class: 'failed' }, h('p', {}, error.message), button('Try again', begin)));
    }
  }
  return h('section', { class: 'panel', 'aria-label': title }, h('header', {}, h(`h${level}`, {}, title)), place);
}

function uploadForm(root, names, after) {
  const file = new Field(root, '/path', { prefix: 'text', label: 'File', help: 'A text, or a token file of nanoGPT or '
    + 'llm.c.', input: h('input', { type: 'file', accept: '.txt,text/plain,.jsonl,.bin' }) });
  const name = new Field(root, '/name', { prefix: 'text', value: 'mine' });
  const by = new Field(root, '/tokenizer', { prefix: 'text', label: 'Tokens',
    help: 'A tokenizer\'s stand for more of the text.',
    input: h('select', { value: parse().parameters.get('tokenizer') ?? '' }, h('option', { value: '' }, 'its bytes'),
      names.map(([value, text]) => h('option', { value }, text))) });
  const kind = new Field(root, '/documents/kind', { prefix: 'text', label: 'A document is',
    help: 'The tokenizer\'s token for the end of a text stands before each.' });
  const part = new Field(root, '/documents/field', { prefix: 'text' });
  const fields = [file, name, by, kind, part], bar = uploadBar();
  const wish = () => ({ name: name.read(), ...(by.read() && { tokenizer: by.read(), documents: kind.read(),
    field: part.element.hidden ? undefined : part.read() }) });
  const line = h('pre', { tabindex: 0 });
  const settle = () => {
    const what = { separator: 'separator', jsonl: 'member of the JSON' }[kind.input.value];
    kind.element.hidden = !by.read();
    part.element.hidden = !by.read() || !what;
    part.name(what ?? 'field');
    line.textContent = `curl -H 'Content-Type: text/plain' --data-binary @my.txt `
      + `'${location.origin}${api.url(`/datasets${api.query(wish())}`)}'`;
  };
  const taken = () => {
    const chosen = file.input.files[0];
    if (!chosen) throw new api.Problem(422, { errors: [{ pointer: '#/path', detail: 'choose a file first' }] });
    return bar.send(`/datasets${api.query({ ...wish(), file_name: chosen.name })}`, chosen);
  };
  const form = formOf(fields, { submit: 'Upload', ask: taken, after, more: [bar.element,
    h('div', {}, h('p', { class: 'dim' }, 'Or paste this into a shell:'), line)] });
  form.addEventListener('input', settle);
  settle();
  return form;
}
