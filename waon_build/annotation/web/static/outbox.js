// Answers on their way to the server: taken at once, kept in the browser, sent in order, each until the server has it
// or refuses it. The token of the lease makes sending twice harmless: the server takes an answer once.
//
// Events: "change" (the state, or how many wait), "sent" {entry, reply}, "refused" {entry, refusal}.

import { call, inTurn, Refused, Unreachable } from "./api.js";

const FIRST_PAUSE = 1_000;
const LONGEST_PAUSE = 30_000;
// Beyond that size a browser does not finish a request after the page is closed.
const SMALL = 30_000;

export class Outbox extends EventTarget {
  state = "idle"; // idle, sending, offline, signed_out, outdated (the page must be loaded anew)
  #entries = [];
  #underWay = null;
  #running = null;
  #pause = FIRST_PAUSE;
  #timer = 0;
  #order = 0;
  #stopped = false;

  constructor(store) {
    super();
    this.store = store;
    window.addEventListener("online", () => this.found());
    window.addEventListener("offline", () => this.#become("offline"));
  }

  // Answers from before the page was loaded.
  async load() {
    const kept = await this.store.all("waiting").catch(() => []);
    this.#entries = [...kept, ...this.#entries].sort((one, other) => one.order - other.order);
    this.#order = Math.max(0, ...this.#entries.map((entry) => entry.order));
    this.#tell("change");
    if (this.waiting) this.flush();
  }

  get waiting() {
    return this.#entries.length;
  }

  get entries() {
    return [...this.#entries];
  }

  has(token) {
    return this.#entries.some((entry) => entry.token === token);
  }

  hasTask(id) {
    return this.#entries.some((entry) => entry.task_id === id);
  }

  // entry: {path, token, task_id, body, caption}
  add(entry) {
    const { path, token, task_id, caption, body } = entry;
    const kept = { path, token, task_id, caption, body, key: token, order: ++this.#order };
    this.#entries.push(kept);
    // A send that comes back sooner must not be outrun by the note that it waits.
    kept.noted = this.store.put("waiting", { ...kept }).catch(() => this.#tell("unkept"));
    this.#tell("change");
    this.flush();
  }

  // Gives back an answer that the server has not heard of, or null. One under way is waited for first.
  async takeBack(token) {
    while (this.#underWay?.token === token) await this.#underWay.over;
    const entry = this.#entries.find((candidate) => candidate.token === token);
    if (!entry || entry.tried) return null;
    await this.#drop(entry);
    return entry;
  }

  // Another call found that the server does not answer, or that it does.
  lost() {
    if (this.state === "idle") this.#become("offline");
  }

  found() {
    if (this.state === "offline" && !this.waiting) this.#become("idle");
    else if (this.state === "offline") this.hurry();
  }

  // Another window sends from here on.
  stop() {
    clearTimeout(this.#timer);
    this.#stopped = true;
  }

  // Try now, and not only when the pause is over.
  hurry() {
    this.#pause = FIRST_PAUSE;
    if (this.waiting) this.flush();
  }

  flush() {
    clearTimeout(this.#timer);
    if (this.#stopped) return Promise.resolve();
    this.#running ??= this.#sendAll().finally(() => {
      this.#running = null;
      if (this.state === "idle" && this.waiting) this.flush();
    });
    return this.#running;
  }

  async #sendAll() {
    let halted = false;
    for (let entry; !halted && !this.#stopped && (entry = this.#entries.find((one) => !one.later)); ) {
      this.#become("sending");
      halted = (await this.#send(entry)) === "halt";
    }
    const postponed = this.#entries.filter((entry) => entry.later);
    for (const entry of postponed) entry.later = false;
    if (halted) return;
    this.#become(postponed.length ? "offline" : "idle");
    if (postponed.length) this.#tryLater(this.#pause);
    else this.#pause = FIRST_PAUSE;
  }

  async #send(entry) {
    let over;
    this.#underWay = { token: entry.token, over: new Promise((done) => (over = done)) };
    try {
      const reply = await inTurn(() => call(entry.path, entry.body, { keepalive: sizeOf(entry) < SMALL }));
      await this.#drop(entry);
      this.#tell("sent", { entry, reply });
      return "next";
    } catch (error) {
      return await this.#failed(entry, error);
    } finally {
      this.#underWay = null;
      over();
    }
  }

  async #failed(entry, error) {
    // Whether the server took it is not known: from here on it can only be sent again. Without a network it did not.
    entry.tried ||= navigator.onLine;
    if (error instanceof Unreachable) return this.#halt("offline", this.#pause);
    if (!(error instanceof Refused)) throw error;
    if ([429, 503].includes(error.status)) return this.#halt("offline", error.retryAfter || this.#pause);
    if (error.status === 401) return this.#halt("signed_out");
    if (error.status === 403) return this.#halt("outdated");
    if (error.status >= 500) {
      // It may be this answer that the server stumbles over: the others go first.
      entry.later = true;
      return "next";
    }
    await this.#drop(entry);
    this.#tell("refused", { entry, refusal: error });
    return "next";
  }

  #halt(state, pause) {
    this.#become(state);
    if (pause) this.#tryLater(pause);
    return "halt";
  }

  #tryLater(pause) {
    this.#timer = setTimeout(() => this.flush(), pause);
    this.#pause = Math.min(LONGEST_PAUSE, 2 * this.#pause);
  }

  async #drop(entry) {
    await entry.noted;
    await this.store.remove("waiting", entry.key).catch(() => {});
    this.#entries = this.#entries.filter((other) => other !== entry);
    this.#tell("change");
  }

  #become(state) {
    this.state = state;
    this.#tell("change");
  }

  #tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}

function sizeOf(entry) {
  return JSON.stringify(entry.body).length;
}
