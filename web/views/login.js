// Where a daemon with a token is entered. The address keeps the page that was asked for, and one lands there. This tab
// keeps the token until it is closed; who lets a password manager keep it need not look for it again.
import * as api from '../api.js';
import { fill, h } from '../dom.js';
import * as live from '../live.js';
import { address, parse } from '../state.js';

export const LOGIN = 'login';

const WRONG = 'Wrong token. The daemon does not take this one: compare it with the line in the file that '
  + 'auth/token_file names.';
const OLD = 'Wrong token. The daemon does not take the one that this tab kept: it was changed meanwhile.';

/** The address of this page, which leads to where one is now. */
export const loginAddress = (now = location.hash) =>
  address([LOGIN], { to: /^#\/./.test(now) ? now.slice(1) : null });

/** Where one wanted to go: a page of this dashboard, never another site or this page again. */
export function target(hash = location.hash) {
  const to = parse(hash).parameters.get('to') ?? '';
  return /^\/[^/]/.test(to) && parse(`#${to}`).path[0] !== LOGIN ? `#${to}` : '#/';
}

export function loginView(main) {
  const kept = api.keptToken();
  const input = h('input', { type: 'password', id: 'login-token', name: 'password', required: true,
    autocomplete: 'current-password', autocapitalize: 'off', spellcheck: 'false',
    'aria-describedby': 'login-help login-fault' });
  const fault = h('p', { class: 'fault', id: 'login-fault', role: 'alert' });
  const enter = h('button', { class: 'primary' }, 'Enter');
  const show = h('input', { type: 'checkbox', onchange: () => { input.type = show.checked ? 'text' : 'password'; } });
  const name = h('input', { type: 'text', name: 'username', value: 'lagd', autocomplete: 'username', readonly: true,
    tabindex: -1, 'aria-label': 'Name for the password manager' }); // it keeps a pair only
  const form = h('form', { class: 'login panel', method: 'post', 'aria-label': 'Token' },
    h('h1', {}, 'This daemon asks for a token'),
    h('p', { class: 'dim', id: 'login-help' }, 'It is the line in the file that auth/token_file names. This tab keeps '
      + 'it until it is closed.'), h('span', { class: 'hidden' }, name),
    h('div', { class: 'field' }, h('label', { for: 'login-token' }, 'Token'), input, fault),
    h('label', { class: 'check' }, show, 'show what I type'), h('div', { class: 'row' }, enter));

  function tell(text) {
    fill(fault, text);
    if (text) input.setAttribute('aria-invalid', 'true');
    else input.removeAttribute('aria-invalid');
  }

  async function submit(event) {
    event.preventDefault();
    if (enter.disabled) return;
    enter.disabled = true;
    tell('');
    const token = input.value.trim();
    try {
      await api.check(token);
    } catch (error) {
      tell(error.status === 401 ? WRONG : error.message);
      enter.disabled = false;
      input.focus();
      input.select();
      return;
    }
    api.setToken(token);
    live.again();
    location.replace(target());
  }

  form.addEventListener('submit', submit);
  input.addEventListener('input', () => tell(''));
  fill(main, form);
  input.focus();
  if (kept) api.check(kept).then(() => location.replace(target()), (error) => {
    if (error.status !== 401) return;
    api.setToken(null);
    tell(OLD);
  });
  return { title: 'Token', destroy() {} };
}
