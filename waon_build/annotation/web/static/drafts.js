// Answers that are being given, by task: so that an undo, a reload or a lost lease loses no word. In the session
// storage of this window, until they are sent.

import { recall, remember } from "./store.js";

export class Drafts {
  #known = new Map();

  constructor(person) {
    this.person = person;
  }

  // {values, at: step, active, wall: milliseconds already spent, used: with what}
  of(task) {
    let draft = this.#known.get(task.task_id);
    if (!draft) {
      const kept = recall("sessionStorage", this.person, `draft:${task.task_id}`);
      draft = kept ?? this.#begun({ values: { ...task.answers }, at: task.answers ? Infinity : 0 });
      this.#known.set(task.task_id, draft);
    }
    return draft;
  }

  // The answers of a task that comes back to be changed: shown from the end, where they were sent.
  begin(task, values) {
    this.#known.set(task.task_id, this.#begun({ values: { ...values }, at: Infinity }));
  }

  save(task) {
    remember("sessionStorage", this.person, `draft:${task.task_id}`, this.#known.get(task.task_id));
  }

  end(task) {
    this.#known.delete(task.task_id);
    remember("sessionStorage", this.person, `draft:${task.task_id}`, null);
  }

  isBegun(task) {
    return Object.keys(this.of(task).values).length > 0;
  }

  #begun(draft) {
    return { active: 0, wall: 0, used: [], ...draft };
  }
}
