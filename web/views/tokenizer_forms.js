// A tokenizer that is to be made: trained, read from files, or with more merges than another one has.
import * as api from '../api.js';
import { h } from '../dom.js';
import { address } from '../state.js';
import { uploadBar } from '../upload.js';
import { asCurl, bodyOf, Field, formOf } from './form.js';

const choices = (names) => h('select', {}, names.map((name) => h('option', { value: name }, name)));

const box = (title, ...children) => h('section', { class: 'panel', 'aria-label': title },
  h('header', {}, h('h2', {}, title)), children);

export function trainPanel(root, datasets, after) {
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

export function bringPanel(root, after) {
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
export function extendDialog(root, one, datasets, after) {
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
