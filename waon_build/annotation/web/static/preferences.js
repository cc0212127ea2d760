// What annotators choose for themselves. Kept in this browser and nowhere else.

import { recall, remember } from "./store.js";

export const DEFAULTS = {
  blurAlways: false, // every picture comes blurred, and is revealed one by one
  blurred: false, // the B key: blurred until it is pressed again
  cap: "none", // "none", "pairs", "minutes": how much a day
  capPairs: 300,
  capMinutes: 240,
  breaks: true,
  breakMinutes: 50,
  shortcuts: true,
  textSize: "normal", // "normal", "large", "larger"
  guide: true, // the guideline stands open beside the picture
};

export class Preferences extends EventTarget {
  constructor(person) {
    super();
    this.person = person;
    this.values = { ...DEFAULTS, ...recall("localStorage", person, "preferences") };
  }

  get(name) {
    return this.values[name];
  }

  set(name, value) {
    this.values[name] = value;
    remember("localStorage", this.person, "preferences", this.values);
    this.dispatchEvent(new CustomEvent("change", { detail: name }));
  }
}

export function showTextSize(preferences) {
  document.documentElement.dataset.textSize = preferences.get("textSize");
}
