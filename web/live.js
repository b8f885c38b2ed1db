// What happens in the daemon, as it happens: one stream a window, shared by all that look at it. It begins again by
// itself where it broke off, also after a restart of the daemon. A hidden window has none, and goes on where it stopped
// when it is seen again. A visible one that gets no place for a stream opens it each second, until it has caught up.
import { headers, Problem, query, url } from './api.js';
import { takePlace } from './places.js';

const FIRST_PAUSE_MS = 500, LONGEST_PAUSE_MS = 5000, SILENCE_MS = 35000, ASK_MS = 1000;

const RECENT = 60, PAGE = 1000;
const subscribers = new Set();
const watchers = new Set();
const recentEvents = [];
let cursor = null; // the last event that was seen; null: begin with what happens from now on
let reading = null;
let status = { state: 'connecting', asking: false, since: Date.now() };

function setStatus(state, asking = false) {
  if (status.state !== state || status.asking !== asking) status = { state, asking, since: Date.now() };
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

/** Returns whether that was the last of what had happened so far. */
function receive({ id, type, data }, asking) {
  let event;
  try {
    event = JSON.parse(data || '{}');
  } catch {
    return false;
  }
  if (id) cursor = Number(id);
  if (type === 'caught-up' || type === 'reset') {
    if (Number.isFinite(event.cursor)) cursor = event.cursor;
    if (type === 'reset') recentEvents.length = 0; // of another database they may be
    setStatus('live', asking);
    if (type === 'reset' || (recentEvents.length === 0 && cursor !== null)) readRecent().catch(() => {});
  }
  remember(event);
  tell({ ...event, type });
  return type === 'caught-up';
}

/** Reads until the stream ends; asking: or until it has told what had happened so far. */
async function readStream(response, attempt, asking) {
  let done = false;
  const parser = new Parser((event) => { done = (receive(event, asking) && asking) || done; });
  const decoder = new TextDecoder();
  const reader = response.body.getReader();
  while (!done) {
    const silence = setTimeout(() => attempt.abort(), SILENCE_MS);
    const chunk = await reader.read().finally(() => clearTimeout(silence));
    if (chunk.done) throw new Error('the stream ended');
    parser.push(decoder.decode(chunk.value, { stream: true }));
  }
}

/** What happened behind an event, as lines. begin: where that event is gone, what the lines are behind instead. */
async function linesBehind(after, limit, signal) {
  const response = await fetch(url('/events') + query({ after, limit }), {
    cache: 'no-store', signal, headers: headers({ Accept: 'application/x-ndjson' }) });
  if (response.status === 410) {
    const { seq } = await response.json();
    return { ...await linesBehind(seq, limit, signal), begin: seq };
  }
  if (!response.ok) throw new Problem(response.status, null);
  return { lines: (await response.text()).split('\n').filter(Boolean), begin: null };
}

/** Events behind that one, for who looks while there is no stream. */
export async function since(after, limit) {
  const { lines } = await linesBehind(after, limit);
  return lines.map((line) => JSON.parse(line));
}

/** What happened before this page looked: for the list of last events. */
async function readRecent() {
  const { lines } = await linesBehind(Math.max(0, cursor - RECENT), RECENT);
  for (const line of lines) remember(JSON.parse(line));
  tell({ type: 'recent' });
}

/** Where the daemon has no stream to give (server/max_streams): what happened since, as far as this window knows when
 * it stopped; whoever looks asks for the rest. */
async function readPage(signal, problem) {
  if (!problem.type?.endsWith('too-many-streams')) throw new Error(problem.detail);
  if (cursor !== null) {
    const { lines, begin } = await linesBehind(cursor, PAGE, signal);
    if (begin !== null) receive({ type: 'reset', data: JSON.stringify({ cursor: begin }) }, true);
    for (const line of lines) {
      const { seq, type } = JSON.parse(line);
      receive({ id: seq, type, data: line }, true);
    }
  }
  receive({ type: 'caught-up' }, true);
}

/** Sees what happens, until the stream breaks off; asking: what has happened so far. */
async function look(signal, asking) {
  const attempt = new AbortController();
  const stop = () => attempt.abort();
  signal.addEventListener('abort', stop);
  try {
    const response = await fetch(url('/events') + query({ after: cursor }), {
      cache: 'no-store', signal: attempt.signal, headers: headers({ Accept: 'text/event-stream' }) });
    if (response.status === 503) await readPage(attempt.signal, await response.json());
    else if (!response.ok) throw new Problem(response.status, null);
    else await readStream(response, attempt, asking);
  } finally {
    signal.removeEventListener('abort', stop);
    attempt.abort(); // what is still open of it
  }
}

async function follow(signal) {
  let wait = FIRST_PAUSE_MS, placed = false;
  while (!signal.aborted) {
    placed ||= await takePlace(signal);
    try {
      await look(signal, !placed);
      wait = FIRST_PAUSE_MS;
      await pause(ASK_MS);
    } catch (error) {
      if (signal.aborted) break;
      if (status.state === 'live') wait = FIRST_PAUSE_MS;
      setStatus(error.status !== 401 ? 'lost' : headers().Authorization ? 'denied' : 'asked');
      await pause(wait);
      wait = Math.min(wait * 2, LONGEST_PAUSE_MS);
    }
  }
}

/** Begins where it stopped; nothing while the window is hidden, so that its connection is there for those one sees. */
export function start() {
  if (document.hidden) setStatus('asleep');
  if (reading || document.hidden) return;
  if (status.state === 'asleep') setStatus('connecting');
  reading = new AbortController();
  follow(reading.signal);
}

export function stop() {
  reading?.abort();
  reading = null;
  setStatus('asleep');
}

/** At once, where a token came. */
export function again() {
  stop();
  start();
}

/** Every event, and the notices caught-up, reset, lagged and recent. Returns what ends it. */
export function subscribe(callback) {
  subscribers.add(callback);
  return () => subscribers.delete(callback);
}

/** {state: connecting|live|lost|asked|denied|asleep, asking: live without a stream, since}. Returns what ends it. */
export function watch(callback) {
  watchers.add(callback);
  callback(status);
  return () => watchers.delete(callback);
}

/** The last events, newest first. */
export const recent = () => [...recentEvents];

document.addEventListener('visibilitychange', () => {
  if (document.hidden) stop();
  else start();
});
