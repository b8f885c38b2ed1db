// Charts: what they make of numbers (range, mean, smoothing, names at the ends, styles), and what one does with them:
// zoom in y, outliers, what a zoom keeps, names and values under the cursor, pictures and numbers to take away.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { browse, check, Daemon, main, runBody, source, until } from './harness.mjs';

const POINTS = 20000;
const daemon = new Daemon();
let browser;

const page = () => browser.page;
const texts = (selector) => page().locator(selector).allInnerTexts();
const hash = () => decodeURIComponent(new URL(page().url()).hash);
const near = (a, b, tolerance = 1e-9) => Math.abs(a - b) <= tolerance * Math.max(1, Math.abs(b));

async function aLongRun() {
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
  browser = await browse(daemon.origin);
  await browser.open('#/datasets');
}

async function theRangeIsOfWhatMatters() {
  const told = await page().evaluate(async () => {
    const { inSight, region } = await import('/ui/charts/region.js');
    const flat = Array.from({ length: 200 }, (_, i) => 2 + (i % 10) / 10);
    const spiked = flat.with(7, 50).with(90, 60);
    return { spiked: region([spiked]), flat: region([flat]), empty: region([[]]), few: region([[1, 2, 100]]),
      two: region([flat, flat.map((y) => y + 100)]), log: region([spiked], [], true),
      beside: region([flat], [flat.with(5, 40)]),
      seen: [[3, 7], [4.5, 4.75], [8, 12]].map((span) => inSight([0, 2, 4, 5, 6, 8], [1, null, 5, 7, NaN, -1], span)
        .map((y) => Number(y.toFixed(6)))) };
  });
  const is = (one, range, outside) => check(JSON.stringify([one.range, one.outside])
    === JSON.stringify([range, outside]), JSON.stringify(one));
  is(told.flat, [2, 2.9], 0);
  is(told.empty, null, 0);
  check(told.spiked.outside === 2 && told.spiked.range[1] < 6 && told.spiked.whole[1] === 60,
    JSON.stringify(told.spiked));
  check(JSON.stringify(told.seen) === '[[4,5,7,1.666667],[6,6.5],[-1]]', JSON.stringify(told.seen));
  is(told.few, [1, 100], 0); // so few are all shown
  is(told.two, [2, 102.9], 0); // a line that lies elsewhere is not an outlier of another
  check(told.log.outside === 2 && told.log.range[1] < 10, JSON.stringify(told.log));
  check(told.beside.outside === 1 && told.beside.range[1] < 6, JSON.stringify(told.beside));
}

async function seedsBecomeAMean() {
  const told = await page().evaluate(async () => {
    const { meanOf, places, spread } = await import('/ui/charts/merge.js');
    const curves = [{ x: [0, 10, 20], y: [4, 2, null] }, { x: [0, 5, 10, 15], y: [6, 5, 4, 3] }, { x: [], y: [] }];
    return { mean: meanOf(curves), places: [...places(curves)], spread: spread(curves[1], [0, 1, 10, 15, 20]) };
  });
  const { mean } = told;
  check(JSON.stringify(mean.x) === '[0,5,10]', JSON.stringify(mean)); // as far as both have points
  check(JSON.stringify(mean.mean) === '[5,4,3]' && mean.n === 2, JSON.stringify(mean));
  check(near(mean.high[0] - 5, Math.SQRT2) && near(5 - mean.low[0], Math.SQRT2), JSON.stringify(mean));
  check(JSON.stringify(told.places) === '[0,5,10,15,20]', JSON.stringify(told.places));
  check(JSON.stringify(told.spread) === '[6,null,4,3,null]', JSON.stringify(told.spread));
}

async function bytesAreToldAsTheDaemonDoes() {
  const told = await page().evaluate(async () => {
    const { bytes } = await import('/ui/format.js');
    return [0, 1023, 1024, 1536, 99.96 * 1024, 184549376, 3 * 2 ** 40, null, NaN].map(bytes);
  });
  check(told.join().replaceAll('\u202f', ' ') === '0 B,1023 B,1.0 KiB,1.5 KiB,100 KiB,176 MiB,3.0 TiB,–,–',
    told.join());
}

async function piecesOfALineMakeItWhole() {
  const told = await page().evaluate(async () => {
    const { inPieces, pieces } = await import('/ui/charts/strokes.js');
    const values = Array.from({ length: 500 }, (_, i) => (i % 3 === 0 ? i : null));
    return { solid: pieces(values, 3, 499, 2), dashed: pieces(values, 3, 499, 1), few: pieces([1, null, 2], 0, 2, 2),
      faint: [{ width: 2, alpha: 0.4 }, { width: 1 }, { width: 2 }, {}].map(inPieces) };
  });
  const wanted = Array.from({ length: 166 }, (_, i) => 3 + 3 * i).join();
  for (const [list, shared] of [[told.solid, 2], [told.dashed, 1]]) {
    check(list.length > 3, JSON.stringify(list));
    list.slice(1).forEach((piece, i) => check(piece.slice(0, shared).join() === list[i].slice(-shared).join(),
      JSON.stringify(list))); // each begins where the one before ends
    check([...list[0], ...list.slice(1).flatMap((piece) => piece.slice(shared))].join() === wanted,
      JSON.stringify(list));
  }
  check(JSON.stringify(told.few) === '[[0,2]]', JSON.stringify(told.few));
  check(JSON.stringify(told.faint) === '[false,false,true,true]', JSON.stringify(told.faint));
}

