// Names at the ends of the lines, beside the plot; as many as have room, and none twice.
import * as theme from '../theme.js';
import { styleOf } from './style.js';

const FONT_PX = 11, LINE_PX = 13, WIDEST_PX = 150, LEADER_PX = 10, LEAST_LINES = 2,
  NEAR_PX = 12;

/** Room that the names of lines take on the right, in px; 0: they are told by the legend alone. */
export function roomFor(lines, width) {
  if (lines.length < LEAST_LINES || width < 520) return 0;
  const ctx = document.createElement('canvas').getContext('2d');
  ctx.font = `${FONT_PX}px system-ui, sans-serif`;
  return Math.min(WIDEST_PX, Math.max(...lines.map((line) => ctx.measureText(line.label).width))) + LEADER_PX + 4;
}

/** Where the names go: as near to the lines' ends as they can be without lying on each other. ends: [{y, …}]. */
export function apart(ends, top, bottom, least) {
  const sorted = [...ends].sort((a, b) => a.y - b.y);
  const n = Math.max(1, Math.floor((bottom - top) / least) + 1);
  const shown = sorted.length <= n ? sorted : sorted.filter((_, i) => Math.floor(i * n / sorted.length)
    !== Math.floor((i - 1) * n / sorted.length));
  let low = top - least;
  for (const one of shown) {
    one.at = Math.max(one.y, low + least);
    low = one.at;
  }
  let high = bottom + least;
  for (const one of [...shown].reverse()) {
    one.at = Math.min(one.at, high - least);
    high = one.at;
  }
  return shown;
}

/** Where a line leaves the window, or ends in it. */
function endOf(line, x, [from, to]) {
  let beyond = null; // the first point behind the window
  for (let i = line.values.length - 1; i >= 0; i--) {
    const y = line.values[i];
    if (y === null || y === undefined || !Number.isFinite(y)) continue;
    if (x[i] > to) {
      beyond = { x: x[i], y };
    } else {
      if (beyond) return { x: to, y: y + ((beyond.y - y) * (to - x[i])) / (beyond.x - x[i]) };
      return x[i] >= from ? { x: x[i], y } : null;
    }
  }
  return null;
}

export function drawEnds(u, model, lines, span) {
  const ratio = devicePixelRatio, { ctx, bbox } = u, ends = [];
  for (const line of lines) {
    const end = endOf(line, model.x, span);
    if (!end || (model.yLog && !(end.y > 0))) continue;
    const y = u.valToPos(end.y, 'y', true);
    if (y < bbox.top - 1 || y > bbox.top + bbox.height + 1) continue;
    ends.push({ line, y, x: Math.min(u.valToPos(end.x, 'x', true), bbox.left + bbox.width) });
  }
  ctx.save();
  ctx.font = `${FONT_PX * ratio}px system-ui, sans-serif`;
  ctx.textBaseline = 'middle';
  ctx.textAlign = 'left';
  const left = bbox.left + bbox.width;
  for (const one of apart(ends, bbox.top, bbox.top + bbox.height, LINE_PX * ratio)) {
    const far = left - one.x > NEAR_PX * ratio; // dots, lest it looks like more of the line
    ctx.strokeStyle = styleOf(one.line).colour;
    ctx.lineWidth = ratio;
    ctx.globalAlpha = far ? 0.5 : 1;
    ctx.setLineDash(far ? [ratio, 4 * ratio] : []);
    ctx.beginPath();
    ctx.moveTo(one.x, one.y);
    ctx.lineTo(left + (LEADER_PX - 3) * ratio, one.at);
    ctx.stroke();
    ctx.globalAlpha = 1;
    ctx.fillStyle = theme.css('--ink');
    ctx.fillText(fit(ctx, one.line.label, (WIDEST_PX + 2) * ratio), left + LEADER_PX * ratio, one.at);
  }
  ctx.restore();
}

function fit(ctx, text, width) {
  if (ctx.measureText(text).width <= width) return text;
  let n = text.length;
  while (n > 1 && ctx.measureText(`${text.slice(0, n)}…`).width > width) n--;
  return `${text.slice(0, n)}…`;
}
