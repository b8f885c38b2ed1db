// The view lives in the address: "#/runs/first?x=tokens&smooth=0.9". A link is a view.

export function parse(hash = location.hash) {
  const [path, search = ''] = hash.replace(/^#/, '').split('?');
  return { path: path.split('/').filter(Boolean).map(decodeURIComponent), parameters: new URLSearchParams(search) };
}

export function address(path, parameters = {}) {
  const search = new URLSearchParams();
  for (const [key, value] of Object.entries(parameters)) {
    if (value !== undefined && value !== null && value !== '') search.set(key, value);
  }
  const text = search.toString().replaceAll('%2F', '/').replaceAll('%2C', ',');
  return `#/${path.map(encodeURIComponent).join('/')}${text ? `?${text}` : ''}`;
}

/** Settings of the view that is shown; presets stay out of the address. */
export class Settings {
  constructor(presets) {
    this.presets = presets;
  }

  get(name) {
    return parse().parameters.get(name) ?? this.presets[name];
  }

  number(name) {
    const value = Number(this.get(name));
    return Number.isFinite(value) ? value : this.presets[name];
  }

  /** Changes the address without a new entry of the history and without a new view. */
  set(changes) {
    const { path, parameters } = parse();
    const now = Object.fromEntries(parameters);
    for (const [name, value] of Object.entries(changes)) {
      if (value === null || String(value) === String(this.presets[name])) delete now[name];
      else now[name] = value;
    }
    history.replaceState(null, '', address(path, now));
  }
}