async function namesAtTheEndsLieApart() {
  const told = await page().evaluate(async () => {
    const { apart } = await import('/ui/charts/ends.js');
    const at = (ys) => apart(ys.map((y) => ({ y })), 0, 100, 13).map((one) => one.at);
    return { free: at([10, 50, 90]), close: at([48, 50, 52]), low: at([97, 99, 100]), many: at([...Array(40).keys()]) };
  });
  check(JSON.stringify(told.free) === '[10,50,90]', JSON.stringify(told.free));
  for (const list of Object.values(told)) {
    check(list.every((y, i) => i === 0 || y - list[i - 1] >= 13 - 1e-9), JSON.stringify(list));
    check(list.every((y) => y >= 0 && y <= 100), JSON.stringify(list));
  }
  check(told.many.length === 8, JSON.stringify(told.many));
}

// Matrices of Machado, Oliveira and Fernandes (2009) at full severity, for linear RGB.
const SIGHTS = { usual: [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
  protanopia: [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
  deuteranopia: [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]] };
const TO_XYZ = [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.072175], [0.0193339, 0.119192, 0.9503041]];
const LEAST = 14; // CIE76; 2.3 is just noticeable side by side

const times = (matrix, v) => matrix.map((row) => row.reduce((sum, x, i) => sum + x * v[i], 0));
const linear = (hex) => [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16) / 255)
  .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));

function lab(rgb) {
  const [x, y, z] = times(TO_XYZ, rgb.map((c) => Math.min(1, Math.max(0, c))))
    .map((t, i) => t / [0.95047, 1, 1.08883][i])
    .map((t) => (t > 216 / 24389 ? Math.cbrt(t) : ((24389 / 27) * t + 16) / 116));
  return [116 * y - 16, 500 * (x - y), 200 * (y - z)];
}

async function stylesStayApartForEveryEye() {
  const { palettes, dashes } = await page().evaluate(async () => {
    const theme = await import('/ui/theme.js');
    return { palettes: theme.palettes, dashes: Array.from({ length: theme.N_STYLES }, (_, i) => theme.dash(i)) };
  });
  check(dashes.length >= 16, `${dashes.length} styles`);
  for (const [name, colours] of Object.entries(palettes)) {
    for (const [sight, matrix] of Object.entries(SIGHTS)) {
      const seen = colours.map((hex) => lab(times(matrix, linear(hex))));
      for (let i = 0; i < dashes.length; i++) {
        for (let j = 0; j < i; j++) {
          if (JSON.stringify(dashes[i]) !== JSON.stringify(dashes[j])) continue;
          const [a, b] = [i, j].map((one) => seen[one % colours.length]);
          const distance = Math.hypot(...a.map((v, k) => v - b[k]));
          check(distance >= LEAST, `styles ${i} and ${j} of ${name}: ${distance.toFixed(1)} by ${sight}`);
        }
      }
    }
  }
}

