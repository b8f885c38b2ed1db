// README's picture: the page of the demo's growth, by a real browser. ./dev picture calls it.
// picture.mjs SOURCE LAGD STATE_DIRECTORY FILE.png
import { writeFileSync } from 'node:fs';
import { browse, check, Daemon, main, sleep, until } from './harness.mjs';

const [state, file] = process.argv.slice(4);
const EARLY = 32; // where the line is: at the left end it would lie on the axis

async function takePicture() {
  const daemon = new Daemon();
  daemon.state = state;
  await daemon.start();
  const [growth] = (await daemon.get('/runs/demo/growths')).items;
  check(growth?.state === 'applied', `the demo in ${state} has not grown: ${growth?.state}`);
  const { page, context, faults, open } = await browse(daemon.origin);
  const session = await context.newCDPSession(page);
  await session.send('Emulation.setDeviceMetricsOverride',
    { width: 1400, height: 1130, deviceScaleFactor: 0.75, mobile: false });
  await open(`#/growths/${growth.id}?k=${EARLY}&near=true&logy=false`);
  await until('the ranks are there', async () => await page.locator('.rank-name').count() > 0);
  await until('the line is early',
    async () => Number(await page.locator('.decide-line').getAttribute('aria-valuenow')) <= EARLY);
  await until('the notes are gone', async () => await page.locator('.toast').count() === 0);
  await sleep(800);
  const { data } = await session.send('Page.captureScreenshot', { format: 'png', optimizeForSpeed: false });
  check(faults.length === 0, faults.join('\n'));
  writeFileSync(file, Buffer.from(data, 'base64'));
  await daemon.stop();
}

main([takePicture]);
