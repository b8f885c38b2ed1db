// A real lagd and a real Chromium for the tests of the dashboard. Every page is watched: a violation of the content
// security policy, an error, or a request to anywhere else fails the test.
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export const [source, lagd] = process.argv.slice(2);
const require = createRequire(join(source, 'web/package.json'));
const { chromium } = require('playwright-core');
const AXE = readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');
const FLAGS = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync', '--disable-dev-shm-usage'];
const TEXT_BYTES = 60000;

export const folder = mkdtempSync(join(tmpdir(), 'lagd-web-'));
const cleanups = [];
export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

export function check(truth, text) {
  if (!truth) throw new Error(text);
}

export async function until(what, condition, timeout_ms = 60000) {
  const end = Date.now() + timeout_ms;
  for (;;) {
    const value = await condition();
    if (value) return value;
    if (Date.now() > end) throw new Error(`after ${timeout_ms / 1000} s still not: ${what}`);
    await sleep(50);
  }
}

/** One state directory; start and stop as often as you like, on the same port. */
export class Daemon {
  constructor(name = 'state', environment = {}) {
    this.environment = environment;
    this.state = join(folder, name);
    this.log = join(folder, `${name}.log`);
    this.port = 0;
    cleanups.push(() => this.process?.kill('SIGKILL'));
  }

  async start() {
    const log = openSync(this.log, 'a');
    this.process = spawn(lagd, ['--state-dir', this.state, '--listen', `127.0.0.1:${this.port}`, '--socket',
      `${this.state}.sock`],
      { stdio: ['ignore', log, log], env: { ...process.env, ...this.environment } });
    this.ended = new Promise((resolve) => this.process.on('exit', resolve));
    const port = () => [...readFileSync(this.log, 'utf8')
      .matchAll(/listening on http:\/\/127\.0\.0\.1:(\d+)/g)].pop()?.[1];
    await until('lagd listens', async () => {
      check(this.process.exitCode === null, `lagd ended at its start:\n${readFileSync(this.log, 'utf8')}`);
      if (!port()) return false;
      this.port = Number(port());
      return fetch(`${this.origin}/readyz`).then((r) => r.ok, () => false);
    });
    return this;
  }

  get origin() {
    return `http://127.0.0.1:${this.port}`;
  }

  async stop(signal = 'SIGTERM') {
    this.process.kill(signal);
    await this.ended;
  }

  async call(method, path, body, type = 'application/json') {
    const response = await fetch(`${this.origin}/api/v1${path}`,
      { method, body: body === undefined || typeof body === 'string' ? body : JSON.stringify(body),
      headers: body === undefined ? {} : { 'Content-Type': type } });
    const answer = await response.json();
    check(response.ok, `${method} ${path}: ${JSON.stringify(answer)}`);
    return answer;
  }

  get(path) {
    return this.call('GET', path);
  }

  post(path, body = {}) {
    return this.call('POST', path, body);
  }

  upload(name) {
    return this.call('POST', `/datasets?name=${name}`, text(TEXT_BYTES), 'text/plain');
  }
}

/** Made-up English, the same every time. */
function text(n) {
  let state = 7, out = '';
  const pick = (list) => {
    state = (state * 1103515245 + 12345) % 2147483648;
    return list[Math.floor(state / 65536) % list.length];
  };
  while (out.length < n) {
    out += `And ${pick(['the king', 'a shepherd', 'the old man', 'his daughter', 'the river'])} `
      + `${pick(['went up to', 'spoke unto', 'looked upon', 'forgot'])} `
      + `${pick(['the mountain', 'the city', 'the people', 'a great house'])}`
      + `${pick(['.\n', ', and was glad.\n', '; and it was so.\n'])}`;
  }
  return out.slice(0, n);
}

export const runBody = (name, more = {}) => ({ name, dataset: 'words', seed: 11,
  model: { n_layer: 3, n_head: 2, n_embd: 32, n_positions: 32 }, optim: { lr: 0.003 },
  schedule: { warmup_steps: 10, max_steps: 400 },
  batch: { sequences: 4 }, eval: { every_steps: 20, batches: 2 }, checkpoint: { every_steps: 100 }, ...more });

