// Files that links lead to, where the daemon wants a token: a link cannot carry it, so the page fetches the file, shows
// how far it is, as the browser does of its own downloads, and saves it.
import * as api from './api.js';
import { download, fill, h, toast } from './dom.js';
import * as f from './format.js';
import { Pace } from './time_left.js';

const TELL_MS = 250;

/** Reads all of a response; tell(bytes so far). */
async function readAll(response, tell) {
  const parts = [], reader = response.body.getReader();
  let n = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return parts;
    parts.push(value);
    n += value.length;
    tell(n);
  }
}

/** A notice that stays while it is fetched, with a button that ends it. */
function notice(name, end) {
  const bar = h('progress', { 'aria-label': `${name}: bytes fetched` });
  const told = h('span', {}, `${name} begins …`);
  const element = h('div', { class: 'toast fetching' }, told, bar,
    h('button', { type: 'button', class: 'small', onclick: end }, 'End it'));
  document.getElementById('toasts').append(element);
  return { element, bar, told };
}

async function save(name, path) {
  const aborter = new AbortController(), pace = new Pace();
  const { element, bar, told } = notice(name, () => aborter.abort());
  let last = 0;
  try {
    const response = await api.open('GET', path, { accept: '*/*', signal: aborter.signal });
    const total = Number(response.headers.get('Content-Length')) || null;
    if (total) bar.max = total;
    const parts = await readAll(response, (n) => {
      if (performance.now() - last < TELL_MS && n !== total) return;
      last = performance.now();
      if (total) bar.value = Math.min(n, total);
      fill(told, `${name}: ${f.bytes(n)}${total ? ` of ${f.bytes(total)}${f.left(pace.of(n / total))}` : ''}`);
    });
    download(name, response.headers.get('Content-Type') ?? '', new Blob(parts));
    toast(`${name} is saved`);
  } catch (error) {
    if (error.name !== 'AbortError') toast(`${name}: ${error.message}`, 'bad');
  } finally {
    element.remove();
  }
}

/** For clicks anywhere in the page. */
export function saveWithToken(click) {
  const link = click.target.closest?.('a[download]'), base = api.url('');
  if (!link || !api.headers().Authorization || !link.pathname.startsWith(base)) return;
  click.preventDefault();
  save(link.download, link.pathname.slice(base.length) + link.search);
}
