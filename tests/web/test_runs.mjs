// Runs in a table: found as one types, filtered, sorted, ticked and paused together; ten thousand of them; who waits
// for a decision is first, and in the title; all in the address and in place after Back.
import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { axe, browse, check, Daemon, main, runBody, source, until } from './harness.mjs';

const pictures = process.env.LAGD_PICTURES; // a folder for screenshots
const N = 10000;
const daemon = new Daemon();
let browser;

const page = () => browser.page;
const cells = () => page().locator('.runs tbody tr:not(.gap) td:nth-child(2)').allInnerTexts();
const shows = (what, names) => until(what, async () => JSON.stringify(await cells()) === JSON.stringify(names));

async function aFewRuns() {
  await daemon.start();
  await daemon.upload('words');
  for (const [name, tags, steps] of [['alpha', ['seeds'], 40], ['beta', ['seeds', 'wide'], 60], ['gamma', [], 20]]) {
    await daemon.post('/runs', runBody(name, { tags, schedule: { warmup_steps: 10, max_steps: steps } }));
    await until(`${name} is completed`, async () => (await daemon.get(`/runs/${name}`)).state === 'completed');
  }
  await daemon.post('/runs', runBody('later', { start: false, note: 'the second try' }));
  browser = await browse(daemon.origin);
  await browser.open('#/runs');
  await shows('the newest is first', ['later', 'gamma', 'beta', 'alpha']);
}

async function theyAreFound() {
  await page().fill('input[type=search]', 'SECOND try');
  await shows('what is typed is found', ['later']);
  check(new URL(page().url()).hash.includes('q=SECOND'), page().url());
  await page().fill('input[type=search]', 'nothing of the kind');
  await until('nothing is told', async () =>
    (await page().locator('main').innerText()).includes('No run is like that'));
  await page().fill('input[type=search]', '');
  await page().click('.runs thead button:text-is("Name")');
  await shows('the names rise', ['alpha', 'beta', 'gamma', 'later']);
  await page().click('.runs thead button:has-text("Name")');
  await shows('the names fall', ['later', 'gamma', 'beta', 'alpha']);
  await page().click('.runs thead button:text-is("Step")');
  await shows('most steps first', ['beta', 'alpha', 'gamma', 'later']);
  await page().click('.runs .run-tag:text-is("wide")');
  await shows('of a tag', ['beta']);
  await page().click('.chips button:has-text("tag wide")');
  await page().click('.chips button:text-is("paused")');
  await shows('of a state', ['later']);
  await page().reload();
  await shows('the address says it all', ['later']);
  await page().click('.chips button:text-is("paused")');
  await page().click('.chips button:text-is("groups by tag")');
  const groups = await page().locator('.groups tbody tr').allInnerTexts();
  check(groups.length === 2 && groups[0].startsWith('seeds\t2\t'), JSON.stringify(groups));
  await page().click('.chips button:text-is("groups by tag")');
}

async function theTickedAreAsked() {
  await daemon.post('/runs', runBody('long', { schedule: { max_steps: 1000000 } }));
  await until('it is listed', async () => (await cells()).includes('long'));
  for (const name of ['long', 'alpha']) await page().check(`input[aria-label="Tick ${name}"]`);
  await page().click('.bulk button:text-is("Pause")');
  await until('it is paused', async () => (await daemon.get('/runs/long')).state === 'paused');
  await until('the other is told', async () => (await page().locator('#toasts').innerText()).includes('alpha'));
  await page().click('.bulk button:text-is("Untick")');
  await page().check('input[aria-label="Tick long"]');
  await page().click('.bulk button:text-is("Cancel …")');
  await page().click('dialog button:text-is("End it")');
  await until('it is cancelled', async () => (await daemon.get('/runs/long')).state === 'cancelled');
}

const head = () => page().locator('.runs thead th').allInnerTexts();

async function columnsAreChosen() {
  await browser.open('#/runs');
  check(!(await head()).includes('Seed'), 'the usual columns');
  await page().click('summary:text-is("Columns")');
  await page().check('.columns-chosen input[value=seed]');
  await page().check('.columns-chosen input[value=note]');
  await page().uncheck('.columns-chosen input[value=flops]');
  check((await head()).includes('Seed') && !(await head()).includes('FLOPs'), JSON.stringify(await head()));
  await page().reload();
  await until('they are there the next time', async () => (await head()).includes('Seed'));
  await browser.open('#/runs?cols=name,train');
  await until('a link says which', async () => (await head()).join() === ',Name,Train loss');
  await browser.open('#/runs?cols=name,tags,note');
  await until('and others', async () => (await head()).join() === ',Name,Tags,Note');
}

