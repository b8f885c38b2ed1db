// Numbers and times for people.

const UNITS = ['', 'k', 'M', 'G', 'T', 'P', 'E', 'Z', 'Y'];

/** 1234567 → "1.23 M" */
export function si(value, unit = '') {
  if (value === null || value === undefined || !Number.isFinite(value)) return '–';
  let power = 0, x = Math.abs(value);
  while (x >= 999.5 && power < UNITS.length - 1) {
    x /= 1000;
    power++;
  }
  const text = power === 0 && Number.isInteger(value)
    ? String(x) : x >= 100 ? x.toFixed(0) : x >= 10 ? x.toFixed(1) : x.toFixed(2);
  const tail = UNITS[power] + unit;
  return (value < 0 ? '−' : '') + text + (tail ? `\u202f${tail}` : '');
}

const BYTES = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB', 'EiB'];

/** As the daemon and lagctl tell them: 184549376 → "176 MiB" */
export function bytes(value) {
  if (value === null || value === undefined || !Number.isFinite(value)) return '–';
  let power = 0, x = Math.abs(value);
  while (x >= 1023.5 && power < BYTES.length - 1) {
    x /= 1024;
    power++;
  }
  const text = power === 0 && Number.isInteger(value) ? String(x) : x >= 99.95 ? x.toFixed(0) : x.toFixed(1);
  return `${value < 0 ? '−' : ''}${text}\u202f${BYTES[power]}`;
}

export const flops = (value) => si(value, 'FLOP');

export function count(value) {
  return value === null || value === undefined ? '–' : Math.round(value).toLocaleString('en-GB')
    .replaceAll(',', '\u202f');
}

export function loss(value, digits = 4) {
  if (value === null || value === undefined || !Number.isFinite(value)) return '–';
  return value >= 1000 ? value.toExponential(2) : value.toFixed(digits);
}

/** Any quantity of a series. */
export function number(value) {
  if (value === null || value === undefined || !Number.isFinite(value)) return '–';
  const x = Math.abs(value);
  if (x !== 0 && (x < 1e-3 || x >= 1e9)) return value.toExponential(2);
  if (x >= 1000) return count(value);
  return Number.isInteger(value) ? String(value) : value.toPrecision(4);
}

/** A number beside an axis: no zeros that say nothing. */
export function tick(value) {
  if (!Number.isFinite(value)) return '';
  const x = Math.abs(value), rounded = Number(value.toPrecision(4));
  return x !== 0 && (x < 1e-3 || x >= 1e6) ? rounded.toExponential().replace('e+', 'e') : String(rounded);
}

export function duration(seconds) {
  if (seconds === null || seconds === undefined || !Number.isFinite(seconds)) return '–';
  const t = Math.round(seconds);
  if (t < 1) return '< 1 s';
  if (t < 60) return `${t} s`;
  if (t < 3600) return `${Math.floor(t / 60)} min ${t % 60} s`;
  if (t < 86400) return `${Math.floor(t / 3600)} h ${Math.floor((t % 3600) / 60)} min`;
  return `${Math.floor(t / 86400)} d ${Math.floor((t % 86400) / 3600)} h`;
}

/** Behind how far something is: ", about 3 s left". */
export const left = (seconds) => (seconds === null ? '' : `, about ${duration(seconds)} left`);

export function clock(text) {
  return text ? new Date(text).toLocaleTimeString('en-GB') : '–';
}

export function when(text) {
  return text ? new Date(text).toLocaleString('en-GB', { dateStyle: 'medium', timeStyle: 'short' }) : '–';
}

/** Seconds since 1970, as short as a span of so many seconds allows. */
export function moment(seconds, span = 0) {
  const date = new Date(seconds * 1000);
  const time = date.toLocaleTimeString('en-GB', { hour: '2-digit', minute: '2-digit' });
  const day = date.toLocaleDateString('en-GB', { day: 'numeric', month: 'short' });
  return span > 4 * 86400 ? day : span > 86400 ? `${day} ${time}` : time;
}

export function percent(value) {
  return value === null || value === undefined || !Number.isFinite(value)
    ? '–' : `${(value * 100).toFixed(value < 0.1 ? 1 : 0)} %`;
}

/** A part or a multiple of something: "9.4 % of training", "19.5 times training". */
export function share(value, of) {
  return value >= 2 ? `${value.toFixed(1)} times ${of}` : `${percent(value)} of ${of}`;
}

const AXES = ['n_head', 'n_embd', 'n_inner', 'n_positions', 'vocab_size', 'head_dim'];

/** What a growth changes: "3 → 6 layers", "n_embd 32 → 64", or both: "3 → 6 layers, n_embd 32 → 64". */
export function shapeChange({ from, to }, arrow = ' → ') {
  const others = AXES.filter((axis) => from[axis] !== to[axis])
    .filter((axis) => axis !== 'head_dim' || [from, to].some((one) => one.n_head * one.head_dim !== one.n_embd))
    .map((axis) => `${axis} ${from[axis]}${arrow}${to[axis]}`);
  const same = from.n_layer === to.n_layer && others.length > 0;
  return [...(same ? [] : [`${from.n_layer}${arrow}${to.n_layer} layers`]), ...others].join(', ');
}

/** What a target asks for: "6 layers, n_embd 256". */
export function target(asked) {
  const layers = asked.n_layer ? [`${asked.n_layer} layers`] : [];
  return [...layers, ...AXES.filter((axis) => asked[axis]).map((axis) => `${axis} ${asked[axis]}`)].join(', ');
}

/** What became of a growth, or is to become. */
export const growthChange = (growth) => (growth.grew === false
  ? `not grown from ${shapeChange(growth, ' to ')}` : shapeChange(growth));

export function words(name) {
  return String(name).replaceAll('_', ' ');
}
