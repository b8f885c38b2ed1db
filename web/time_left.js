// How long something still takes, from how fast its share grows while somebody looks.
const LEAST_MS = 2000;

export class Pace {
  constructor() {
    this.first = null;
  }

  /** share: 0 to 1, null where it does not go on. Seconds, or null while they are not known. */
  of(share) {
    if (share === null || share >= 1 || (this.first && share < this.first.share)) {
      this.first = null;
      return null;
    }
    const now = { at: performance.now(), share };
    this.first ??= now;
    const ms = now.at - this.first.at, made = share - this.first.share;
    return made > 0 && ms >= LEAST_MS ? ((1 - share) * ms) / made / 1000 : null;
  }
}

/** A Pace for each of many things, by their id. */
export class Paces {
  constructor() {
    this.known = new Map();
  }

  of(id, share) {
    if (!this.known.has(id)) this.known.set(id, new Pace());
    return this.known.get(id).of(share);
  }
}
