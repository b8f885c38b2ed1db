// A file from this computer, sent to the daemon: how much has gone out, what the daemon says of it.
import * as api from './api.js';
import { fill, h } from './dom.js';
import * as f from './format.js';
import { Pace } from './time_left.js';

const TELL_MS = 250;

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

/** At most four times a second, and at the end. */
function throttleTell(tell) {
  let last = 0;
  return (done, total, request) => {
    if (done < total && performance.now() - last < TELL_MS) return;
    last = performance.now();
    tell(done, total, request);
  };
}

/** .element shows how far it is; send(path, file) resolves to the answer or throws a Problem. */
export function uploadBar() {
  const bar = h('div', { class: 'upload', role: 'status', hidden: true });
  return {
    element: bar,
    async send(path, file) {
      const pace = new Pace();
      const tell = (done, total, request) => {
        bar.hidden = false;
        const told = `${f.bytes(done)} of ${f.bytes(total)} sent${f.left(pace.of(done / Math.max(total, 1)))}`;
        fill(bar, h('progress', { max: Math.max(total, 1), value: done, 'aria-label': `${file.name}: bytes sent` }),
          h('div', { class: 'row' }, h('span', { class: 'dim' }, told),
            h('button', { type: 'button', class: 'small', onclick: () => request.abort() }, 'End it')));
      };
      try {
        const { status, answer } = await send(path, file, throttleTell(tell));
        if (status >= 400) throw new api.Problem(status, answer);
        return answer;
      } finally {
        bar.hidden = true;
      }
    },
  };
}
