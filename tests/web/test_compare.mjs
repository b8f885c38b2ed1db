// Runs side by side: chosen by ticks in the table, runs and groups by tag; curves on every axis, what differs, who is
// best; all in the address and in place after Back.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { axe, browse, check, Daemon, main, runBody, until } from './harness.mjs';

const pictures = process.env.LAGD_PICTURES; // a folder for screenshots
const daemon = new Daemon();
let browser;

const page = () => browser.page;
const texts = (selector) => page().locator(selector).allInnerTexts();
const labels = () => texts('.readout .item .label');
const hash = () => decodeURIComponent(new URL(page().url()).hash);
const shows = (what, names) => until(what, async () => JSON.stringify(await labels()) === JSON.stringify(names));

async function someRuns() {
  await daemon.start();
  await daemon.upload('words');
  for (const [name, tags, seed, lr, steps] of [['s1', ['seeds'], 1, 0.003, 60], ['s2', ['seeds'], 2, 0.003, 60],
    ['s3', ['seeds'], 3, 0.003, 40], ['slow', [], 1, 0.0003, 60]]) {
    await daemon.post('/runs', runBody(name, { tags, seed, optim: { lr },
      schedule: { warmup_steps: 10, max_steps: steps } }));
    await until(`${name} is completed`, async () => (await daemon.get(`/runs/${name}`)).state === 'completed');
  }
  await daemon.post('/runs', runBody('later', { start: false }));
  browser = await browse(daemon.origin);
}

