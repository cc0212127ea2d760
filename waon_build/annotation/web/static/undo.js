// Taking answers back: one that still waits is taken out of the outbox, one that was sent is asked back from the server.

import { call, inTurn, Refused } from "./api.js";
import { t } from "./campaign.js";
import { $ } from "./dom.js";
import { say } from "./notices.js";

const UNDOABLE = 10;

export class Undo {
  #given = []; // from this page, newest last: {token, task, values, annotation_id once the server has it}

  // reopen(task, values): shows an answered pair again. take(reply, first): what the server says is held.
  constructor(outbox, { reopen, take }) {
    Object.assign(this, { outbox, reopen, take });
  }

  note(task, values) {
    this.#given = [...this.#given, { token: task.token, task, values }].slice(-UNDOABLE);
  }

  noteSent(token, id) {
    const given = this.#given.find((one) => one.token === token);
    if (given) given.annotation_id = id;
  }

  // The same answer, under another lease.
  follow(token, next) {
    const given = this.#given.find((one) => one.token === token);
    if (given) Object.assign(given, { token: next, task: { ...given.task, token: next } });
  }

  forget(token) {
    this.#given = this.#given.filter((one) => one.token !== token);
  }

  get isUnderWay() {
    return $("ask").ariaBusy === "true";
  }

  // Takes an answer back: the one of that id, or the last one given.
  async undo(id = null) {
    if (this.isUnderWay) return;
    $("ask").ariaBusy = "true";
    try {
      say(t(await (id === null ? this.#undoLast() : this.#undoSent(id))));
    } catch (error) {
      say(error instanceof Refused && error.message ? error.message : t("judge.undo_unreachable"));
    } finally {
      $("ask").ariaBusy = "false";
    }
  }

  async #undoLast() {
    const last = this.#given.at(-1);
    if (last && (await this.outbox.takeBack(last.token))) {
      this.#given.pop();
      this.reopen(last.task, last.values);
      return "judge.undone";
    }
    if (last && this.outbox.has(last.token)) return "judge.undo_unreachable";
    const id = last?.annotation_id ?? (await newestUndoable());
    return id === undefined ? "judge.undo_none" : this.#undoSent(id);
  }

  async #undoSent(id) {
    const reply = await inTurn(() => call("/api/undo", { annotation_id: id }));
    this.#given = this.#given.filter((one) => one.annotation_id !== id);
    this.take(reply, reply.tasks[0]);
    return "judge.undone";
  }
}

async function newestUndoable() {
  const { answers } = await inTurn(() => call("/api/recent"));
  return answers.find((one) => one.can_undo)?.annotation_id;
}
