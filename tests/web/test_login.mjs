// A daemon with a token: a page of its own asks for it, says when it is wrong, and leads to where one wanted to go.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { axe, browse, check, Daemon, folder, main, until } from './harness.mjs';

const pictures = process.env.LAGD_PICTURES; // a folder for screenshots
const TOKEN = 'a-long-enough-token-for-tests-0123456789', NEW = 'quite-another-token-for-tests-9876543210';
const file = join(folder, 'token');
let daemon, browser;

const page = () => browser.page;
const light = () => page().locator('#bar .light').innerText();
const hash = () => decodeURIComponent(new URL(page().url()).hash);
const fault = () => page().locator('#login-fault').innerText();
const field = () => page().getByLabel('Token', { exact: true }).and(page().locator('input'));

async function enter(token) {
  await field().fill(token);
  await page().click('.login button');
}

async function aPageAsksForTheToken() {
  writeFileSync(file, `${TOKEN}\n`, { mode: 0o600 });
  daemon = await new Daemon('guarded', { LAGD_AUTH_TOKEN_FILE: file }).start();
  browser = await browse(daemon.origin);
  browser.failuresAreExpected(true);
  await page().goto(`${daemon.origin}/#/runs?sort=name&q=some`);
  await page().waitForSelector('.login');
  check(hash() === '#/login?to=/runs?sort=name&q=some', hash());
  await until('the light asks for it', async () => (await light()) === 'token needed');
  check(await page().locator('nav').isHidden(), 'there is nothing to see yet');
  check(await field().evaluate((one) => one === document.activeElement), 'one can type at once');
  const told = await page().evaluate(() => ['password', 'username'].map((name) =>
    document.querySelector(`.login input[name=${name}]`).autocomplete));
  check(told.join() === 'current-password,username', `a password manager can keep it: ${told}`);
  check(await page().title() === 'Token – lagd', await page().title());
}

async function aWrongOneIsTold() {
  for (const wrong of ['another-long-enough-token-0123456789', 'with a space', 'ümlaut']) {
    await enter(wrong);
    await until('a wrong one is told', async () => (await fault()).startsWith('Wrong token'));
    check(await field().getAttribute('aria-invalid') === 'true', 'the field says so');
    check(await field().evaluate((one) => one === document.activeElement), 'and can be mended');
    check(hash() === '#/login?to=/runs?sort=name&q=some', hash());
    await field().fill('x');
    check(await fault() === '', 'until somebody types');
  }
}

async function itCanBeReadAnywhere() {
  if (pictures) mkdirSync(pictures, { recursive: true });
  await enter('another-long-enough-token-0123456789');
  await until('a wrong one is told', async () => (await fault()).startsWith('Wrong token'));
  for (const theme of ['light', 'dark']) {
    await page().emulateMedia({ colorScheme: theme });
    for (const width of [1400, 768, 390]) {
      await page().setViewportSize({ width, height: 800 });
      const found = (await axe(page())).filter((one) => /serious|critical/.test(one.impact));
      check(found.length === 0, JSON.stringify(found));
      check(await page().evaluate(() => document.documentElement.scrollWidth <= window.innerWidth), `wide at ${width}`);
      if (pictures) await page().screenshot({ path: join(pictures, `login-${theme}-${width}.png`) });
    }
  }
}

async function theRightOneLeadsOn() {
  await enter(`  ${TOKEN}\n`);
  await page().waitForURL(/#\/runs\?/);
  check(hash() === '#/runs?sort=name&q=some', hash());
  await until('the stream has it too', async () => (await light()) === 'live');
  check(await page().locator('nav').isVisible(), 'the pages are there');
  await page().reload();
  await until('this tab keeps it', async () => (await light()) === 'live');
  await browser.open('#/login?to=/datasets');
  await page().waitForURL(/#\/datasets/); // nobody is asked twice
  await page().goBack();
  check(!hash().includes('login'), `Back leads to no login: ${hash()}`);
}

async function linksCarryIt() {
  await page().evaluate(() => {
    const link = document.createElement('a');
    Object.assign(link, { href: '/api/v1/runs', download: 'runs.json', id: 'take', textContent: 'take' });
    document.querySelector('main').append(link);
  });
  const [saved] = await Promise.all([page().waitForEvent('download'), page().click('#take')]);
  check(saved.suggestedFilename() === 'runs.json', saved.suggestedFilename());
  const text = readFileSync(await saved.path(), 'utf8');
  check(JSON.parse(text).items.length === 0, `a link carries the token: ${text}`);
  await until('it is told', async () => (await page().locator('#toasts').innerText()).includes('runs.json is saved'));
  let go;
  const held = new Promise((resolve) => { go = resolve; });
  await page().route(/api\/v1\/datasets$/, async (route) => { await held; await route.continue().catch(() => {}); });
  await page().evaluate(() => { document.getElementById('take').href = '/api/v1/datasets'; });
  await page().click('#take');
  await until('a bar stands there meanwhile', async () => (await page().locator('.fetching progress').count()) === 1);
  await page().click('.fetching button');
  await until('which ends with it', async () => (await page().locator('.fetching').count()) === 0);
  go();
  await page().unroute(/api\/v1\/datasets$/);
}

async function aChangedOneIsAskedForAgain() {
  await browser.open('#/models');
  await daemon.stop();
  writeFileSync(file, `${NEW}\n`, { mode: 0o600 });
  await daemon.start();
  await page().reload();
  await until('it is told that it changed', async () => (await page().locator('.login').count()) === 1
    && (await fault()).includes('changed meanwhile'));
  await enter(NEW);
  await page().waitForURL(/#\/models$/);
  await until('it is live', async () => (await light()) === 'live');
  for (const elsewhere of ['https://example.org/', '//example.org', '/login?to=/login']) {
    await browser.open('#/datasets');
    await browser.open(`#/login?to=${encodeURIComponent(elsewhere)}`);
    await until('one lands on the overview, not elsewhere', () => hash() === '#/' || hash() === '');
  }
  check(browser.faults.length === 0, browser.faults.join('\n'));
}

await main([aPageAsksForTheToken, aWrongOneIsTold, itCanBeReadAnywhere, theRightOneLeadsOn, linksCarryIt,
  aChangedOneIsAskedForAgain]);
