// What grew, drawn on the pages of a growth and of its run; and the pool's editor, which says what leads to the target.
// In both themes, wide and narrow, under axe.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { axe, browse, check, Daemon, main, runBody, sleep, until } from './harness.mjs';

const pictures = process.env.LAGD_PICTURES; // a folder for screenshots
const daemon = new Daemon();
const EACH = [['light', 390], ['dark', 1400], ['light', 1400], ['dark', 390]]; // the first two, without pictures
let browser, growth;

const page = () => browser.page;
const block = (from = page()) => from.locator('section[aria-label="What grew"]');

async function aRunGrowsBothWays() {
  await daemon.start();
  await daemon.upload('words');
  await daemon.post('/runs', runBody('wide', { schedule: { max_steps: 120 } }));
  growth = (await daemon.post('/runs/wide/growths', { target: { n_layer: 5, n_embd: 64 }, when: { at_step: 20 },
    probe: { steps: 8, eval_every: 2, eval_batches: 2 }, pool: ['zero_stack with=clone_width noise=0.5'] })).id;
  await until('it is applied', async () => (await daemon.get(`/growths/${growth}`)).state === 'applied');
  browser = await browse(daemon.origin);
}

async function theGrowthIsDrawn() {
  await browser.open(`#/growths/${growth}`);
  await until('the drawing is there', async () => (await block().locator('svg.grown').count()) === 1);
  check((await block().locator('svg .layer.kept').count()) === 6, 'three before, and the same three after');
  check((await block().locator('svg .layer.copied.zero').count()) === 2, 'two copies begin at zero');
  check((await block().locator('svg .layer.units').count()) === 5, 'each layer has new units');
  const words = await block().innerText();
  for (const part of ['32 → 64', 'new units: copies of old ones', 'output projections at zero',
    'noise 0.5 in what reads', 'The function', 'kept', 'of the first gradient', 'Connection rate'])
    check(words.includes(part), `${part} is not in ${words}`);
  const [kept, whole] = await block().locator('svg').evaluate((svg) => ['kept', 'copied'].map((kind) =>
    Number(svg.querySelector(`.layer.${kind}`).getAttribute('width'))));
  check(kept * 2 === whole, 'widths are to scale');
}

async function heldPartsAreDrawn() {
  await daemon.post('/runs', runBody('held', { schedule: { max_steps: 60 }, start: false }));
  const asked = [
    { at: 20, target: { n_layer: 4, n_inner: 160 }, pool: 'gate_zero with=masked_width', drawn: 'copied.gated',
      words: ['behind gates, shut at first', 'fresh, behind a mask'] },
    { at: 30, target: { n_layer: 5 }, pool: 'masked_random ramp_steps=25', drawn: 'fresh.masked',
      words: ['opens evenly in 25 steps'] }];
  for (const one of asked)
    one.id = (await daemon.post('/runs/held/growths', { target: one.target, when: { at_step: one.at }, pool: [one.pool],
      probe: { steps: 4, eval_every: 2, eval_batches: 2 } })).id;
  await daemon.post('/runs/held/resume');
  for (const one of asked) {
    await until('it is applied', async () => (await daemon.get(`/growths/${one.id}`)).state === 'applied');
    await browser.open(`#/growths/${one.id}`);
    await until('the drawing is there', async () => (await block().locator('svg.grown').count()) === 1);
    check((await block().locator(`svg .layer.${one.drawn}`).count()) === 1, `one layer is ${one.drawn}`);
    const told = await block().innerText();
    for (const part of one.words) check(told.includes(part), `${part} is not in ${told}`);
  }
}

async function theRunShowsIt() {
  await browser.open('#/runs/wide');
  await until('the drawing is there', async () => (await block().locator('svg.grown').count()) === 1);
  check((await block().locator('a[href*="growths"]').count()) === 1, 'it leads to its growth');
  await daemon.post('/runs', runBody('young', { start: false }));
  await browser.open('#/runs/young');
  await until('the page is there', async () => (await page().locator('main').innerText()).includes('Checkpoints'));
  check(!(await block().isVisible()), 'where nothing has grown there is nothing to draw');
}

const line = (name) => page().locator('.operator', { has: page().locator(`b:text-is("${name}")`) });

async function thePoolIsEdited() {
  browser.failuresAreExpected(true); // while nothing is ticked
  await browser.open('#/runs/young/grow');
  await page().fill('#f-target-n_layer', '5');
  await page().fill('#f-target-n_embd', '48');
  await until('who leads there is known', async () => (await line('stack').innerText()).includes('beside clone width'));
  check((await line('clone diagonal').innerText()).includes('32 can become 32 or 64, not 48'), 'and who does not');
  check((await line('lemon').innerText()).includes('Keeps the function while mix is 0'), 'when the function stays');
  check((await line('interleave').innerText()).includes('Changes the function.'), 'and where it does not');
  check((await line('ligo').innerText()).includes('Learns before its probe'), 'and what costs more than a probe');
  await page().locator('label:has-text("these") input[type=radio]').check();
  check(!(await line('ligo').locator('input[type=checkbox]').isChecked()), 'which nobody but a person ticks');
  const ticked = page().locator('.operator input[type=checkbox]:checked');
  while (await ticked.count()) await ticked.first().uncheck();
  await line('lemon').locator('input[type=checkbox]').check();
  await line('midas').locator('input[type=checkbox]').check();
  await line('lemon').locator('input[aria-label="lemon: split"]').fill('0.3');
  const aside = page().locator('aside');
  await until('the candidates are those', async () => {
    const told = await aside.innerText();
    return told.includes('stack with=lemon split=0.3') && told.includes('midas block=1 with=clone_width')
      && /3\s+the reference included/.test(told);
  });
  await aside.locator('summary:text-is("What would grow")').click();
  check((await aside.locator('svg.grown').count()) === 1, 'and what it would do is drawn');
  browser.failuresAreExpected(false);
}

async function itIsForEveryone() {
  if (pictures) mkdirSync(pictures, { recursive: true });
  for (const [theme, width] of pictures ? EACH : EACH.slice(0, 2)) {
    const other = await browse(daemon.origin, { theme, width });
    for (const [name, hash] of [['growth', `#/growths/${growth}`], ['run', '#/runs/wide'],
      ['pool', '#/runs/wide/grow']]) {
      await other.open('#/new');
      await other.open(hash);
      await sleep(700);
      if (name === 'pool') await other.page.locator('label:has-text("these") input[type=radio]').check();
      const found = (await axe(other.page)).filter((one) => ['serious', 'critical'].includes(one.impact));
      check(found.length === 0, JSON.stringify(found, null, 1));
      const over = await other.page.evaluate(() => document.documentElement.scrollWidth - globalThis.innerWidth);
      check(over <= 0, `${name} is ${over} pixels too wide at ${width}`);
      if (pictures)
        await other.page.screenshot({ path: join(pictures, `grown-${name}-${theme}-${width}.png`), fullPage: true });
    }
    check(other.faults.length === 0, other.faults.join('\n'));
    await other.context.close();
  }
}

async function nothingWentWrongOnTheWay() {
  check(browser.faults.length === 0, browser.faults.join('\n'));
}

await main([aRunGrowsBothWays, theGrowthIsDrawn, heldPartsAreDrawn, theRunShowsIt, thePoolIsEdited, itIsForEveryone,
  nothingWentWrongOnTheWay]);