async function theTickedAreCompared() {
  await browser.open('#/compare');
  await until('an empty page says what to do', async () => (await texts('.first')).join().includes('Tick runs'));
  await browser.open('#/runs?group=tag');
  for (const name of ['s1', 'slow', 'later']) await page().check(`input[aria-label="Tick ${name}"]`);
  await page().check('input[aria-label="Tick the group seeds"]');
  const asked = page().waitForRequest(/\/compare\?/);
  await page().click('.bulk a:text-is("Compare")');
  await page().waitForURL(/#\/compare/);
  const { series } = await (await (await asked).response()).json();
  check(JSON.stringify(series) === '{}', 'the curves are read once, of each run: not here as well');
  check(hash() === '#/compare?runs=s1,slow,later&tags=seeds', hash());
  await shows('a line each', ['s1', 'slow', 'later', 'tag seeds']);
  const bests = await texts('section[aria-label="How good they are"] tbody th');
  const best = async (name) => (await daemon.get(`/runs/${name}`)).best.value;
  const group = (await best('s1') + await best('s2') + await best('s3')) / 3;
  const order = [['s1', await best('s1')], ['tag seeds, 3 runs', group], ['slow', await best('slow')]]
    .sort((a, b) => a[1] - b[1]).map(([name]) => name);
  check(JSON.stringify(bests) === JSON.stringify([...order, 'later']), `${bests} is not ${order}`);
  const rows = await texts('section[aria-label="What differs in their configurations"] tbody tr');
  check(JSON.stringify(rows.map((row) => row.split('\t')[0]))
    === JSON.stringify(['seed', 'optim/lr', 'schedule/max_steps']), JSON.stringify(rows));
  check(rows[1] === 'optim/lr\t0.003\t0.0003\t0.003\t0.003', rows[1]);
}

async function everyAxisHasItsCurves() {
  for (const [axis, at] of [['tokens', '7.68'], ['time', 's'], ['flops', 'G'], ['training_flops', 'G'],
    ['step', '60']]) {
    await page().selectOption('.controls select >> nth=1', axis);
    await until(`the end is told by ${axis}`, async () => (await texts('.readout .where'))[0].includes(at));
    await shows('the lines stay', ['s1', 'slow', 'later', 'tag seeds']);
  }
  await page().selectOption('.controls select >> nth=0', 'train/loss');
  await until('the other series', async () => /24\d points of 5 runs|220 points of 5 runs/.test(
    (await texts('figcaption'))[0]));
  check(hash().includes('key=train/loss'), hash());
  await page().check('text=each run of a group');
}

async function theLegendHides() {
  const item = page().locator('.readout .item:has-text("slow")');
  await item.focus();
  await page().keyboard.press('Enter');
  await until('it is hidden', async () => (await item.getAttribute('aria-pressed')) === 'false');
  check(hash().includes('hide=slow'), hash());
  check(await item.evaluate((one) => one === document.activeElement), 'the focus stays');
  await page().reload();
  await until('also after a reload', async () => await item.count() > 0
    && (await item.getAttribute('aria-pressed')) === 'false');
  await item.click();
  check(!hash().includes('hide'), hash());
}

async function backLeadsToTheSameView() {
  const box = await page().locator('.u-over').boundingBox();
  await page().mouse.move(box.x + box.width * 0.2, box.y + 30);
  await page().mouse.down();
  await page().mouse.move(box.x + box.width * 0.5, box.y + 34, { steps: 4 });
  await page().mouse.up();
  await until('the zoom is in the address', () => /from=.*to=/.test(hash()));
  const there = hash();
  await page().click('.chosen a:text-is("s1")');
  await page().waitForURL(/#\/runs\/s1/);
  await page().goBack();
  await shows('all are there again', ['s1', 'slow', 'later', 'tag seeds']);
  check(hash() === there, `${hash()} is not ${there}`);
  await page().goBack();
  await until('the ticks stay, too', async () => (await page().locator('.bulk a').count()) === 1
    && await page().locator('input[aria-label="Tick slow"]').isChecked());
  await page().goForward();
  await shows('and forth', ['s1', 'slow', 'later', 'tag seeds']);
  await page().locator('.u-over').dblclick();
  await until('a double click shows all', () => !/from=/.test(hash()));
}

async function whatIsComparedCanChange() {
  await page().click('button[aria-label="Remove tag seeds"]');
  await shows('a group goes', ['s1', 'slow', 'later']);
  await page().fill('input[name=add]', 's2');
  await page().click('.adder button');
  await shows('a run comes', ['s1', 'slow', 'later', 's2']);
  await page().fill('input[name=add]', 'tag:seeds');
  await page().click('.adder button');
  await shows('a group comes', ['s1', 'slow', 'later', 's2', 'tag seeds']);
  await daemon.call('PATCH', '/runs/s2', { tags: [] });
  browser.failuresAreExpected(true); // the daemon is asked for what is gone
  await browser.open('#/compare?runs=s1,gone&tags=seeds,none');
  await shows('what is gone is left out', ['s1', 'tag seeds']);
  await until('and told', async () => (await texts('#toasts')).join().includes('gone, tag none: not there any more'));
  browser.failuresAreExpected(false);
}

async function itGoesOnWithTheRuns() {
  await daemon.post('/runs', runBody('going', { schedule: { warmup_steps: 10, max_steps: 1000000 } }));
  await until('it trains', async () => (await daemon.get('/runs/going')).step > 20);
  await browser.open('#/compare?runs=going,s1&key=train/loss');
  const at = async () => Number((await texts('.readout .where'))[0]?.replace(/\D/g, '') || 0);
  await until('its curve is there', async () => await at() > 20);
  const before = await at();
  await until('its curve grows', async () => await at() > before);
  await daemon.post('/runs/going/cancel');
  await until('its state is told', async () =>
    (await texts('section[aria-label="How good they are"]')).join().includes('cancelled'));
}

async function itCanBeReadAnywhere() {
  if (pictures) mkdirSync(pictures, { recursive: true });
  for (const theme of ['light', 'dark']) {
    for (const width of [1600, 900, 390]) {
      const other = await browse(daemon.origin, { theme, width });
      await other.open('#/compare?runs=s1,slow&tags=seeds&smooth=0.5');
      await until('the lines are there', async () => (await other.page.locator('.readout .item').count()) === 3);
      const found = await axe(other.page);
      check(found.length === 0, JSON.stringify(found));
      const wide = await other.page.evaluate(() => document.documentElement.scrollWidth > window.innerWidth);
      check(!wide, `the page is wider than ${width}`);
      if (pictures)
        await other.page.screenshot({ path: join(pictures, `compare-${theme}-${width}.png`), fullPage: true });
      check(other.faults.length === 0, other.faults.join('\n'));
      await other.context.close();
    }
  }
  check(browser.faults.length === 0, browser.faults.join('\n'));
}

await main([someRuns, theTickedAreCompared, everyAxisHasItsCurves, theLegendHides, backLeadsToTheSameView,
  whatIsComparedCanChange, itGoesOnWithTheRuns, itCanBeReadAnywhere]);