/** Of a run's chart, as it draws: what CSV gives of it. */
async function csv() {
  const [file] = await Promise.all([page().waitForEvent('download'),
    page().click('.chart-tools button:text-is("CSV") >> nth=0')]);
  const lines = readFileSync(await file.path(), 'utf8').trim().split('\n')
    .map((line) => line.match(/("[^"]*"|[^,]*)(,|$)/g).slice(0, -1).map((cell) => cell.replace(/[",]+$|^"/g, '')));
  return lines.slice(1).map((cells) => Object.fromEntries(lines[0].map((name, i) => [name,
    (cells[i] ?? '') === '' ? null : Number(cells[i])])));
}

async function aZoomKeepsWhatThereIs() {
  await browser.open('#/runs/long?smooth=0.98');
  await page().waitForSelector('.readout .item');
  let whole = []; // the chart of the case before may still be there
  await until('the average is drawn', async () => {
    whole = await csv();
    return whole.some((row) => 'training, smoothed' in row);
  });
  await browser.open('#/runs/long?from=10040&to=10060&smooth=0.98'); // no evaluation lies in it
  await page().waitForSelector('button.reset:visible');
  let rows = []; // thinned ones of the whole are there before those of each step
  await until('each step is drawn', async () => {
    rows = await csv();
    return rows.length === 21 && rows[0].step === 10040;
  });
  check(rows.every((row) => row.validation === null), 'it has points of its own');
  const inked = () => page().locator('.plot canvas').first().evaluate((canvas) => { // the validation's colour, c44e00
    const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
    let n = 0;
    for (let i = 0; i < data.length; i += 4)
      if (Math.abs(data[i] - 196) < 12 && Math.abs(data[i + 1] - 78) < 12 && data[i + 2] < 12) n++;
    return n;
  });
  await until('the validation line lies between two of its points', async () => await inked() > 200);
  const raw = rows.map((row) => row['training, raw']), smoothed = rows[0]['training, smoothed'];
  const mean = whole.filter((row) => Math.abs(row.step - 10040) < 1000)
    .reduce((sum, row, i, all) => sum + row['training, smoothed'] / all.length, 0);
  check(Math.abs(smoothed - raw[0]) > 1e-6, 'the average begins anew at the edge');
  check(Math.abs(smoothed - mean) < 0.35, `${smoothed} at the edge, about ${mean} without the zoom`);
}

async function spikesAreCutOffAndTold() {
  await browser.open('#/runs/long?smooth=0');
  const caption = () => page().locator('figcaption').first().innerText();
  await until('it is told', async () => /values lie beyond .* and are cut off/.test(await caption()));
  await page().click('button:text-is("Show outliers") >> nth=0');
  await until('all is shown', async () => !/cut off/.test(await caption()));
  check(hash().includes('loss.out=true'), hash());
  const shaded = () => page().locator('.plot canvas').first().evaluate((canvas) => { // 0b62ad30 on nothing
    const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
    let n = 0;
    for (let i = 0; i < data.length; i += 4)
      if (Math.abs(data[i] - 11) < 9 && Math.abs(data[i + 2] - 173) < 9 && Math.abs(data[i + 3] - 48) < 3) n++;
    return n;
  });
  await until('the range of the thinned points is shaded', async () => await shaded() > 500);
  await page().click('button:text-is("Hide outliers") >> nth=0');
  check(!hash().includes('loss.out'), hash());
}

async function oneZoomsUpwards() {
  const box = await page().locator('.u-over').first().boundingBox();
  const drag = async (from, to) => {
    await page().mouse.move(box.x + box.width * from[0], box.y + box.height * from[1]);
    await page().mouse.down();
    await page().mouse.move(box.x + box.width * to[0], box.y + box.height * to[1], { steps: 6 });
    await page().mouse.up();
  };
  await drag([0.5, 0.3], [0.505, 0.8]);
  await until('only y is zoomed', () => /loss\.y=/.test(hash()) && !/from=/.test(hash()));
  await page().locator('.u-over').first().dblclick();
  await until('a double click resets', () => !/loss\.y=/.test(hash()));
  await drag([0.3, 0.3], [0.6, 0.8]);
  await until('both are zoomed', () => /loss\.y=/.test(hash()) && /from=/.test(hash()));
  check(!/norm\.y|lr\.y/.test(hash()), `the charts beside it are zoomed upwards, too: ${hash()}`);
  await page().click('button.reset >> nth=0');
  await until('the button resets', () => !/loss\.y=|from=/.test(hash()));
  await page().locator('.plot').first().focus();
  await page().keyboard.press('Shift+ArrowUp');
  await until('the keyboard zooms', () => /loss\.y=/.test(hash()));
  await page().keyboard.press('Escape');
  await until('Escape resets', () => !/loss\.y=/.test(hash()));
  const slowly = await page().locator('.u-over').first().boundingBox();
  await page().mouse.move(slowly.x + slowly.width * 0.5, slowly.y + 60);
  await until('names and values are beside the cursor', async () => await page().locator('.tip').first().isVisible());
  const rows = await texts('.chart >> nth=0 >> .tip li');
  const values = rows.map((row) => Number(row.match(/[\d.]+$/)[0]));
  check(rows.length === 2 && rows.some((row) => row.startsWith('validation')) && values[0] >= values[1],
    JSON.stringify(rows));
}

async function itCanBeTakenAway() {
  const take = async (name) => {
    const [file] = await Promise.all([page().waitForEvent('download'),
      page().click(`.chart-tools button:text-is("${name}") >> nth=0`)]);
    return [file.suggestedFilename(), readFileSync(await file.path())];
  };
  const [png, picture] = await take('PNG');
  check(png === 'loss.png' && picture.subarray(1, 4).toString() === 'PNG' && picture.length > 10000,
    `${png}, ${picture.length} bytes`);
  const [svg, drawn] = await take('SVG'), text = drawn.toString();
  check(svg === 'loss.svg' && text.startsWith('<svg') && /<title>Loss<\/title>/.test(text)
    && text.includes('>validation</text>') && (text.match(/<path/g) ?? []).length > 8, text.slice(0, 300));
  check(!/NaN|undefined/.test(text), 'the picture has places that are none');
  const rows = await csv();
  check(rows.length > 500 && Object.keys(rows[0]).includes('training') && rows.at(-1).step === POINTS,
    JSON.stringify(rows.at(-1)));
  check(browser.faults.length === 0, browser.faults.join('\n'));
}

await main([aLongRun, theRangeIsOfWhatMatters, seedsBecomeAMean, bytesAreToldAsTheDaemonDoes,
  piecesOfALineMakeItWhole, namesAtTheEndsLieApart, stylesStayApartForEveryEye, aZoomKeepsWhatThereIs,
  spikesAreCutOffAndTold, oneZoomsUpwards, itCanBeTakenAway]);
