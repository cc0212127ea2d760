// When to stop: a break after some time of work without one, and the day's cap. Both are the annotator's own choice.

import { recall, remember } from "./store.js";

const MINUTE = 60_000;
// Away for so long is a break.
const PAUSE = 5 * MINUTE;
const POSTPONED = 10 * MINUTE;

export class Rest {
  constructor(person, preferences, activity) {
    Object.assign(this, { person, preferences, activity });
    const kept = recall("sessionStorage", person, "rest") ?? {};
    this.worked = Date.now() - (kept.at ?? 0) < PAUSE ? kept.worked : 0;
    this.counted = activity.total;
    // A pause is seen when it ends: with the first input after it.
    for (const type of ["keydown", "pointerdown"]) document.addEventListener(type, () => this.#notice(), true);
    this.lastSeen = Date.now();
  }

  // What is due after a pair: "cap", "break" or null. counts: of the day, answers that wait included.
  due(counts) {
    this.#count();
    const today = new Date().toDateString();
    const { cap, capPairs, capMinutes, breaks, breakMinutes } = this.preferences.values;
    const reached =
      (cap === "pairs" && counts.today >= capPairs) || (cap === "minutes" && counts.active_minutes_today >= capMinutes);
    if (reached && recall("localStorage", this.person, "beyond-cap") !== today) return "cap";
    return breaks && this.worked >= breakMinutes * MINUTE ? "break" : null;
  }

  rested() {
    this.worked = 0;
    this.#count();
  }

  later() {
    this.worked = Math.max(0, this.preferences.get("breakMinutes") * MINUTE - POSTPONED);
  }

  // The cap is the annotator's own, and theirs to lift for the day.
  goBeyondCap() {
    remember("localStorage", this.person, "beyond-cap", new Date().toDateString());
  }

  #notice() {
    if (Date.now() - this.lastSeen > PAUSE) this.rested();
    this.lastSeen = Date.now();
  }

  #count() {
    const total = this.activity.total;
    this.worked += total - this.counted;
    this.counted = total;
    remember("sessionStorage", this.person, "rest", { worked: this.worked, at: Date.now() });
  }
}
