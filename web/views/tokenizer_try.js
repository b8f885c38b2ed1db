// A text as a tokenizer takes it: its pieces with their ids, how many there are; and ids as the text that they are.
import * as api from '../api.js';
import { copy, fill, h } from '../dom.js';
import * as f from '../format.js';
import { throttle } from '../throttle.js';
import { tokenizerNames } from './datasets.js';
import { complain, Field, schema } from './form.js';

const MOST = 600, ASK_MS = 300; // pieces that are shown
const TEXT = 'And God said, Let there be light: and there was light.';
const SEEN = { ' ': '·', '\n': '⏎', '\t': '→', '\r': '␍' }; // what cannot be seen

/** A piece; white space as signs that stand for it. */
const piece = (text, id, i) => h('li', { class: `piece p${i % 3}`, title: `id ${id}: ${JSON.stringify(text)}` },
  h('span', {}, [...text].map((c) => (SEEN[c] ? h('span', { class: 'dim' }, SEEN[c]) : c))), h('small', {}, id));

export function tryPanel(settings) {
  const names = h('select', { id: 'try-tokenizer' });
  const special = h('input', { type: 'checkbox' });
  const out = h('div', { 'aria-live': 'polite' });
  const back = h('pre', { tabindex: 0, role: 'region', 'aria-label': 'Decoded text', hidden: true });
  const element = h('section', { class: 'panel', 'aria-label': 'Try it', hidden: true },
    h('header', {}, h('h2', {}, 'Try it'), h('span', { class: 'grow' }), h('button', { type: 'button',
      class: 'quiet small', title: 'Copy this request as a curl command',
      onclick: () => copy(api.curl('POST', path('encode'), encoding()), 'curl command') }, 'curl')));
  let text = null, ids = null, built = null, asked = 0, shown = [];
  const path = (verb) => `/tokenizers/${api.part(names.value)}/${verb}`;
  const encoding = () => ({ text: text.input.value, pieces: true, special_tokens: special.checked });

  async function encode() {
    const number = ++asked;
    try {
      const answer = await api.send('POST', path('encode'), encoding());
      if (number !== asked) return;
      complain([text], null);
      tell(answer, new TextEncoder().encode(text.input.value).length);
    } catch (error) {
      if (number !== asked) return;
      fill(out, complain([text], error).map((line) => h('p', { class: 'reason' }, line)));
    }
  }

  function tell({ ids: all, pieces, n_tokens: n }, n_bytes) {
    shown = all;
    fill(out, h('p', { class: 'counts' }, h('b', {}, `${f.count(n)} token${n === 1 ? '' : 's'}`), ` for `
      + `${f.count(n_bytes)} bytes`, n > 0 && `: ${f.number(n_bytes / n)} bytes a token`,
    n > MOST && h('span', { class: 'dim' }, `. The first ${MOST} are shown`)),
    h('ol', { class: 'pieces', tabindex: 0, 'aria-label': 'Pieces with their ids' },
      pieces.slice(0, MOST).map((one, i) => piece(one, all[i], i))));
  }

  async function decode() {
    const wanted = ids.input.value.split(/[\s,]+/).filter(Boolean).map(Number);
    try {
      const answer = await api.send('POST', path('decode'), { ids: wanted });
      complain([ids], null);
      back.hidden = false;
      fill(back, answer.text);
    } catch (error) {
      const rest = complain([ids], error);
      if (rest.length) ids.complain(rest.join(' '));
      back.hidden = true;
    }
  }

  const settle = throttle(encode, ASK_MS);
  const chosen = () => {
    settings.set({ try: names.value });
    back.hidden = true;
    encode();
  };
  names.addEventListener('change', chosen);
  special.addEventListener('change', encode);

  async function build() {
    const [encoded, decoded] = await Promise.all([schema('EncodeRequest'), schema('DecodeRequest')]);
    text = new Field(encoded, '/text', { prefix: 'try', help: '',
      input: h('textarea', { rows: 4, spellcheck: 'false' }, TEXT) });
    ids = new Field(decoded, '/ids', { prefix: 'try', placeholder: '12, 345', help: 'Whole numbers with a comma or a '
      + 'space between.' });
    text.input.addEventListener('input', settle);
    const form = h('form', { novalidate: true }, ids.element, h('div', { class: 'row' },
      h('button', {}, 'Decode'), h('button', { type: 'button', class: 'quiet', onclick: () => {
        ids.input.value = shown.join(', ');
      } }, 'Take those above')), back);
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      decode();
    });
    element.append(h('div', { class: 'stack' }, h('div', { class: 'row' }, h('label', { for: names.id }, 'Tokenizer'),
      names, h('label', { class: 'check' }, special, 'with the tokens that it puts around a text')),
    text.element, out, form));
  }

  const self = {
    element,
    /** Those that there are now; a model that came with one is such, too. */
    async offer() {
      try {
        const now = await tokenizerNames();
        await (built ??= build());
        const wanted = settings.get('try') || names.value, before = names.value;
        fill(names, now.map(([value, label]) => h('option', { value }, label)));
        element.hidden = now.length === 0;
        if (now.some(([value]) => value === wanted)) names.value = wanted;
        if (names.value && names.value !== before) encode();
      } catch {
        if (!text) built = null; // the list tells that the daemon cannot be reached
      }
    },
    async choose(name) {
      settings.set({ try: name });
      await self.offer();
      back.hidden = true;
      element.scrollIntoView({ block: 'start' });
      text?.input.focus({ preventScroll: true });
    },
    destroy: () => settle.cancel(),
  };
  return self;
}
