// A curve without axes, for cards.
import { s } from '../dom.js';

const WIDTH = 240, HEIGHT = 44;

export function spark(values, label) {
  const points = values.map((y, x) => [x, y]).filter(([, y]) => y !== null && Number.isFinite(y));
  const image = s('svg', { class: 'spark', viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: 'none', role: 'img',
    'aria-label': label });
  if (points.length < 2) return image;
  const ys = points.map(([, y]) => y);
  const low = Math.min(...ys), high = Math.max(...ys), x0 = points[0][0], x1 = points[points.length - 1][0];
  const across = (x) => (((x - x0) / (x1 - x0)) * WIDTH).toFixed(1);
  const down = (y) => (3 + (1 - (y - low) / (high - low || 1)) * (HEIGHT - 6)).toFixed(1);
  const place = ([x, y]) => `${across(x)},${down(y)}`;
  image.append(s('polyline', { points: points.map(place).join(' ') }));
  return image;
}
