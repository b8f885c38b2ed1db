// A study in the browser: it is asked for by the form, watched until it has ended, and read: sentences, figures and
// finals; in both themes and on a narrow window under axe.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { axe, browse, check, Daemon, main, runBody, until } from './harness.mjs';

const pictures = process.env.LAGD_PICTURES; // a folder for screenshots
const HORIZON = Number(process.env.LAGD_HORIZON ?? 64);
const PARENT_STEPS = Number(process.env.LAGD_PARENT_STEPS ?? 40);
const FIGURES = ['scatter', 'agreement', 'regret', 'curves', 'flops'];
const daemon = new Daemon();
let browser, id;

const page = () => browser.page;
const texts = (selector) => page().locator(selector).allTextContents();

async function theEmptyListSaysWhatAStudyIs() {
  await daemon.start();
  await daemon.upload('words');
  browser = await browse(daemon.origin);
  await browser.open('#/studies');
  await page().waitForSelector('.first');
  check((await texts('.first')).join().includes('how long a lag'), 'it says what a study is');
  await browser.open('#/studies/new');
  await page().waitForSelector('.reason a');
}

async function oneIsAskedForByTheForm() {
  await daemon.post('/runs', runBody('small', { model: { n_layer: 1, n_head: 2, n_embd: 16, n_positions: 16 },
    schedule: { kind: 'wsd', warmup_steps: 4, max_steps: 100000 } }));
  await until('the parent has trained', async () => (await daemon.get('/runs/small')).step >= PARENT_STEPS);
  await daemon.post('/runs/small/pause');
  await until('the parent is paused', async () => (await daemon.get('/runs/small')).state === 'paused');
  await browser.open('#/runs/small');
  await page().click('text=Study …');
  await page().waitForURL(/#\/studies\/new\?parent=small/);
  await page().waitForSelector('#f-name');
  await page().fill('#f-name', 'tiny');
  await page().fill('#f-target-n_layer', '2');
  browser.failuresAreExpected(true);
  await page().fill('#f-seeds', '1, 1');
  await until('repeated seeds are refused at their field', async () => (await page()
    .locator('#f-seeds[aria-invalid=true]').count()) > 0);
  await page().fill('#f-seeds', '1, 2');
  await page().fill('#f-horizon', String(HORIZON));
  await page().check('text=/^these$/');
  for (const one of await page().locator('.operators .check').all())
    if (!/^(stack|interleave|random|zero stack)/.test(await one.innerText())) await one.locator('input').uncheck();
  await page().check('text=also train from scratch');
  await page().click('summary:has-text("More")');
  await page().fill('#f-eval-every', '4');
  await page().fill('#f-eval-batches', '4');
  await until('the dry run tells what it would take', async () => (await texts('.dry .fact dt')).includes('Compute'));
  browser.failuresAreExpected(false);
  if (pictures) await page().screenshot({ path: join(pictures, 'new-study.png'), fullPage: true });
  await page().press('#f-eval-batches', 'Enter'); // a click could meet a button that moves as faults go
  await page().waitForURL(/#\/studies\/st_/);
  id = (await daemon.get('/studies')).items[0].id;
}

async function itIsWatchedUntilItHasEnded() {
  await page().waitForSelector('text=What it shows');
  if (pictures) await page().screenshot({ path: join(pictures, 'study-running.png'), fullPage: true });
  await until('it ends', async () => /completed|failed/.test((await daemon.get(`/studies/${id}`)).state), 200000);
  const study = await daemon.get(`/studies/${id}`);
  check(study.state === 'completed', `${study.state}: ${study.reason}`);
  await until('the page shows it by itself', async () => (await texts('.badge.completed')).length > 0);
}

async function itIsRead() {
  const report = await daemon.get(`/studies/${id}/report`);
  check(report.n_seeds === 2 && report.missing === null, JSON.stringify(report).slice(0, 400));
  await until('every sentence is there', async () => (await texts('.says-line')).join('\n') === report.reading);
  await until('every figure is there', async () => (await page().locator('.figure > svg').count()) === FIGURES.length);
  for (const name of FIGURES) {
    const svg = page().locator(`.figure > svg[aria-labelledby^="sf-${name}-title"]`);
    check(await svg.count() === 1, `one ${name}`);
    check(await svg.locator('path, circle').count() > 10, `${name} shows something`);
    check(await svg.locator('[style], style, script').count() === 0, `${name} has no style of its own`);
  }
  const marks = await texts('svg[aria-labelledby^="sf-scatter"] path > title, '
    + 'svg[aria-labelledby^="sf-scatter"] circle > title');
  const ranked = report.candidates.filter((one) => !one.reference).length;
  check(marks.length === 2 * ranked * report.n_seeds, `two marks a candidate and seed: ${marks.length}`);
  check(marks.every((one) => /seed \d: \d+\.\d{4} at t = \d+, ends at/.test(one)), marks[0]);
  const rows = await page().locator('section[aria-label="Where the candidates ended"] tbody tr').count();
  check(rows === report.candidates.length, `a row a candidate: ${rows}`);
}

async function itIsPlainInBothThemesAndWhenNarrow() {
  if (pictures) mkdirSync(pictures, { recursive: true });
  for (const theme of ['light', 'dark']) {
    for (const width of [1500, 420]) {
      await page().setViewportSize({ width, height: 900 });
      await browser.open(`#/studies/${id}`);
      await page().selectOption('#bar select', theme);
      await until('the figures are there',
        async () => (await page().locator('.figure > svg').count()) === FIGURES.length);
      const first = page().locator('.figure svg .sf-c0 > *').first();
      const paint = await first.evaluate((one) => getComputedStyle(one).color);
      check(paint === (theme === 'dark' ? 'rgb(90, 169, 242)' : 'rgb(11, 98, 173)'), `${theme}: ${paint}`);
      const wide = await page().evaluate(() => document.documentElement.scrollWidth - innerWidth);
      check(wide <= 0, `nothing is wider than a window of ${width}: ${wide}`);
      const findings = (await axe(page())).filter((one) => /serious|critical/.test(one.impact));
      check(findings.length === 0, JSON.stringify(findings, null, 1));
      if (pictures) await page().screenshot({ path: join(pictures, `study-${theme}-${width}.png`), fullPage: true });
    }
  }
  await page().setViewportSize({ width: 1400, height: 900 });
  await browser.open('#/studies');
  await page().waitForSelector('.card');
  if (pictures) await page().screenshot({ path: join(pictures, 'studies.png') });
}

async function itIsDeletedByAClick() {
  await browser.open(`#/studies/${id}`);
  await page().click('button:text-is("Delete")');
  await page().click('dialog button:text-is("Delete it")');
  await page().waitForURL(/#\/studies$/);
  await until('it is gone', async () => (await daemon.get('/studies')).items.length === 0);
  check(browser.faults.length === 0, browser.faults.join('\n'));
}

await main([theEmptyListSaysWhatAStudyIs, oneIsAskedForByTheForm, itIsWatchedUntilItHasEnded, itIsRead,
  itIsPlainInBothThemesAndWhenNarrow, itIsDeletedByAClick]);
