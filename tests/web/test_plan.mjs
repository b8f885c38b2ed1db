// A run's growth plan on its page: set by the dialog, shown with what became of its stages, changed and removed; in
// both themes, wide and narrow, under axe.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { axe, browse, check, Daemon, main, runBody, until } from './harness.mjs';

const pictures = process.env.LAGD_PICTURES; // a folder for screenshots
const daemon = new Daemon();
let browser;

const page = () => browser.page;
const panel = () => page().locator('section[aria-label="Growth plan"]');
const has = (text) => until(`the plan says ${text}`, async () => (await panel().innerText()).includes(text));
const stage = (to, trigger) => ({ target: { n_layer: to }, trigger, pool: ['stack'],
  probe: { steps: 4, eval_every: 2, eval_batches: 2 } });

async function set(label, stages) {
  await panel().locator(`button:text-is("${label}")`).click();
  await page().locator('dialog textarea').fill(JSON.stringify({ stages }));
  await page().locator('dialog button:text-is("Set it")').click();
}

async function aPlanIsSet() {
  await daemon.start();
  await daemon.upload('words');
  await daemon.call('POST', '/runs', runBody('planned', { start: false, schedule: { max_steps: 400 } }));
  browser = await browse(daemon.origin);
  await browser.open('#/runs/planned');
  await has('None. A plan grows a run in stages');
  await panel().locator('button:text-is("Plan stages …")').click();
  check((await page().locator('dialog textarea').inputValue()).includes('"n_layer": 4'), 'an example is there');
  await page().locator('dialog button:text-is("Keep as is")').click();
  await set('Plan stages …', [stage(4, { step: 20 }), stage(5, { slope: { below: 0.5, most_steps: 90 } })]);
  await has('at step 20');
  await has('once the loss falls by less than 0.5 in 1,000 steps, at most 90 steps');
}

async function aBadOneIsRefused() {
  browser.failuresAreExpected(true);
  await set('Edit plan …', [stage(4, { step: 20 }), stage(4, { step: 60 })]);
  await until('the reason is told', async () => (await page().locator('body').innerText())
    .includes('stage 2: its target'));
  browser.failuresAreExpected(false);
  await has('at most 90 steps');
}

async function whatBecameOfItIsShown() {
  await daemon.call('POST', '/runs/planned/resume', {});
  await until('the run is completed', async () => (await daemon.get('/runs/planned')).state === 'completed');
  await has('step 20 was reached');
  await until('both are applied', async () =>
    (await panel().locator('.badge.applied').count()) === 2);
  check((await panel().locator('a[href*="growths"]').count()) === 2, 'each has its growth');
}

async function theRestIsRemoved() {
  await daemon.call('POST', '/runs', runBody('other', { start: false, schedule: { max_steps: 400 } }));
  await daemon.call('PUT', '/runs/other/plan', { stages: [stage(4, { step: 20 })] });
  await browser.open('#/runs/other');
  await has('at step 20');
  await panel().locator('button:text-is("Remove …")').click();
  await page().locator('dialog button:text-is("Remove them")').click();
  await has('None. A plan grows a run in stages');
}

async function itCanBeReadAnywhere() {
  if (pictures) mkdirSync(pictures, { recursive: true });
  for (const theme of ['light', 'dark']) {
    for (const width of [1400, 420]) {
      const other = await browse(daemon.origin, { theme, width });
      await other.open('#/runs/planned');
      const there = other.page.locator('section[aria-label="Growth plan"]');
      await until('the plan is there', async () => (await there.locator('.badge.applied').count()) === 2);
      const found = await axe(other.page);
      check(found.length === 0, JSON.stringify(found));
      if (pictures) await there.screenshot({ path: join(pictures, `plan-${theme}-${width}.png`) });
      check(other.faults.length === 0, other.faults.join('\n'));
      await other.context.close();
    }
  }
}

async function nothingWentWrongOnTheWay() {
  check(browser.faults.length === 0, browser.faults.join('\n'));
}

await main([aPlanIsSet, aBadOneIsRefused, whatBecameOfItIsShown, theRestIsRemoved, itCanBeReadAnywhere,
  nothingWentWrongOnTheWay]);
