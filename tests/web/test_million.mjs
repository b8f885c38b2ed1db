// A run with a million steps: whatever is done on its page is painted within 200 ms, the browser never gets more than
// the thinned points, and a zoom brings finer ones.
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { browse, check, Daemon, main, runBody, source, until } from './harness.mjs';

const POINTS = 1000000, LIMIT_MS = 200, BYTES_MAX = 400000;
const daemon = new Daemon();
let browser;

async function aLongRunIsMade() {
  await daemon.start();
  await daemon.upload('words');
  await daemon.post('/runs', runBody('long', { schedule: { warmup_steps: 10, max_steps: 2 * POINTS } }));
  await until('it has some points', async () => (await daemon.get('/runs/long')).step > 40);
  await daemon.post('/runs/long/pause');
  await until('it is paused', async () => (await daemon.get('/runs/long')).state === 'paused');
  await daemon.stop();
  execFileSync('python3', [join(source, 'tests/web/make_million.py'), join(daemon.state, 'lagd.db'), 'long',
    String(POINTS)], { stdio: 'inherit' });
  await daemon.start();
}

async function everyInteractionIsQuick() {
  browser = await browse(daemon.origin);
  const { page } = browser, sizes = [];
  page.on('response', async (response) => {
    if (response.url().includes('/series?')) sizes.push((await response.body().catch(() => '')).length);
  });
  await browser.open('');
  await page.evaluate(() => {
    globalThis.slowest = [];
    new PerformanceObserver((list) => {
      for (const entry of list.getEntries())
        if (entry.interactionId) globalThis.slowest.push([entry.duration, entry.name]);
    }).observe({ type: 'event', durationThreshold: 16, buffered: true });
  });
  await page.evaluate(() => { location.hash = '#/runs/long'; });
  await page.waitForSelector('.u-over');
  await until('all curves are there', async () => (await page.locator('.u-over').count()) === 5);
  const points = '1 010 000 points'.replaceAll(' ', '\u202f').replace('\u202fpoints', ' points');
  await until('all points are told', async () => (await page.locator('figcaption').first().innerText())
    .includes(points));
  const box = await page.locator('.u-over').first().boundingBox();
  const drag = async (from, to) => {
    await page.mouse.move(box.x + box.width * from, box.y + 60);
    await page.mouse.down();
    await page.mouse.move(box.x + box.width * to, box.y + 60, { steps: 8 });
    await page.mouse.up();
  };
  const finer = async (what, action) => {
    const begin = Date.now();
    const asked = page.waitForResponse((response) => response.url().includes('key=train/loss') && response.url()
      .includes('series'));
    await action();
    await asked;
    console.log(`        ${what}: finer points after ${Date.now() - begin} ms`);
  };
  await finer('zoom to a tenth', () => drag(0.4, 0.5));
  await finer('zoom to a hundredth', () => drag(0.4, 0.5));
  await page.locator('.plot').first().focus();
  for (const key of ['ArrowLeft', 'ArrowLeft', '+', '-', 'Home', 'End']) await page.keyboard.press(key);
  await page.click('button.reset >> nth=0');
  const slider = page.locator('.controls input[type=range]');
  await slider.focus();
  for (let i = 0; i < 15; i++) await page.keyboard.press('ArrowRight');
  await page.check('text=log y');
  await page.check('text=log x');
  await page.uncheck('text=log x');
  await page.selectOption('.controls select', 'time');
  await page.locator('.as-table summary').first().click();
  await until('all is drawn',
    () => page.evaluate(() => new Promise((resolve) => {
      requestAnimationFrame(() => setTimeout(() => resolve(true), 500));
    })));
  const slowest = (await page.evaluate(() => globalThis.slowest)).sort((a, b) => b[0] - a[0]);
  console.log(`        slowest interactions: `
    + `${slowest.slice(0, 4).map(([ms, name]) => `${name} ${ms} ms`).join(', ')}; `
    + `largest answer ${Math.max(...sizes)} bytes`);
  check(slowest.length > 5, 'interactions were measured');
  check(slowest[0][0] < LIMIT_MS, `an interaction took ${slowest[0]} ms`);
  check(Math.max(...sizes) < BYTES_MAX, `an answer had ${Math.max(...sizes)} bytes`);
  check(browser.faults.length === 0, browser.faults.join('\n'));
}

await main([aLongRunIsMade, everyInteractionIsQuick]);
