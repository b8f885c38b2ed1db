// Notifications of the browser, on request: what the daemon's own notifications tell, as long as a window is open. A
// hidden window has no stream; while it is to notify, it asks now and then for what happened since.
import * as api from './api.js';
import { button, toast } from './dom.js';
import * as live from './live.js';
import { address } from './state.js';

const KEY = 'lagd.notify', ASK_MS = 20000, PAGE = 1000;

// what a rule says of a run, and of a study
const TEXTS = {
  waiting: 'waits for your decision', failed: 'has failed', trouble: 'is paused', rollback: 'went back to a checkpoint',
  decided: 'grows', completed: 'is completed', stalled: 'makes no progress', diverged: 'diverged',
};

let last = null; // seq of the last event that was looked at; null: begin with what happens from now on
let timer = null;

const possible = () => 'Notification' in window;
const wanted = () => possible() && Notification.permission === 'granted' && localStorage.getItem(KEY) === 'on';

async function titleOf(event) {
  const says = TEXTS[event.rule] ?? event.rule;
  if (!event.run) return `Study ${(event.message ?? '').split(':')[0]} ${says}`;
  const name = await api.get(`/runs/${api.part(event.run)}`).then((run) => run.name, () => event.run);
  return event.rule === 'failed' && event.growth ? `A growth of run ${name} has failed` : `Run ${name} ${says}`;
}

async function show(event) {
  const title = await titleOf(event);
  // The same event has the same tag: it is shown once, however many windows there are.
  const shown = new Notification(title, { body: event.message ?? '', tag: `lagd ${event.seq} ${event.ts}`,
    icon: new URL('icon.svg', import.meta.url).href });
  shown.onclick = () => {
    window.focus();
    if (event.growth) location.hash = address(['growths', event.growth]);
    else location.hash = event.run ? address(['runs', event.run]) : address(['studies']);
  };
}

function look(event) {
  if (!event.seq) {
    if (Number.isFinite(event.cursor) && (last === null || event.type === 'reset')) last = event.cursor;
    return;
  }
  if (last !== null && event.seq <= last) return;
  last = event.seq;
  if (event.rule && wanted()) show(event).catch(() => {});
}

async function ask() {
  if (!document.hidden || !wanted() || last === null) return;
  try {
    for (const line of await live.since(last, PAGE)) look(line);
  } catch {
    // the daemon may be away; the next look tells
  }
}

/** The button that begins and ends it. */
export function notifyButton() {
  const label = () => (wanted() ? 'Notifying' : 'Notify me');
  const element = button(label(), async () => {
    if (wanted()) localStorage.setItem(KEY, 'off');
    else if (!possible()) toast('This browser has no notifications for this address.');
    else if (await Notification.requestPermission() !== 'granted')
      toast('The browser does not allow notifications for this address; its settings do.');
    else localStorage.setItem(KEY, 'on');
    element.textContent = label();
    element.setAttribute('aria-pressed', wanted());
  }, { class: 'quiet', 'aria-pressed': wanted(),
    title: 'Let the browser tell when a run waits, fails, is paused by trouble, goes back, stalls or completes.' });
  return element;
}

live.subscribe(look);
document.addEventListener('visibilitychange', () => {
  clearInterval(timer);
  timer = document.hidden ? setInterval(ask, ASK_MS) : null;
});
