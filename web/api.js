// The REST API: requests, problems, tokens, and every request as a curl command.
import { toast } from './dom.js';

const BASE = new URL('api/v1', location.href.split('#')[0]).pathname;
const TOKEN = 'lagd.token';
const listeners = new Set();

/** A refusal of the daemon (RFC 9457), or that it could not be reached (status 0). */
export class Problem extends Error {
  constructor(status, body) {
    super(body?.detail || body?.title || (status ? `the daemon answered ${status}` : 'the daemon cannot be reached'));
    this.status = status;
    this.body = body ?? {};
    this.name = 'Problem';
  }
}

export function headers(more = {}) {
  const token = sessionStorage.getItem(TOKEN);
  return token ? { Authorization: `Bearer ${token}`, ...more } : more;
}

export function setToken(token) {
  if (token) sessionStorage.setItem(TOKEN, token);
  else sessionStorage.removeItem(TOKEN);
}

export const keptToken = () => sessionStorage.getItem(TOKEN);

/** Throws what the daemon says against a token: a Problem of status 401 where it is wrong. */
export async function check(token) {
  if (!/^[\x21-\x7e]+$/.test(token)) throw new Problem(401, null); // no header can carry it
  let response;
  try {
    response = await fetch(url('/runs?limit=1'), { cache: 'no-store', headers: { Authorization: `Bearer ${token}` } });
  } catch {
    throw new Problem(0, null);
  }
  if (!response.ok) throw new Problem(response.status, await response.json().catch(() => null));
}

/** Called when the daemon asks for a token. */
export function onUnauthenticated(callback) {
  listeners.add(callback);
}

/** Names and ids in paths. */
export const part = (text) => encodeURIComponent(text);

export function query(parameters) {
  const list = [];
  for (const [key, value] of Object.entries(parameters)) {
    for (const one of Array.isArray(value) ? value : [value]) {
      if (one !== undefined && one !== null && one !== '')
        list.push(`${key}=${encodeURIComponent(one).replaceAll('%2F', '/')}`);
    }
  }
  return list.length ? `?${list.join('&')}` : '';
}

export const url = (path) => BASE + path;

async function problemOf(response) {
  let body = null;
  try {
    body = await response.json();
  } catch {
    // no body, or none that is JSON: the status has to do
  }
  if (response.status === 401) for (const listener of listeners) listener();
  return new Problem(response.status, body);
}

/** A response that is fine; else throws a Problem. */
export async function open(method, path, { body, signal, accept = 'application/json' } = {}) {
  let response;
  const extra = { Accept: accept };
  if (body !== undefined) extra['Content-Type'] = 'application/json';
  try {
    response = await fetch(url(path), { method, signal, headers: headers(extra), cache: 'no-store',
      body: body === undefined ? undefined : JSON.stringify(body) });
  } catch (error) {
    if (error.name === 'AbortError') throw error;
    throw new Problem(0, null);
  }
  if (!response.ok) throw await problemOf(response);
  return response;
}

export async function get(path, signal) {
  const response = await open('GET', path, { signal });
  return response.json();
}

export async function send(method, path, body = method === 'DELETE' ? undefined : {}) {
  const response = await open(method, path, { body });
  return response.status === 204 ? null : response.json();
}

/** Does something and tells the outcome; undefined when it failed. */
export async function act(what, method, path, body) {
  try {
    const answer = await send(method, path, body);
    toast(what);
    return answer ?? true;
  } catch (error) {
    toast(error.message, 'bad');
    return undefined;
  }
}

const quote = (text) => (/^[\w./:=@%+,-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);

/** The request as a line for a shell. */
export function curl(method, path, body) {
  const target = location.origin + url(path);
  const token = sessionStorage.getItem(TOKEN) ? ' -H "Authorization: Bearer $TOKEN"' : '';
  if (body !== undefined) {
    const verb = method === 'POST' ? '' : ` -X ${method}`;
    return `curl${verb}${token} --json ${quote(JSON.stringify(body))} ${quote(target)}`;
  }
  return `curl${method === 'GET' ? '' : ` -X ${method}`}${token} ${quote(target)}`;
}
