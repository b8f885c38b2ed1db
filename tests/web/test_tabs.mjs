// Many windows on one daemon. A browser opens six connections to it for all of them together: none may wait for
// another, a hidden one keeps no connection, and one that is seen again has missed nothing.
import { rmSync } from 'node:fs';
import { browse, check, Daemon, main, runBody, sleep, until } from './harness.mjs';

const WINDOWS = 8, LISTED = 60;
const daemon = new Daemon();
let browser;
const windows = [];

/** Hides and shows a page as a browser does: a page without a window of its own is always visible. */
function hideable() {
  let hidden = false;
  Object.defineProperty(document, 'hidden', { get: () => hidden });
  Object.defineProperty(document, 'visibilityState', { get: () => (hidden ? 'hidden' : 'visible') });
  globalThis.setHidden = (truth) => {
    hidden = truth;
    document.dispatchEvent(new Event('visibilitychange'));
  };
}

async function nStreams(of = daemon) {
  const text = await (await fetch(`${of.origin}/metrics`)).text();
  return Number(text.match(/^lagd_sse_clients (\d+)$/m)[1]);
}

const light = (page) => page.locator('#bar .light').innerText();
const setHidden = (page, truth) => page.evaluate((hidden) => globalThis.setHidden(hidden), truth);

async function open(context, origin) {
  const page = await context.newPage();
  page.setDefaultTimeout(30000);
  await page.goto(origin, { waitUntil: 'domcontentloaded' });
  return page;
}

const shows = (page, text) => until(`a window shows ${text}`, async () => (await page.locator('main').innerText())
  .includes(text));

async function eightVisibleWindowsAllLive() {
  await daemon.start();
  await daemon.upload('words');
  await daemon.post('/runs', runBody('moving', { schedule: { warmup_steps: 10, max_steps: 1000000 },
    checkpoint: { every_steps: 1000000 } }));
  browser = await browse(daemon.origin);
  await browser.context.addInitScript(hideable);
  for (let i = 0; i < WINDOWS; i++) {
    const page = await open(browser.context, daemon.origin);
    await shows(page, 'moving');
    await until('it is live', async () => (await light(page)).startsWith('live'));
    windows.push(page);
  }
  await until('two hold a stream, and the others ask', async () => {
    const lights = await Promise.all(windows.map(light));
    return lights.filter((text) => text === 'live').length === 2
      && lights.filter((text) => text === 'live, each second').length === WINDOWS - 2;
  });
  await daemon.post('/runs', runBody('second', { start: false }));
  for (const page of windows) await shows(page, 'second');
  for (const kind of ['live', 'live, each second']) await movesOn(await windowThatIs(kind));
}

const windowThatIs = (kind) => until(`a window is ${kind}`,
  async () => windows[(await Promise.all(windows.map(light))).indexOf(kind)]);

async function movesOn(page) {
  const step = async () => (await page.locator('article[aria-label=moving] .fact dd').first().innerText());
  const before = await step();
  await until('another step', async () => (await step()) !== before);
}

async function aPlaceIsHandedOn() {
  for (let n = 2; n > 0; n--) {
    const page = await windowThatIs('live');
    windows.splice(windows.indexOf(page), 1);
    await page.close();
  }
  await until('two others have a stream', async () => (await Promise.all(windows.map(light)))
    .filter((text) => text === 'live').length === 2);
}

async function aHiddenWindowKeepsNoConnection() {
  for (const page of windows) await setHidden(page, true);
  await until('no stream is open', async () => (await nStreams()) === 0, 10000);
  const background = await browser.context.newPage(); // opened behind another one
  await background.addInitScript(() => globalThis.setHidden(true));
  await background.goto(daemon.origin);
  await shows(background, 'second');
  check(await light(background) === 'paused while hidden', await light(background));
  check(await nStreams() === 0, 'a window that was never seen has no stream');
  await setHidden(background, false);
  await until('it is live when it is seen', async () => await light(background) === 'live');
  windows.push(background);
}