/** A browser with an empty profile; faults collects what must not happen on any of its pages. */
export async function browse(origin, { theme = 'light', width = 1400, height = 900 } = {}) {
  const context = await chromium.launchPersistentContext(mkdtempSync(join(folder, 'profile-')),
    { executablePath: '/usr/bin/chromium', headless: true, args: FLAGS, viewport: { width, height }, colorScheme: theme,
    permissions: ['clipboard-read', 'clipboard-write'] });
  cleanups.push(() => context.close());
  const page = await context.newPage(), faults = [];
  let expectFailures = false;
  page.on('console', (message) => {
    if (message.type() !== 'error' && !/content security policy/i.test(message.text())) return;
    if (/Failed to load resource/.test(message.text())) return; // told below, with its address
    faults.push(`console: ${message.text()}`);
  });
  page.on('pageerror', (error) => faults.push(`error: ${error.message}\n${error.stack}`));
  page.on('response', (response) => {
    if (response.status() >= 400 && !expectFailures)
      faults.push(`${response.status()} for ${response.request().method()} ${response.url()}`);
  });
  page.on('requestfailed', (request) => {
    const why = request.failure()?.errorText ?? '';
    if (!expectFailures && !/ERR_ABORTED/.test(why)) faults.push(`${why} for ${request.url()}`);
  });
  page.on('request', (request) => {
    if (!request.url().startsWith(origin) && !/^(data|blob):/.test(request.url()))
      faults.push(`a request to ${request.url()}`);
  });
  page.setDefaultTimeout(30000);
  return { page, context, faults, failuresAreExpected: (truth) => { expectFailures = truth; },
    open: async (hash) => {
      await page.goto(`${origin}/${hash}`);
      await page.waitForSelector('main > *');
    } };
}

/** What axe finds, of any impact. axe itself is injected outside of the page's policy, by the
 * debugger. */
export async function axe(page) {
  await page.evaluate(AXE + ';0');
  const result = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ['violations'] }));
  return result.violations.map((one) => ({ id: one.id, impact: one.impact,
    nodes: one.nodes.map((node) => `${node.target} ${node.failureSummary ?? ''}`) }));
}

/** Pages as [name, hash, what is there once it is drawn], in both themes: none is wider than its window, axe finds
 * nothing serious, and nothing goes wrong. pictures: a folder for screenshots, or nothing. */
export async function areForEveryone(origin, pages, { widths = [1400, 390], pictures } = {}) {
  const serious = [];
  if (pictures) mkdirSync(pictures, { recursive: true });
  for (const theme of ['light', 'dark']) {
    for (const width of widths) {
      const other = await browse(origin, { theme, width });
      for (const [name, hash, there] of pages) {
        await other.open(hash);
        await other.page.waitForSelector(there);
        const wide = await other.page.evaluate('document.documentElement.scrollWidth > innerWidth');
        check(!wide, `${name} is wider than ${width}`);
        if (pictures)
          await other.page.screenshot({ path: join(pictures, `${name}-${theme}-${width}.png`), fullPage: true });
        for (const one of await axe(other.page))
          if (['serious', 'critical'].includes(one.impact)) serious.push({ name, theme, width, ...one });
      }
      check(other.faults.length === 0, other.faults.join('\n'));
      await other.context.close();
    }
  }
  check(serious.length === 0, JSON.stringify(serious, null, 1));
}

export async function main(cases) {
  let failed = 0;
  for (const one of cases) {
    const begin = Date.now();
    try {
      await one();
      console.log(`ok      ${one.name}  ${((Date.now() - begin) / 1000).toFixed(1)} s`);
    } catch (error) {
      failed++;
      console.log(`FAILED  ${one.name}\n${error.stack}`);
      break; // the cases go on from one another
    }
  }
  for (const cleanup of cleanups.reverse()) {
    try {
      await cleanup();
    } catch {
      // it is gone already
    }
  }
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  process.exit(failed ? 1 : 0);
}
