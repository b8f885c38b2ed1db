// What happens in the daemon, as it happens: one stream a page, shared by all that look at it. It begins again by
// itself where it broke off, also after a restart of the daemon.
import { headers, query, url } from './api.js';

const FIRST_PAUSE_MS = 500, LONGEST_PAUSE_MS = 5000, SILENCE_MS = 35000;
const HIDDEN_MS = 60000;

const RECENT = 60;
const subscribers = new Set();
const watchers = new Set();
const recentEvents = [];
let cursor = null; // the last event that was seen; null: begin with what happens from now on
let reading = null;
let hiddenTimer = 0;
let status = { state: 'connecting', since: Date.now() };

function setStatus(state) {
  if (status.state !== state) status = { state, since: Date.now() };
  for (const watcher of watchers) watcher(status);
}

function remember(event) {
  if (!event.seq || recentEvents.some((one) => one.seq === event.seq)) return;
  recentEvents.push(event);
  recentEvents.sort((a, b) => b.seq - a.seq);
  recentEvents.length = Math.min(recentEvents.length, RECENT);
}

function tell(event) {
  for (const subscriber of [...subscribers]) subscriber(event);
}

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Splits what comes into server-sent events. */
class Parser {
  constructor(each) {
    this.each = each;
    this.rest = '';
    this.clear();
  }

  clear() {
    this.event = { id: '', type: 'message', data: '' };
  }

  push(text) {
    const lines = (this.rest + text).split(/\r?\n/);
    this.rest = lines.pop();
    for (const line of lines) this.line(line);
  }

  line(line) {
    if (line === '') {
      if (this.event.data || this.event.type !== 'message') this.each(this.event);
      this.clear();
    } else if (line[0] !== ':') {
      const at = line.indexOf(':');
      const name = at < 0 ? line : line.slice(0, at);
      const value = at < 0 ? '' : line.slice(at + 1).replace(/^ /, '');
      if (name === 'data') this.event.data += (this.event.data ? '\n' : '') + value;
      else if (name === 'event') this.event.type = value;
      else if (name === 'id') this.event.id = value;
    }
  }
}

function receive({ id, type, data }) {
  let event;
  try {
    event = JSON.parse(data || '{}');
  } catch {
    return;
  }
  if (id) cursor = Number(id);
  if (type === 'caught-up' || type === 'reset') {
    if (Number.isFinite(event.cursor)) cursor = event.cursor;
    setStatus('live');
    if (type === 'reset' || recentEvents.length === 0) readRecent().catch(() => {});
  }
  remember(event);
  tell({ ...event, type });
}

async function readStream(response, controller) {
  const parser = new Parser(receive);
  const decoder = new TextDecoder();
  const reader = response.body.getReader();
  for (;;) {
    const silence = setTimeout(() => controller.abort(), SILENCE_MS);
    const { value, done } = await reader.read().finally(() => clearTimeout(silence));
    if (done) return;
    parser.push(decoder.decode(value, { stream: true }));
  }
}

/** What happened before this page looked: for the list of last events. */
async function readRecent() {
  const response = await fetch(url('/events') + query({ after: Math.max(0, cursor - RECENT), limit: RECENT }), {
    cache: 'no-store', headers: headers({ Accept: 'application/x-ndjson' }) });
  if (!response.ok) return;
  for (const line of (await response.text()).split('\n')) if (line) remember(JSON.parse(line));
  tell({ type: 'recent' });
}

async function follow(controller) {
  let wait = FIRST_PAUSE_MS;
  while (!controller.signal.aborted) {
    const attempt = new AbortController();
    const stop = () => attempt.abort();
    controller.signal.addEventListener('abort', stop);
    try {
      const response = await fetch(url('/events') + query({ after: cursor }), {
        cache: 'no-store', signal: attempt.signal, headers: headers({ Accept: 'text/event-stream' }) });
      if (!response.ok) throw new Error(String(response.status));
      wait = FIRST_PAUSE_MS;
      await readStream(response, attempt);
      throw new Error('the stream ended');
    } catch {
      if (controller.signal.aborted) break;
      setStatus('lost');
      await pause(wait);
      wait = Math.min(wait * 2, LONGEST_PAUSE_MS);
    } finally {
      controller.signal.removeEventListener('abort', stop);
    }
  }
}

export function start() {
  if (reading) return;
  reading = new AbortController();
  follow(reading);
}

export function stop() {
  reading?.abort();
  reading = null;
  setStatus('asleep');
}

/** Every event, and the notices caught-up, reset, lagged and recent. Returns what ends it. */
export function subscribe(callback) {
  subscribers.add(callback);
  return () => subscribers.delete(callback);
}

/** {state: connecting|live|lost|asleep, since}. Returns what ends it. */
export function watch(callback) {
  watchers.add(callback);
  callback(status);
  return () => watchers.delete(callback);
}

/** The last events, newest first. */
export const recent = () => [...recentEvents];

document.addEventListener('visibilitychange', () => {
  clearTimeout(hiddenTimer);
  if (document.hidden) hiddenTimer = setTimeout(stop, HIDDEN_MS);
  else start();
});
