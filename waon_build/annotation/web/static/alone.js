// One window judges at a time: two would show the same picture and answer it twice.

const TAKE_OVER = "waon:take-over";

// Waits until this window may judge. lost(): another one took over. Where the browser has no locks (a page without
// TLS on another machine) nothing is waited for; the server refuses the second answer anyway.
export function alone(person, { busy, lost }) {
  if (!navigator.locks) return Promise.resolve();
  const steal = sessionStorage.getItem(TAKE_OVER) !== null;
  sessionStorage.removeItem(TAKE_OVER);
  return new Promise((ready) => {
    const hold = (lock) => {
      if (!lock) return busy();
      ready();
      return new Promise(() => {});
    };
    navigator.locks.request(`waon:${person}`, steal ? { steal } : { ifAvailable: true }, hold).catch(lost);
  });
}

export function takeOver() {
  sessionStorage.setItem(TAKE_OVER, "");
  location.reload();
}