async function whatHappenedMeanwhileIsThere() {
  const [page] = windows;
  const names = ['third', 'fourth', 'fifth'];
  for (const name of names) await daemon.post('/runs', runBody(name, { start: false }));
  await daemon.post('/runs/moving/pause');
  await until('the run is paused', async () => (await daemon.get('/runs/moving')).state === 'paused');
  check(await light(page) === 'paused while hidden', await light(page));
  await setHidden(page, false);
  await until('it is live again', async () => (await light(page)).startsWith('live'));
  for (const name of names) await shows(page, name);
  const happened = (await (await fetch(`${daemon.origin}/api/v1/events?after=0&limit=1000`)).text()).trim().split('\n')
    .map((line) => JSON.parse(line).type).slice(-LISTED).reverse();
  const listed = () => page.locator('.events li code').allTextContents();
  await until('the list has every event', async () => String(await listed()) === String(happened));
}

async function noStreamIsToBeHad() {
  const small = await new Daemon('small', { LAGD_SERVER_MAX_STREAMS: '1' }).start();
  await small.upload('words');
  await small.post('/runs', runBody('first', { start: false }));
  const abort = new AbortController();
  await fetch(`${small.origin}/api/v1/events?follow=true`, { signal: abort.signal });
  const other = await browse(small.origin);
  other.failuresAreExpected(true); // 503: too many streams
  await other.open('');
  await until('it asks', async () => (await light(other.page)) === 'live, each second');
  await small.post('/runs', runBody('second', { start: false }));
  await shows(other.page, 'second');
  abort.abort();
  await until('it has the stream that became free', async () => (await light(other.page)) === 'live');
  check(other.faults.length === 0, other.faults.join('\n'));
  await other.context.close();
  await small.stop();
}

/** A window that asks is content with what has happened: what else comes with it keeps no stream open. */
async function whoAsksLetsTheStreamGo() {
  const other = await browse(daemon.origin);
  await other.page.addInitScript(() => Object.defineProperty(navigator, 'locks', { value: undefined }));
  const event = (type, data) => `event: ${type}\ndata: ${JSON.stringify(data)}\n\n`;
  await other.page.route(/\/events(\?|$)/, (route) => (/limit/.test(route.request().url()) ? route.continue()
    : route.fulfill({ contentType: 'text/event-stream',
      body: event('caught-up', { cursor: 1 }) + event('run.metric', { run: 'run_x' }) })));
  await other.open('');
  await until('it asks', async () => (await light(other.page)) === 'live, each second');
  for (let i = 0; i < 20; i++, await sleep(100))
    check((await light(other.page)) === 'live, each second', await light(other.page));
  await other.context.close();
}

/** Without a stream, too, a window sees that its cursor is of another database. */
async function anotherDatabaseIsSeenWithoutAStream() {
  const small = await new Daemon('replaced', { LAGD_SERVER_MAX_STREAMS: '1' }).start();
  for (const name of ['a', 'b', 'c', 'd']) await small.upload(name);
  const other = await browse(small.origin), abort = new AbortController();
  other.failuresAreExpected(true); // 410, and the daemon that is away
  await other.open('');
  await until('it is live', async () => (await light(other.page)) === 'live');
  await other.page.route(/\/events(\?|$)/, (route) => route.abort());
  await small.stop();
  rmSync(small.state, { recursive: true });
  await small.start();
  await fetch(`${small.origin}/api/v1/events?follow=true`, { signal: abort.signal });
  await other.page.unrouteAll();
  await until('it asks', async () => (await light(other.page)) === 'live, each second');
  await small.upload('words');
  await until('it lists the events of this database', async () => {
    const told = (await (await fetch(`${small.origin}/api/v1/events?after=0`)).text()).trim().split('\n')
      .map((line) => JSON.parse(line).type).reverse();
    return String(await other.page.locator('.events li code').allTextContents()) === String(told);
  });
  abort.abort();
  check(other.faults.length === 0, other.faults.join('\n'));
  await other.context.close();
  await small.stop();
}

async function nothingWentWrongOnTheWay() {
  check(browser.faults.length === 0, browser.faults.join('\n'));
}

await main([eightVisibleWindowsAllLive, aPlaceIsHandedOn, aHiddenWindowKeepsNoConnection, whatHappenedMeanwhileIsThere,
  noStreamIsToBeHad, whoAsksLetsTheStreamGo, anotherDatabaseIsSeenWithoutAStream, nothingWentWrongOnTheWay]);
