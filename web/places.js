// Who may hold a stream. A browser opens six connections to one daemon, for all of its windows together, and a stream
// keeps one of them. So a few windows hold a stream each, and the others ask again and again.
const PLACES = 2;

/** Holds a place under this name until the signal comes; a window that closes gives its place up, too. */
const hold = (name, signal) => new Promise((resolve) => {
  navigator.locks.request(name, { ifAvailable: true }, (lock) => {
    const held = lock !== null && !signal.aborted;
    resolve(held);
    return held ? new Promise((free) => { signal.addEventListener('abort', free, { once: true }); }) : undefined;
  }).catch(() => resolve(false));
});

/**
 * Resolves to whether this window has a place now. There is none where the browser cannot say who holds one: it tells
 * only pages from loopback or by https.
 */
export async function takePlace(signal) {
  if (!navigator.locks) return false;
  for (let i = 0; i < PLACES; i++) if (await hold(`lagd.stream.${i}`, signal)) return true;
  return false;
}
