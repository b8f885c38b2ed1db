// How quick the dashboard is in a real browser, with a few and with ten thousand runs: measure.mjs SOURCE LAGD
// It prints and judges nothing: figures depend on the machine.
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { browse, Daemon, main, runBody, sleep, source, until } from './harness.mjs';

const N = Number(process.env.LAGD_RUNS ?? 10000), POINTS = Number(process.env.LAGD_POINTS ?? 100000), SIDES = 8;
const TIMES = 7;
const daemon = new Daemon();
let browser;

const page = () => browser.page;
const middle = (list) => [...list].sort((a, b) => a - b)[Math.floor(list.length / 2)];
const told = (list) => `median ${middle(list).toFixed(0)} ms, longest ${Math.max(...list).toFixed(0)} ms`;

/** Long tasks and interactions from here on. */
const watch = () => page().evaluate(() => {
  globalThis.long = [];
  globalThis.acts = [];
  new PerformanceObserver((list) => globalThis.long.push(...list.getEntries().map((one) => one.duration)))
    .observe({ type: 'longtask' });
  new PerformanceObserver((list) => globalThis.acts.push(...list.getEntries().filter((one) => one.interactionId)
    .map((one) => one.duration))).observe({ type: 'event', durationThreshold: 16 });
});
const longTasks = async () => {
  const list = await page().evaluate(() => globalThis.long.splice(0));
  return list.length ? `${list.length} tasks above 50 ms, longest ${Math.max(...list).toFixed(0)} ms`
    : 'no task above 50 ms';
};
const interactions = async () => {
  await sleep(500);
  const list = await page().evaluate(() => globalThis.acts.splice(0));
  return list.length ? told(list) : 'all below 16 ms';
};

async function someRuns() {
  await daemon.start();
  await daemon.upload('words');
  for (let i = 0; i < SIDES; i++) {
    await daemon.post('/runs', runBody(`side-${i}`, { seed: i,
      schedule: { warmup_steps: 10, max_steps: 2 * POINTS } }));
    await until('it has some points', async () => (await daemon.get(`/runs/side-${i}`)).step > 40);
    await daemon.post(`/runs/side-${i}/pause`);
    await until('it is paused', async () => (await daemon.get(`/runs/side-${i}`)).state === 'paused');
  }
}

async function search(what) {
  await browser.open('#/runs');
  await until('the rows are there', async () => (await page().locator('.runs tbody tr').count()) > 1);
  await watch();
  const times = [];
  for (const text of ['side-3', 'side-5', 'side', 'side-1', 'nothing', 'side-7']) {
    times.push(await page().evaluate((wanted) => new Promise((resolve) => {
      const input = document.querySelector('input[type=search]'), body = document.querySelector('.runs tbody');
      const begin = performance.now();
      const seen = () => {
        const names = [...body.querySelectorAll('tr:not(.gap) td:nth-child(2)')].map((cell) => cell.textContent);
        if (names.every((name) => name.includes(wanted)) && (names.length > 0) === (wanted !== 'nothing'))
          requestAnimationFrame(() => resolve(performance.now() - begin));
        else setTimeout(seen, 2);
      };
      input.value = wanted;
      input.dispatchEvent(new Event('input', { bubbles: true }));
      seen();
    }), text));
    await sleep(300);
  }
  console.log(`        search among ${what}: ${told(times)} from the key to the rows; ${await longTasks()}`);
  await page().fill('input[type=search]', '');
  await sleep(500);
}

async function scroll(what) {
  await until('all are there', async () => (await page().locator('.runs tbody tr').count()) > 1);
  await watch();
  const place = page().locator('.scroll:has(> .runs)');
  const box = await place.boundingBox();
  await page().mouse.move(box.x + 300, box.y + 200);
  for (let i = 0; i < 60; i++) {
    await page().mouse.wheel(0, 500);
    await sleep(40);
  }
  console.log(`        60 turns of the wheel among ${what}: ${await longTasks()}`);
}

async function aFewRuns() {
  browser = await browse(daemon.origin);
  await search(`${SIDES} runs`);
}

async function manyRuns() {
  browser.failuresAreExpected(true);
  await daemon.stop();
  execFileSync('python3', [join(source, 'tests/web/make_runs.py'), daemon.state, String(N)]);
  for (let i = 0; i < SIDES; i++) {
    execFileSync('python3', [join(source, 'tests/web/make_million.py'), join(daemon.state, 'lagd.db'), `side-${i}`,
      String(POINTS)]);
  }
  await daemon.start();
  browser.failuresAreExpected(false);
  await search(`${N + SIDES} runs`);
  await scroll(`${N + SIDES} runs`);
}

/** In the page, from the address to the frame behind the one that has all lines: {answered, seen} in ms. */
const drawn = ([hash, sides]) => new Promise((resolve) => {
  performance.clearResourceTimings();
  const begin = performance.now();
  const answered = () => Math.max(...performance.getEntriesByType('resource')
    .filter((one) => /\/(compare|series|metrics)/.test(one.name)).map((one) => one.responseEnd)) - begin;
  const look = () => {
    if (document.querySelectorAll('.readout .item').length < sides) return setTimeout(look, 2);
    return requestAnimationFrame(() => setTimeout(() => resolve({ answered: answered(),
      seen: performance.now() - begin })));
  };
  location.hash = hash;
  look();
});

async function compare() {
  const runs = Array.from({ length: SIDES }, (_, i) => `side-${i}`).join(',');
  for (const key of ['val/loss', 'train/loss']) {
    const times = [];
    for (let i = 0; i < TIMES; i++) {
      await browser.open('#/datasets');
      await sleep(300);
      await watch();
      times.push(await page().evaluate(drawn, [`#/compare?runs=${runs}&key=${key}`, SIDES]));
    }
    console.log(`        compare ${SIDES} × ${POINTS} points of ${key}: on the screen `
      + `${told(times.map((t) => t.seen))}; the last answer ${told(times.map((t) => t.answered))}; `
      + `${await longTasks()} in the last of ${TIMES}`);
  }
  const box = await page().locator('.u-over').boundingBox();
  const act = async (what, action) => {
    await page().evaluate(() => { globalThis.acts.length = 0; globalThis.long.length = 0; });
    await action();
    console.log(`        ${what}: ${await interactions()}; ${await longTasks()}`);
  };
  await act('hover', async () => {
    for (let i = 0; i < 30; i++) await page().mouse.move(box.x + (box.width * i) / 30, box.y + 90);
  });
  await act('smoothing', async () => {
    await page().locator('.controls input[type=range]').focus();
    for (let i = 0; i < 15; i++) await page().keyboard.press('ArrowRight');
  });
  await act('zoom', async () => {
    await page().mouse.move(box.x + box.width * 0.4, box.y + 60);
    await page().mouse.down();
    await page().mouse.move(box.x + box.width * 0.5, box.y + 61, { steps: 6 });
    await page().mouse.up();
    await sleep(1500);
    await page().locator('.u-over').dblclick();
    await sleep(800);
  });
  await act('hide and show', async () => {
    for (let i = 0; i < 4; i++) await page().locator('.readout .item').nth(i % 2).click();
  });
  await act('other axes', async () => {
    for (const axis of ['tokens', 'time', 'flops', 'step']) {
      await page().selectOption('.controls select >> nth=1', axis);
      await sleep(1200);
    }
  });
}

await main([someRuns, aFewRuns, manyRuns, compare]);
