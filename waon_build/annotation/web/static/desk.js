// What lies before the annotator: one pair with its question, or the word why there is none.

import { campaign, t } from "./campaign.js";
import { $ } from "./dom.js";
import * as questions from "./questions.js";

export class Desk {
  shown = null; // {task, draft, since, activeSince}
  halted = "loading"; // why no pair is shown though there may be one; "" when nothing stands in the way

  // actions: what the button beneath the word does, by word.
  constructor({ held, drafts, pictures, pair, ask, guide, zoom, activity, actions }) {
    Object.assign(this, { held, drafts, pictures, pair, ask, guide, zoom, activity, actions });
  }

  halt(word) {
    this.halted = word;
    this.show();
  }

  // Shows the current task. empty: why there is none, if there is none.
  show(empty = "loading") {
    const task = this.halted ? null : this.held.current;
    this.pictures.keep(this.held.tasks);
    if (!task) return this.#showWord(this.halted || empty);
    const draft = this.drafts.of(task);
    $("empty").hidden = true;
    if (this.shown?.task.task_id !== task.task_id) {
      this.leave();
      this.shown = { task, draft, since: Date.now(), activeSince: this.activity.total };
      this.activity.used = new Set(draft.used);
    }
    Object.assign(this.shown, { task, draft });
    this.pair.show(task, this.pictures.of(task));
    return this.#showStep();
  }

  // What is held has changed: shows another pair only when it is not the one that is shown.
  refresh(empty) {
    const task = this.halted ? null : this.held.current;
    if (task && this.shown?.task.task_id === task.task_id) {
      this.shown.task = task;
      this.pictures.keep(this.held.tasks);
    } else this.show(empty);
  }

  // What was spent on a pair is kept with its answers until they are sent.
  leave() {
    if (!this.shown) return;
    const { draft, since, activeSince } = this.shown;
    draft.active += this.activity.total - activeSince;
    draft.wall += Math.max(0, Date.now() - since); // a clock may be set back
    draft.used = [...this.activity.used];
    this.shown = null;
  }

  answer(question, value) {
    this.shown.draft.values[question.name] = value;
    return this.pass();
  }

  // On to the next step. Says whether there was one.
  pass() {
    const { task, draft } = this.shown;
    draft.at += 1;
    this.drafts.save(task);
    if (draft.at >= this.#steps.length) return false;
    this.#showStep();
    return true;
  }

  goTo(step) {
    this.shown.draft.at = step;
    this.#showStep();
  }

  get isAtFirstStep() {
    return !this.shown || this.shown.draft.at === 0;
  }

  save() {
    this.drafts.save(this.shown.task);
  }

  get #steps() {
    return questions.steps(campaign.questions, this.shown.draft.values);
  }

  #showStep() {
    const { task, draft } = this.shown;
    const steps = this.#steps;
    draft.at = Math.min(draft.at, steps.length - 1);
    this.guide.follow(steps[draft.at]);
    this.ask.show(task, draft.values, steps, draft.at);
  }

  #showWord(word) {
    this.leave();
    this.pair.hide();
    this.ask.hide();
    this.zoom.close();
    const isNew = $("empty").dataset.word !== word || $("empty").hidden;
    $("empty").dataset.word = word;
    $("empty").hidden = false;
    $("empty-title").textContent = t(`why_empty.${word}.title`);
    $("empty-text").textContent = t(`why_empty.${word}.text`);
    const action = this.actions[word];
    $("empty-action").hidden = !action;
    if (action) $("empty-action").textContent = t(`why_empty.${word}.action`);
    $("empty-action").onclick = action ? () => action() : null;
    if (isNew && word !== "loading") $("empty-title").focus({ preventScroll: true });
  }
}
