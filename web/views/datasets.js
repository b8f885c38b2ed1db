// Datasets: what there is, how far what is being registered is, and a text from this computer.
import * as api from '../api.js';
import { ask, button, fill, h, toast } from '../dom.js';
import * as f from '../format.js';
import * as live from '../live.js';
import { panel } from '../panel.js';
import { throttle } from '../throttle.js';
import { Pace, Paces } from '../time_left.js';
import { badge, fact, facts, progress } from './parts.js';

const PULSE_MS = 1000, TELL_MS = 250;

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
      fact('Format', one.format),
      fact('Origin', one.origin),
      fact('Since', f.when(one.created_at))),
    h('footer', { class: 'row' }, button(registering ? 'Cancel' : 'Delete', () => remove(one, after),
      { class: 'danger' })));
}

async function remove(one, after) {
  const registering = one.state === 'registering';
  const sure = await ask({ title: registering ? 'End this registration?' : 'Delete this dataset?', danger: true,
    confirm: registering ? 'End it' : 'Delete it',
    text: one.origin === 'upload' ? `${one.name} goes with its file. This cannot be taken back.`
      : `${one.name} is forgotten; its file stays where it is.` });
  if (!sure) return;
  const done = await api.act(`${one.name}: deleted`, 'DELETE', `/datasets/${api.part(one.id)}`, undefined);
  if (done !== undefined) after();
}

/** A text chosen here becomes a dataset. */
export function uploadPanel(title, level, after) {
  const file = h('input', { type: 'file', id: 'text-file', accept: '.txt,text/plain,.bin' });
  const name = h('input', { id: 'text-name', value: 'mine', maxlength: 64 });
  const bar = h('div', { class: 'upload', role: 'status', hidden: true });
  return h('section', { class: 'panel', 'aria-label': title }, h('header', {}, h(`h${level}`, {}, title)),
    h('p', {}, 'Any text will do: it is read as bytes. Or paste this into a shell:'),
    h('pre', { tabindex: 0 }, `curl -H 'Content-Type: text/plain' --data-binary @my.txt `
      + `'${location.origin}${api.url('/datasets?name=mine')}'`),
    h('div', { class: 'row' }, h('label', { for: 'text-file' }, 'File '), file,
      h('label', { for: 'text-name' }, 'Name '), name,
      button('Upload', () => upload(file.files[0], name.value.trim(), after, bar), { class: 'primary' })), bar);
}

/** By XMLHttpRequest: fetch does not tell how much has gone out. Resolves to status and answer. */
function send(path, file, tell) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open('POST', api.url(path));
    for (const [name, value] of Object.entries(api.headers({ 'Content-Type': 'application/octet-stream' })))
      request.setRequestHeader(name, value);
    request.responseType = 'json';
    request.upload.addEventListener('progress', (event) => tell(event.loaded, event.total, request));
    request.addEventListener('load', () => resolve({ status: request.status, answer: request.response }));
    request.addEventListener('error', () => reject(new api.Problem(0, null)));
    request.addEventListener('abort', () => reject(new Error('The upload was ended.')));
    request.send(file);
  });
}

async function upload(file, name, after, bar) {
  if (!file) {
    toast('choose a file first', 'bad');
    return;
  }
  const pace = new Pace();
  const tell = (done, total, request) => {
    bar.hidden = false;
    const told = `${f.bytes(done)} of ${f.bytes(total)} sent${f.left(pace.of(done / Math.max(total, 1)))}`;
    fill(bar, progress(done, total, `${file.name}: bytes sent`), h('div', { class: 'row' },
      h('span', { class: 'dim' }, told),
    h('button', { type: 'button', class: 'small', onclick: () => request.abort() }, 'End it')));
  };
  try {
    const { status, answer } = await send(`/datasets${api.query({ name, file_name: file.name })}`, file,
      throttleTell(tell));
    if (status >= 400) throw new api.Problem(status, answer);
    toast(answer.state === 'ready' ? `${answer.name}: ${f.count(answer.n_tokens)} tokens`
      : `${answer.name} is being registered`);
    after();
  } catch (error) {
    toast(error.message, 'bad');
  }
  bar.hidden = true;
}

/** At most four times a second, and at the end. */
function throttleTell(tell) {
  let last = 0;
  return (done, total, request) => {
    if (done < total && performance.now() - last < TELL_MS) return;
    last = performance.now();
    tell(done, total, request);
  };
}
