// How a chart is looked at: zoomed in y, lines that are hidden, outliers shown. It lives in the address where the page
// gives its settings, under names that begin with a prefix.

export class View {
  constructor(settings, prefix = '') {
    this.settings = settings;
    this.prefix = prefix;
    this.own = {};
  }

  get(name) {
    return (this.settings ? this.settings.get(this.prefix + name) : this.own[name]) ?? '';
  }

  set(name, value) {
    if (this.settings) this.settings.set({ [this.prefix + name]: value === '' ? null : value });
    else this.own[name] = value;
  }

  get hidden() {
    return new Set(this.get('hide').split('|').filter(Boolean));
  }

  toggle(label) {
    const { hidden } = this;
    if (!hidden.delete(label)) hidden.add(label);
    this.set('hide', [...hidden].join('|'));
  }

  /** [low, high] of what was zoomed to, or null. */
  get y() {
    const [low, high] = this.get('y').split('~').map(Number);
    return Number.isFinite(low) && high > low ? [low, high] : null;
  }

  set y(range) {
    this.set('y', range ? range.map((v) => Number(v.toPrecision(6))).join('~') : '');
  }

  get outliers() {
    return this.get('out') === 'true';
  }

  set outliers(truth) {
    this.set('out', truth ? 'true' : '');
  }
}