async function tagsAndNotesAreEditedInPlace() {
  await page().click('button[aria-label="Edit tags of gamma"]');
  await page().fill('input[aria-label="tags of gamma"]', 'fresh, deep');
  await daemon.post('/runs', runBody('between', { start: false })); // the list changes meanwhile
  await until('it is told of', async () => (await daemon.get('/runs?q=between')).items.length === 1);
  check(await page().inputValue('input[aria-label="tags of gamma"]') === 'fresh, deep', 'what is written stays');
  await page().keyboard.press('Enter');
  await until('the tags are kept', async () => (await daemon.get('/runs/gamma')).tags.join() === 'fresh,deep');
  await until('and shown', async () => (await page().locator('.run-tag:text-is("fresh")').count()) === 1);
  await page().click('button[aria-label="Edit note of gamma"]');
  await page().keyboard.type('not this');
  await page().keyboard.press('Escape');
  check((await daemon.get('/runs/gamma')).note === '', 'Escape leaves it');
  await browser.open('#/runs/gamma');
  await page().click('button[aria-label="Edit note of gamma"]');
  await page().keyboard.type('looked at');
  await page().click('.editable button:text-is("Keep")');
  await until('the note is kept', async () => (await daemon.get('/runs/gamma')).note === 'looked at');
  await until('and shown there', async () => (await page().locator('.fact .editable').allInnerTexts()).join()
    .includes('looked at'));
  await page().evaluate(() => localStorage.clear());
  await daemon.call('DELETE', '/runs/between').catch(() => {});
  await browser.open('#/runs');
}

