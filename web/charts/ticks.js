// Places for numbers beside a log axis: round ones, as dense as the range asks for.

const COARSE = [1, 2, 5], MIDDLE = [1, 1.5, 2, 3, 4, 5, 7];
const FINE = [1, 1.1, 1.2, 1.3, 1.4, 1.5, 1.6, 1.7, 1.8, 1.9, 2, 2.2, 2.5, 2.8, 3, 3.3, 3.6, 4, 4.5, 5, 5.5, 6, 6.5, 7,
  7.5, 8, 8.5, 9, 9.5];

/** Values from low to high, at most about n of them. */
export function logTicks(low, high, n) {
  const decades = Math.log10(high / low);
  const steps = decades > n ? [1] : decades * 3 > n ? [1, 3] : decades > 1.1 ? COARSE : decades > 0.45 ? MIDDLE : FINE;
  const out = [];
  for (let power = Math.floor(Math.log10(low)); power <= Math.log10(high); power++) {
    for (const step of steps) {
      const value = Number((step * 10 ** power).toPrecision(3));
      if (value >= low && value <= high) out.push(value);
    }
  }
  const stride = Math.ceil(out.length / n);
  return out.length > 1 ? out.filter((_, i) => i % stride === 0) : [low, high];
}
