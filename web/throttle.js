/** At most one call each interval, the last one always. */
export function throttle(callback, interval_ms) {
  let timer = 0, last = 0;
  const run = () => {
    timer = 0;
    last = performance.now();
    callback();
  };
  const throttled = () => {
    if (!timer) timer = setTimeout(run, Math.max(0, interval_ms - (performance.now() - last)));
  };
  throttled.cancel = () => {
    clearTimeout(timer);
    timer = 0;
  };
  return throttled;
}
