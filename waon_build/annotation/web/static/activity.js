// How long somebody really worked: only while the page is to be seen and was touched in the last half minute.
// And with what: keyboard, mouse, touch.

const IDLE = 30_000;
const INPUTS = ["keydown", "pointerdown", "pointermove", "wheel"];

export class Activity {
  used = new Set();
  lastEventAt = 0;
  #total = 0;
  #since = performance.now();
  #visible = document.visibilityState === "visible";
  #lastInput = performance.now();

  constructor() {
    for (const type of INPUTS) document.addEventListener(type, (event) => this.#touched(event), { passive: true, capture: true });
    document.addEventListener("visibilitychange", () => {
      this.#count();
      this.#visible = document.visibilityState === "visible";
      if (this.#visible) this.#lastInput = performance.now();
    });
  }

  // Milliseconds of work since the page was loaded.
  get total() {
    this.#count();
    return this.#total;
  }

  // Milliseconds since the last input.
  get idle() {
    return performance.now() - this.#lastInput;
  }

  // "keyboard", "mouse", "touch" or "mixed": with what was worked since `used` was emptied.
  get device() {
    return this.used.size > 1 ? "mixed" : ([...this.used][0] ?? "keyboard");
  }

  #touched(event) {
    this.#count();
    this.#lastInput = performance.now();
    if (["keydown", "pointerdown"].includes(event.type)) this.lastEventAt = event.timeStamp;
    if (event.type === "keydown") this.used.add("keyboard");
    if (event.type === "pointerdown") this.used.add(event.pointerType === "touch" ? "touch" : "mouse");
  }

  #count() {
    const now = performance.now();
    const until = Math.min(now, this.#lastInput + IDLE);
    if (this.#visible && until > this.#since) this.#total += until - this.#since;
    this.#since = now;
  }
}
