// The line "decide at step k" over a chart: dragged with the pointer, moved with the arrow keys from evaluation to
// evaluation.
import { h } from '../dom.js';

export class DecideLine {
  /** stops: steps that can be chosen, ascending. onMove(step) while it moves. */
  constructor(onMove) {
    this.onMove = onMove;
    this.stops = [];
    this.at = null;
    this.plot = null;
    this.flag = h('span', { class: 'decide-flag' });
    this.element = h('div', { class: 'decide-line', role: 'slider', tabindex: 0, 'aria-label': 'Decide at probe step',
      'aria-orientation': 'horizontal', title: 'Drag me, or use the arrow keys' }, this.flag);
    this.element.addEventListener('keydown', (event) => this.key(event));
    this.element.addEventListener('pointerdown', (event) => this.grab(event));
  }

  attach(plot) {
    this.plot = plot;
    plot.over.append(this.element);
    this.place();
  }

  set(stops, at) {
    this.stops = stops;
    this.at = at;
    this.place();
  }

  place() {
    if (!this.plot || this.at === null || this.stops.length === 0) {
      this.element.hidden = true;
      return;
    }
    const left = this.plot.valToPos(this.at, 'x'), width = this.plot.over.clientWidth;
    this.element.hidden = !(left >= -1 && left <= width + 1);
    this.element.style.left = `${left}px`;
    this.element.classList.toggle('flip', left > width - 120);
    this.flag.textContent = `decide at ${this.at}`;
    this.element.setAttribute('aria-valuemin', this.stops[0]);
    this.element.setAttribute('aria-valuemax', this.stops[this.stops.length - 1]);
    this.element.setAttribute('aria-valuenow', this.at);
    this.element.setAttribute('aria-valuetext', `probe step ${this.at}`);
  }

  move(step) {
    if (step === undefined || step === this.at) return;
    this.at = step;
    this.place();
    this.onMove(step);
  }

  nearest(value) {
    return this.stops.reduce((best, step) => (Math.abs(step - value) < Math.abs(best - value) ? step : best),
      this.stops[0]);
  }

  key(event) {
    const { stops } = this, index = stops.indexOf(this.nearest(this.at)), last = stops.length - 1;
    const to = { ArrowLeft: index - 1, ArrowDown: index - 1, ArrowRight: index + 1, ArrowUp: index + 1, Home: 0,
      End: last,
      PageDown: index - 5, PageUp: index + 5 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    this.move(stops[Math.min(Math.max(to, 0), last)]);
  }

  grab(event) {
    event.preventDefault();
    event.stopPropagation();
    this.element.focus();
    this.element.setPointerCapture(event.pointerId);
    const follow = (e) => {
      const x = e.clientX - this.plot.over.getBoundingClientRect().left;
      this.move(this.nearest(this.plot.posToVal(x, 'x')));
    };
    const release = () => {
      this.element.removeEventListener('pointermove', follow);
      this.element.removeEventListener('pointerup', release);
      this.element.removeEventListener('pointercancel', release);
    };
    this.element.addEventListener('pointermove', follow);
    this.element.addEventListener('pointerup', release);
    this.element.addEventListener('pointercancel', release);
  }
}
