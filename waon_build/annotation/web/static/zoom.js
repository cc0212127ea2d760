// The picture as large as the window, and larger: keys, wheel, drag, pinch. A modal dialog: the browser holds the
// focus in it and gives it back.

import { $ } from "./dom.js";
import { character } from "./shortcuts.js";

const LARGEST = 8;
const STEP = 1.4;
const PAN = 80;

export class Zoom {
  #scale = 1;
  #x = 0;
  #y = 0;
  #fingers = new Map();

  constructor() {
    this.dialog = $("zoom");
    this.view = $("zoom-view");
    $("zoom-in").addEventListener("click", () => this.#by(STEP));
    $("zoom-out").addEventListener("click", () => this.#by(1 / STEP));
    $("zoom-fit").addEventListener("click", () => this.#fit());
    $("zoom-close").addEventListener("click", () => this.dialog.close());
    this.dialog.addEventListener("close", () => this.view.replaceChildren());
    this.dialog.addEventListener("keydown", (event) => this.#key(event));
    this.view.addEventListener("wheel", (event) => this.#wheel(event), { passive: false });
    this.view.addEventListener("dblclick", () => (this.#scale > 1 ? this.#fit() : this.#by(2.5)));
    this.view.addEventListener("pointerdown", (event) => this.#down(event));
    this.view.addEventListener("pointermove", (event) => this.#move(event));
    for (const type of ["pointerup", "pointercancel"]) {
      this.view.addEventListener(type, (event) => this.#fingers.delete(event.pointerId));
    }
  }

  show(image, blurred) {
    const copy = image.cloneNode();
    copy.removeAttribute("id");
    copy.removeAttribute("style");
    copy.classList.toggle("blurred", blurred);
    this.view.replaceChildren(copy);
    this.dialog.showModal();
    this.#fit();
  }

  close() {
    this.dialog.close();
  }

  #key(event) {
    const key = character(event);
    const onButton = event.target.closest("button");
    if (key === " " && onButton) return;
    const pan = { arrowleft: [PAN, 0], arrowright: [-PAN, 0], arrowup: [0, PAN], arrowdown: [0, -PAN] }[key.toLowerCase()];
    if (key === "+" || key === "=" || key === ";") this.#by(STEP);
    else if (key === "-") this.#by(1 / STEP);
    else if (key === "0") this.#fit();
    else if (key === " ") this.dialog.close();
    else if (pan) this.#pan(...pan);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  #wheel(event) {
    event.preventDefault();
    this.#by(Math.exp(-event.deltaY / 400), event.clientX, event.clientY);
  }

  #down(event) {
    this.view.setPointerCapture(event.pointerId);
    this.#fingers.set(event.pointerId, [event.clientX, event.clientY]);
  }

  #move(event) {
    const before = this.#fingers.get(event.pointerId);
    if (!before) return;
    const now = [event.clientX, event.clientY];
    const others = [...this.#fingers].filter(([id]) => id !== event.pointerId);
    if (others.length) {
      const [, still] = others[0];
      const factor = distance(now, still) / Math.max(1, distance(before, still));
      this.#by(factor, (now[0] + still[0]) / 2, (now[1] + still[1]) / 2);
    } else this.#pan(now[0] - before[0], now[1] - before[1]);
    this.#fingers.set(event.pointerId, now);
  }

  // Larger or smaller by a factor; the point under the finger or the pointer stays where it is.
  #by(factor, atX, atY) {
    const box = this.view.getBoundingClientRect();
    const [x, y] = [(atX ?? box.x + box.width / 2) - box.x - box.width / 2, (atY ?? box.y + box.height / 2) - box.y - box.height / 2];
    const scale = Math.min(LARGEST, Math.max(1, this.#scale * factor));
    this.#x = x - ((x - this.#x) * scale) / this.#scale;
    this.#y = y - ((y - this.#y) * scale) / this.#scale;
    this.#scale = scale;
    this.#place();
  }

  #pan(dx, dy) {
    this.#x += dx;
    this.#y += dy;
    this.#place();
  }

  #fit() {
    this.#scale = 1;
    this.#place();
  }

  // Never so far that nothing of the picture is left to see.
  #place() {
    const image = this.view.firstElementChild;
    const room = (length) => Math.max(0, (length * (this.#scale - 1)) / 2);
    const [wide, high] = [room(this.view.clientWidth), room(this.view.clientHeight)];
    this.#x = Math.min(wide, Math.max(-wide, this.#x));
    this.#y = Math.min(high, Math.max(-high, this.#y));
    image.style.transform = `translate(${this.#x}px, ${this.#y}px) scale(${this.#scale})`;
    $("zoom-out").disabled = $("zoom-fit").disabled = this.#scale <= 1;
    $("zoom-in").disabled = this.#scale >= LARGEST;
  }
}

function distance([x, y], [u, v]) {
  return Math.hypot(x - u, y - v);
}
