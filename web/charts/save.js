// A chart to take away: as a picture (SVG, and PNG of the same), and its numbers (CSV). What is in sight is what is
// taken.
import { download, h, s, toast } from '../dom.js';
import * as theme from '../theme.js';
import { named } from './legend.js';
import { styleOf } from './style.js';

const TITLE_PX = 30, ROW_PX = 18, MARGIN_PX = 12, SHARPNESS = 2;
const FONT = 'system-ui, sans-serif';

const fileName = (label, ending) => `${label.replace(/[^\w.-]+/g, '-').toLowerCase()}.${ending}`;
const quoted = (words) => (/[",\n]/.test(words) ? `"${words.replaceAll('"', '""')}"` : words);

/** x and every line, one row a place; what has no value is empty. */
export function csvOf({ x, lines, xLabel }, [from, to]) {
  const rows = [[xLabel, ...lines.map((line) => line.label)].map(quoted).join(',')];
  x.forEach((at, i) => {
    if (at < from || at > to) return;
    const cells = lines.map((line) => line.values[i] ?? '');
    if (cells.some((cell) => cell !== '')) rows.push([at, ...cells].join(','));
  });
  return `${rows.join('\n')}\n`;
}

const text = (x, y, words, more = {}) => s('text', { x, y, 'font-family': FONT, 'font-size': 12,
  fill: theme.css('--ink'), ...more }, words);

/** The points of a line in px, as a path that spans gaps. */
function pathOf(u, { x }, values, log) {
  let d = '';
  values.forEach((y, i) => {
    if (y === null || y === undefined || !Number.isFinite(y) || (log && !(y > 0))) return;
    d += `${d ? 'L' : 'M'}${u.valToPos(x[i], 'x').toFixed(1)} ${u.valToPos(y, 'y').toFixed(1)}`;
  });
  return d;
}

function axesOf(u, width, height) {
  const dim = theme.css('--dim'), grid = theme.css('--grid'), out = [];
  const [across, down] = u.axes.map((axis) => (axis._splits ?? []).map((at, i) => [at, axis._values?.[i] ?? '']));
  for (const [at, words] of across) {
    const x = u.valToPos(at, 'x');
    if (x < -1 || x > width + 1) continue;
    out.push(s('path', { d: `M${x} 0V${height}`, stroke: grid }),
      text(x, height + 16, words, { fill: dim, 'text-anchor': 'middle' }));
  }
  for (const [at, words] of down) {
    const y = u.valToPos(at, 'y');
    if (y < -1 || y > height + 1) continue;
    out.push(s('path', { d: `M0 ${y}H${width}`, stroke: grid }),
      text(-6, y + 4, words, { fill: dim, 'text-anchor': 'end' }));
  }
  return out;
}

/** The chart as an SVG element with its title and the names of its lines. */
export function svgOf(chart) {
  const { plot: u, model, label } = chart, ratio = devicePixelRatio;
  const width = u.bbox.width / ratio, height = u.bbox.height / ratio, left = u.bbox.left / ratio;
  const lines = named(model), whole = u.width + 2 * MARGIN_PX;
  const tall = TITLE_PX + u.height + lines.length * ROW_PX + 2 * MARGIN_PX;
  const root = s('svg', { xmlns: 'http://www.w3.org/2000/svg', width: whole, height: tall,
    viewBox: `0 0 ${whole} ${tall}` },
    s('title', {}, label), s('clipPath', { id: 'plot' }, s('rect', { width, height })),
    s('rect', { width: whole, height: tall, fill: theme.css('--surface') }),
    text(MARGIN_PX, MARGIN_PX + 14, label, { 'font-size': 15, 'font-weight': 600 }));
  const curves = s('g', { 'clip-path': 'url(#plot)' });
  for (const band of model.bands ?? []) {
    const high = pathOf(u, model, model.lines[band.high].values, model.yLog);
    const low = pathOf(u, model, model.lines[band.low].values, model.yLog).split(/(?=[ML])/).reverse()
      .map((piece) => `L${piece.slice(1)}`).join('');
    if (high) curves.append(s('path', { d: `${high}${low}Z`, fill: theme.colour(band.colour), 'fill-opacity': 0.19 }));
  }
  for (const line of model.lines) {
    const { colour, dash } = styleOf(line);
    if (line.alpha === 0) continue;
    curves.append(s('path', { d: pathOf(u, model, line.values, model.yLog), fill: 'none', stroke: colour,
      'stroke-width': line.width ?? 2, 'stroke-dasharray': dash.join(' ') || null, 'stroke-opacity': line.alpha ?? 1,
      'stroke-linejoin': 'round' }));
  }
  const marks = (model.markers ?? []).map((one) => [u.valToPos(one.x, 'x'), one.text])
    .filter(([x]) => x >= -1 && x <= width + 1).flatMap(([x, words]) => [
      s('path', { d: `M${x} 0V${height}`, stroke: theme.css('--marker'), 'stroke-dasharray': '4 4' }),
      text(x, -5, words, { fill: theme.css('--marker'), 'text-anchor': 'middle', 'font-size': 11 })]);
  root.append(s('g', { transform: `translate(${MARGIN_PX + left} ${TITLE_PX + u.bbox.top / ratio + MARGIN_PX})` },
    axesOf(u, width, height), curves, marks,
    text(width / 2, height + 34, model.xLabel, { 'text-anchor': 'middle' }),
    text(0, 0, model.yLabel, { 'text-anchor': 'middle',
      transform: `translate(${-left + 8} ${height / 2}) rotate(-90)` })));
  lines.forEach((line, i) => {
    const y = TITLE_PX + u.height + MARGIN_PX + (i + 0.7) * ROW_PX, { colour, dash } = styleOf(line);
    root.append(s('path', { d: `M${MARGIN_PX + left} ${y - 4}h28`, stroke: colour, 'stroke-width': 2.5,
      'stroke-dasharray': dash.join(' ') || null }), text(MARGIN_PX + left + 36, y, line.label));
  });
  return root;
}

const markup = (chart) => new XMLSerializer().serializeToString(svgOf(chart));

function savePng(chart) {
  const source = svgOf(chart);
  const image = new Image();
  image.addEventListener('load', () => {
    const canvas = h('canvas', { width: source.getAttribute('width') * SHARPNESS,
      height: source.getAttribute('height') * SHARPNESS });
    canvas.getContext('2d').drawImage(image, 0, 0, canvas.width, canvas.height);
    canvas.toBlob((blob) => download(fileName(chart.label, 'png'), 'image/png', blob));
  });
  image.addEventListener('error', () => toast('The picture could not be made.', 'bad'));
  image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(new XMLSerializer().serializeToString(source))}`;
}

/** Buttons that take the chart away. */
export function saveButtons(chart) {
  const save = (name, title, action) => h('button', { type: 'button', class: 'quiet small', title,
    'aria-label': `${chart.label}: ${title}`, onclick: () => chart.plot && action() }, name);
  return [save('PNG', 'Save as a picture (PNG)', () => savePng(chart)),
    save('SVG', 'Save as a picture (SVG)', () =>
      download(fileName(chart.label, 'svg'), 'image/svg+xml', markup(chart))),
    save('CSV', 'Save the points in sight (CSV)', () =>
      download(fileName(chart.label, 'csv'), 'text/csv', csvOf(chart.model, chart.span())))];
}