async function whoWaitsIsFirst() {
  await daemon.post('/runs', runBody('grows', { start: false }));
  await daemon.post('/runs', runBody('newest', { start: false }));
  await daemon.post('/runs/grows/growths', { target: { n_layer: 6 }, mode: 'manual', pool: ['stack', 'interleave'],
    probe: { steps: 4, eval_every: 2, eval_batches: 2 } });
  await daemon.post('/runs/grows/resume');
  await until('the title tells', async () => (await page().title()).startsWith('(1) '));
  await browser.open('#/runs?waiting_for=approval');
  await shows('it is found', ['grows']);
  await browser.open('#/');
  await until('it is the first card', async () => (await page().locator('.card h3').first().innerText()) === 'grows');
  await page().click('.card.waits a:text-is("Decide")');
  await page().waitForURL(/#\/growths\//);
  await page().click('button:has-text("Approve")');
  await until('the title forgets', async () => !(await page().title()).startsWith('('));
}

/** Asked for by a button; each event is told once, with the name of its run. */
async function theBrowserTells() {
  await page().addInitScript(() => {
    window.told = [];
    window.Notification = class {
      static permission = 'default';
      static async requestPermission() {
        this.permission = 'granted';
        return 'granted';
      }
      constructor(title, options) {
        window.told.push([title, options.tag]);
      }
    };
  });
  await browser.open('#/runs');
  await page().reload();
  await until('it is live', async () => (await page().locator('#bar .light').innerText()).startsWith('live'));
  await page().click('button:text-is("Notify me")');
  await until('it says so', async () => await page().locator('button:text-is("Notifying")').count() === 1);
  await daemon.post('/runs', runBody('tells', { schedule: { warmup_steps: 0, max_steps: 2 } }));
  const told = () => page().evaluate(() => window.told);
  const ofIt = async () => (await told()).map(([title]) => title).filter((title) => title.includes('tells'));
  await until('its end is told', async () => (await ofIt()).length > 0);
  check(JSON.stringify(await ofIt()) === '["Run tells is completed"]', JSON.stringify(await told()));
  const tags = (await told()).map(([, tag]) => tag);
  check(new Set(tags).size === tags.length, JSON.stringify(tags));
  await page().click('button:text-is("Notifying")');
}

async function tenThousand() {
  browser.failuresAreExpected(true);
  await daemon.stop();
  execFileSync('/usr/bin/python3', [join(source, 'tests/web/make_runs.py'), daemon.state, String(N)]);
  await daemon.start();
  await browser.open('#/runs?sort=name');
  browser.failuresAreExpected(false);
  await until('the first is there', async () => (await cells())[0] === 'alpha');
  const n = await page().locator('.runs tbody tr').count();
  check(n < 120, `${n} rows are drawn`);
  await page().fill('input[type=search]', 'run-07777');
  await shows('one of ten thousand is found', ['run-07777']);
  await page().fill('input[type=search]', '');
  await until('all are there again', async () => (await cells())[0] === 'alpha');
  const scroller = page().locator('.scroll:has(> .runs)');
  for (let i = 1; i <= 4; i++) {
    await scroller.evaluate((one) => { one.scrollTop = one.scrollHeight; });
    await until('more comes', async () => Number((await page().locator('p[role=status]').last().innerText())
      .replace(/\D/g, '')) > 200 * i);
  }
  await scroller.evaluate((one) => { one.scrollTop = 300 * 34; });
  await until('far rows are drawn', async () => (await cells()).some((name) => name.startsWith('run-003')));
  const there = (await cells())[20];
  await page().click(`.runs a:text-is("${there}")`);
  await page().waitForURL(/#\/runs\/run-/);
  await page().goBack();
  await until('Back leads to the same place', async () => (await cells()).includes(there));
}

/** The list is read again while its next pages come: whichever answer is last, no row is left out. */
async function noneIsLeftOut() {
  await browser.open('#/runs?sort=name&q=run-0');
  const scroller = page().locator('.scroll:has(> .runs)');
  await until('the first is there', async () => { // not where the page before was left
    await scroller.evaluate((one) => { one.scrollTop = 0; });
    return (await cells())[0] === 'run-00000';
  });
  const listed = async () => Number((await page().locator('p[role=status]').last().innerText()).replace(/\D/g, ''));
  const toTheEnd = () => scroller.evaluate((one) => { one.scrollTop = one.scrollHeight; });
  const held = { all: [], third: [] };
  let holds = true;
  await page().route(/\/api\/v1\/runs\?.*sort=name/, async (route) => {
    const isPage = route.request().url().includes('cursor=');
    if (!holds) await route.continue();
    else if (!isPage) held.all.push(route);
    else if (await listed() >= 400) held.third.push(route);
    else await route.continue();
  });
  await daemon.post('/runs', runBody('zzz', { start: false }));
  await until('all is asked again', async () => held.all.length > 0);
  for (let i = 0; i < 20 && !held.third.length; i++) {
    await toTheEnd();
    await page().waitForTimeout(50);
  }
  const answered = page().waitForResponse((response) => /\/runs\?.*sort=name/.test(response.url())
    && !response.url().includes('cursor='));
  holds = false;
  for (const route of held.all.splice(0)) await route.continue();
  await answered;
  await page().waitForTimeout(300);
  for (const route of held.third.splice(0)) await route.continue();
  await page().unroute(/\/api\/v1\/runs\?.*sort=name/);
  for (let n = 400; n <= 600; n += 200) {
    await until('more comes', async () => { await toTheEnd(); return await listed() > n; });
  }
  await scroller.evaluate((one) => { one.scrollTop = 295 * 34; });
  await until('none is left out', async () => {
    const names = (await cells()).map((name) => Number(name.slice(4)));
    return names.includes(300) && names.every((n, i) => !i || n === names[i - 1] + 1);
  });
}

async function itCanBeReadAnywhere() {
  if (pictures) mkdirSync(pictures, { recursive: true });
  for (const theme of ['light', 'dark']) {
    for (const width of [1400, 768, 390]) {
      const other = await browse(daemon.origin, { theme, width });
      await other.open('#/runs?group=tag');
      await until('the rows are there', async () => (await other.page.locator('.runs tbody tr').count()) > 5);
      const found = await axe(other.page);
      check(found.length === 0, JSON.stringify(found));
      const wide = await other.page.evaluate(() => document.documentElement.scrollWidth > window.innerWidth);
      check(!wide, `the page is wider than ${width}`);
      if (pictures) await other.page.screenshot({ path: join(pictures, `runs-${theme}-${width}.png`) });
      check(other.faults.length === 0, other.faults.join('\n'));
      await other.context.close();
    }
  }
  check(browser.faults.length === 0, browser.faults.join('\n'));
}

await main([aFewRuns, theyAreFound, theTickedAreAsked, columnsAreChosen, tagsAndNotesAreEditedInPlace,
  whoWaitsIsFirst, theBrowserTells, tenThousand, noneIsLeftOut, itCanBeReadAnywhere]);
