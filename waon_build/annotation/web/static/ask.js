// The question panel: one step at a time, with what has been answered so far above it. It shows and takes; what
// follows from an answer is decided by whoever gave it `actions`:
// choose(question, value), pass() (on to the next step), goTo(step index), change() (something on the sheet changed),
// attend(question) (of a sheet, this one is being answered).

import { t } from "./campaign.js";
import { $, copyOf } from "./dom.js";
import { given, isAsked, isSheet, keys, missing, wording } from "./questions.js";

// The second press of a double click is not an answer to the question that came up under it.
const DOUBLE_CLICK = 300;

export class Ask {
  #step = [];
  #byKey = new Map();
  #writing = false;
  #shownAt = 0;

  constructor(questions, actions) {
    Object.assign(this, { questions, actions });
    $("step").addEventListener("submit", (event) => {
      event.preventDefault();
      this.pass();
    });
    $("step").addEventListener("keydown", (event) => {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && !event.isComposing) this.pass();
      if (event.key === "Escape" && event.target.matches("textarea") && !event.isComposing) $("question").focus();
    });
  }

  // values: the answers so far, which the sheet writes to. steps, at: all steps of the pair, and which one is shown.
  show(task, values, steps, at) {
    Object.assign(this, { task, values, steps, at });
    this.#step = steps[at];
    this.#writing = false;
    this.#shownAt = performance.now();
    this.#byKey = new Map();
    $("ask").hidden = false;
    this.#trail();
    const first = this.#step.find((question) => isAsked(question, values));
    $("step-count").textContent = t("judge.question_number", { n: this.#numberOf(first) });
    $("question").textContent = first.ask;
    $("fields").replaceChildren(...(isSheet(this.#step) ? this.#sheet(first) : this.#options(first)));
    this.#opinions();
    this.#foot();
    $("question").focus({ preventScroll: true });
  }

  hide() {
    $("ask").hidden = true;
    this.#step = [];
    this.#byKey = new Map();
  }

  // A key meant for the page: an option's, Enter to go on, W to write. Says whether there was a use for it.
  key(key) {
    if (this.#byKey.has(key)) this.#byKey.get(key)();
    else if (key === "Enter" && !$("next").hidden) this.pass();
    else if (key === "w" && $("write")) $("write").click();
    else return false;
    return true;
  }

  pass() {
    const open = missing(this.#step, this.values);
    if (!open) return this.actions.pass();
    $("missing").textContent = t("judge.missing", { question: open.ask });
    $("missing").hidden = false;
    return undefined;
  }

  #numberOf(question) {
    return 1 + this.questions.filter((other) => other.kind !== "consent").indexOf(question);
  }

  #trail() {
    const chips = [];
    this.steps.forEach((step, at) => {
      const said = step.filter((question) => isAsked(question, this.values) && given(this.values[question.name]) && question.kind !== "consent");
      if (at === this.at || !said.length) return;
      const chip = copyOf("trail-item");
      const words = said.flatMap((question) => wording(question, this.values[question.name])).join(t("judge.between"));
      chip.querySelector(".trail__number").textContent = this.#numberOf(said[0]);
      chip.querySelector(".trail__words").textContent = words;
      const button = chip.querySelector("button");
      button.setAttribute("aria-label", t("judge.change_answer", { n: this.#numberOf(said[0]), answer: words }));
      button.addEventListener("click", () => this.actions.goTo(at));
      chips.push(chip);
    });
    $("trail").replaceChildren(...chips);
  }

  // One question, one press.
  #options(question) {
    const list = copyOf("option-list");
    list.classList.add(`options--${question.kind}`);
    list.classList.toggle("options--many", question.options.length > 6);
    for (const [, option, key] of keys(this.#step)) {
      const button = copyOf("option");
      const chosen = String(this.values[question.name]) === option.value;
      button.querySelector("kbd").textContent = key.toUpperCase();
      button.querySelector(".option__label").textContent = option.label;
      button.dataset.value = option.value;
      button.dataset.key = key;
      button.classList.toggle("option--chosen", chosen);
      button.classList.toggle("option--aside", question.kind === "scale" && option.value !== key);
      button.setAttribute("aria-pressed", String(chosen));
      if (key) button.setAttribute("aria-keyshortcuts", key.toUpperCase());
      const choose = () => this.actions.choose(question, option.value);
      button.addEventListener("click", (event) => {
        if (event.detail > 1 && performance.now() - this.#shownAt < DOUBLE_CLICK) return;
        choose();
      });
      this.#byKey.set(key, choose);
      list.append(button);
    }
    return [list];
  }

  // Flags, own words and consents: nothing of it needs to be touched.
  #sheet(first) {
    const rows = keys(this.#step);
    return this.#step.flatMap((question) => {
      const parts = [];
      if (question !== first && question.kind === "flags") parts.push(heading(question.ask));
      if (question.kind === "flags") parts.push(this.#flags(question, rows));
      if (question.kind === "text") parts.push(...this.#text(question, question === first));
      if (question.kind === "consent") parts.push(this.#consent(question));
      return parts;
    });
  }

  #flags(question, rows) {
    const list = copyOf("option-list");
    list.classList.add("options--flags");
    for (const [of, option, key] of rows) {
      if (of !== question) continue;
      const row = copyOf("flag");
      const box = row.querySelector("input");
      box.checked = (this.values[question.name] ?? []).includes(option.value);
      box.dataset.value = option.value;
      row.dataset.key = key;
      row.querySelector("kbd").textContent = key.toUpperCase();
      row.querySelector(".option__label").textContent = option.label;
      row.querySelector(".option__note").hidden = !option.rejects;
      if (key) box.setAttribute("aria-keyshortcuts", key.toUpperCase());
      const mark = () => {
        row.classList.toggle("option--chosen", box.checked);
        this.values[question.name] = [...list.querySelectorAll("input:checked")].map((other) => other.dataset.value);
        this.#changed();
      };
      row.classList.toggle("option--chosen", box.checked);
      box.addEventListener("change", mark);
      this.#byKey.set(key, () => {
        box.checked = !box.checked;
        mark();
      });
      list.append(row);
    }
    return list;
  }

  // Few write one: a button until somebody wants to.
  #text(question, open) {
    const area = copyOf("own-words");
    const field = area.querySelector("textarea");
    const count = area.querySelector(".own-words__count");
    area.querySelector(".own-words__ask").textContent = question.ask;
    field.value = this.values[question.name] ?? "";
    field.dataset.question = question.name;
    if (question.max_characters) field.maxLength = question.max_characters;
    const counted = () => {
      count.hidden = !question.max_characters;
      count.textContent = t("judge.characters", { n: [...field.value].length, most: question.max_characters });
    };
    counted();
    field.addEventListener("input", () => {
      this.values[question.name] = field.value;
      counted();
      this.#changed();
    });
    field.addEventListener("focus", () => this.actions.attend(question));
    const button = copyOf("write-button");
    this.#writing ||= open || given(this.values[question.name]);
    button.hidden = this.#writing;
    area.hidden = !this.#writing;
    button.addEventListener("click", () => {
      button.hidden = true;
      area.hidden = false;
      field.focus();
      area.scrollIntoView({ block: "nearest" });
    });
    return [button, area];
  }

  #consent(question) {
    const row = copyOf("consent");
    const box = row.querySelector("input");
    row.dataset.question = question.name;
    row.querySelector(".consent__label").textContent = question.ask;
    row.hidden = !isAsked(question, this.values);
    box.checked = this.values[question.name] === true;
    box.addEventListener("change", () => {
      this.values[question.name] = box.checked;
      this.#changed();
    });
    return row;
  }

  #changed() {
    for (const row of $("fields").querySelectorAll("[data-question]")) {
      const question = this.#step.find((other) => other.name === row.dataset.question);
      if (question.kind !== "consent") continue;
      const asked = isAsked(question, this.values);
      const isNew = asked && row.hidden;
      row.hidden = !asked;
      if (isNew) row.scrollIntoView({ block: "nearest" });
    }
    this.#foot();
    this.actions.change();
  }

  // What goes on from here, in words that say what it means.
  #foot() {
    const [question] = this.#step;
    const said = this.#step.some((other) => isAsked(other, this.values) && given(this.values[other.name]));
    const sheet = isSheet(this.#step);
    $("missing").hidden = true;
    $("next").hidden = !(sheet || said || !question.required);
    $("next").classList.toggle("button--primary", sheet);
    const flags = sheet && this.#step.some((other) => other.kind === "flags");
    const word = sheet ? (said ? "judge.next" : flags ? "judge.nothing_wrong" : "judge.next") : said ? "judge.keep" : "judge.no_answer";
    $("next-label").textContent = t(word);
  }

  // For adjudication: what others said to this step, without names.
  #opinions() {
    const opinions = this.task.opinions ?? [];
    $("opinions").hidden = opinions.length === 0;
    const rows = opinions.flatMap((opinion, at) => {
      const said = this.#step.filter((question) => given(opinion[question.name]) && question.kind !== "consent");
      const words = said.flatMap((question) => wording(question, opinion[question.name]));
      const row = copyOf("opinion");
      row.querySelector("dt").textContent = t("judge.person", { letter: String.fromCharCode(65 + at) });
      row.querySelector("dd").textContent = words.join(t("judge.between")) || t("judge.nothing_said");
      return [row];
    });
    $("opinion-list").replaceChildren(...rows);
  }
}

function heading(text) {
  const element = document.createElement("h3");
  element.textContent = text;
  return element;
}
