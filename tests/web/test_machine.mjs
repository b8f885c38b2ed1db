// The machine over time: from the overview to its charts, by spans of time and zoomed, also by way of the address.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { axe, browse, check, Daemon, main, runBody, until } from './harness.mjs';

const pictures = process.env.LAGD_PICTURES; // a folder for screenshots
const daemon = new Daemon('state', { LAGD_STORAGE_SAMPLE_SECONDS: '1' });
let browser;

const page = () => browser.page;
const panel = (title) => page().locator(`section[aria-label="${title}"]`);

async function nothingIsKeptYet() {
  await daemon.start();
  browser = await browse(daemon.origin);
  await browser.open('#/');
  await page().click('a:text-is("Over time")');
  await page().waitForURL(/#\/machine/);
  await until('it says when something comes', async () => /within a minute/.test(await panel('Memory').innerText()));
}

async function itIsDrawn() {
  await daemon.upload('words');
  await daemon.post('/runs', runBody('r', { schedule: { max_steps: 1000000 } })); // samples are stored at once
  await until('some is kept', async () =>
    (await daemon.get('/system/series?key=memory/lagd_bytes')).step.length >= 3);
  await page().reload();
  for (const title of ['Processors', 'Memory', 'Disk: free'])
    await until(`${title} is drawn`, async () => (await panel(title).locator('.u-over').count()) === 1);
  await until('with its lines', async () =>
    (await panel('Memory').locator('.readout .label').allInnerTexts()).join() === 'everybody,lagd');
  check(/\d%|\d %|\d/.test(await panel('Processors').locator('.readout').innerText()), 'processors have a value');
  await page().click('.chips button:text-is("2 days")');
  check(page().url().includes('span=2d'), page().url());
  const asked = page().waitForRequest((request) => /system\/series.*from=\d+&to=\d+/.test(request.url()));
  const box = await panel('Memory').locator('.u-over').boundingBox();
  await page().mouse.move(box.x + box.width * 0.6, box.y + 60);
  await page().mouse.down();
  await page().mouse.move(box.x + box.width * 0.9, box.y + 61, { steps: 4 });
  await page().mouse.up();
  await asked;
  await until('the zoom is in the address', () => /from=\d+&to=\d+/.test(page().url()));
  await panel('Memory').locator('.u-over').dblclick();
  await until('and leaves it', () => !/from=/.test(page().url()));
}

async function itCanBeReadAnywhere() {
  if (pictures) mkdirSync(pictures, { recursive: true });
  for (const theme of ['light', 'dark']) {
    for (const width of [1600, 900, 390]) {
      const other = await browse(daemon.origin, { theme, width });
      await other.open('#/machine');
      await until('it is drawn', async () => (await other.page.locator('.u-over').count()) >= 3);
      const found = await axe(other.page);
      check(found.length === 0, JSON.stringify(found));
      const wide = await other.page.evaluate(() => document.documentElement.scrollWidth > window.innerWidth);
      check(!wide, `the page is wider than ${width}`);
      if (pictures)
        await other.page.screenshot({ path: join(pictures, `machine-${theme}-${width}.png`), fullPage: true });
      check(other.faults.length === 0, other.faults.join('\n'));
      await other.context.close();
    }
  }
  check(browser.faults.length === 0, browser.faults.join('\n'));
}

await main([nothingIsKeptYet, itIsDrawn, itCanBeReadAnywhere]);
