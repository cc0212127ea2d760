// The guideline beside the picture: the section of the question that is being answered, and on request any other.
// On a wide window it is a column that can be closed, on a narrow one a sheet over the page.

import { $ } from "./dom.js";

const NARROW = matchMedia("(max-width: 68.74rem)");

export class Guide {
  #step = [];

  constructor(preferences) {
    this.preferences = preferences;
    this.panel = $("guide");
    this.buttons = document.querySelectorAll("[data-guide-toggle]");
    this.sections = [...this.panel.querySelectorAll("[data-section]")];
    for (const button of this.buttons) button.addEventListener("click", () => this.toggle());
    $("guide-close").addEventListener("click", () => this.toggle(false));
    this.panel.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && NARROW.matches) this.toggle(false);
    });
    for (const section of this.sections) {
      const title = section.querySelector("h1, h2, h3")?.textContent ?? section.dataset.section;
      $("guide-contents").append(new Option(title, section.dataset.section));
    }
    $("guide-contents").addEventListener("change", (event) => this.#show([event.target.value]));
    NARROW.addEventListener("change", () => this.#lay(!NARROW.matches && preferences.get("guide")));
    this.#lay(!NARROW.matches && preferences.get("guide"));
    this.#show(this.sections.slice(0, 1).map((section) => section.dataset.section));
  }

  get open() {
    return !this.panel.hidden;
  }

  // The sections of the questions of a step; those without one show nothing.
  follow(step) {
    const names = step.map((question) => question.name).filter((name) => this.sections.some((section) => section.dataset.section === name));
    if (names.join() === this.#step.join()) return;
    this.#step = names;
    this.#show(names);
  }

  // One section by its name, opened for somebody who asks for it.
  show(name) {
    this.toggle(true);
    this.#show([name]);
  }

  toggle(open = !this.open) {
    if (!NARROW.matches) this.preferences.set("guide", open);
    this.#lay(open);
    if (open && NARROW.matches) $("guide-close").focus();
    else if (!open && NARROW.matches) this.buttons[0].focus();
  }

  #lay(open) {
    this.panel.hidden = !open;
    document.body.classList.toggle("guide-open", open);
    for (const button of this.buttons) button.setAttribute("aria-expanded", String(open));
    const sheet = open && NARROW.matches;
    $("guide-shade").hidden = !sheet;
    // Behind a sheet there is nothing to reach.
    for (const other of [$("header"), $("pair"), $("ask")]) other.inert = sheet;
  }

  #show(names) {
    for (const section of this.sections) section.hidden = !names.includes(section.dataset.section);
    $("guide-contents").value = names[0] ?? "";
    $("guide-text").scrollTop = 0;
  }
}
