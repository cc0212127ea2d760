// Where the pairs come from: tasks are claimed ahead, held on to while somebody looks, and given back.
//
// Events: "taken" (what is held, or what is known of the day, may have changed), "lost" {task, wasShown, word} (a
// task is no longer ours: `word` says why), "rescued" {entry, task} (a task that was answered too late is ours again),
// "signed_out", "trouble" {message}.

import { call, inTurn, Refused } from "./api.js";

const LOOK_AGAIN = 60_000;
const AGAIN_SOON = 10_000;
// So many leases are renewed with one call.
const MOST = 10;

export class Supply extends EventTarget {
  counts = { today: 0, total: 0, active_minutes_today: 0 };
  whyEmpty = null;
  #claiming = null;
  #late = new Map();
  #timer = 0;

  constructor(held, outbox, drafts) {
    super();
    Object.assign(this, { held, outbox, drafts });
  }

  get isClaiming() {
    return this.#claiming !== null;
  }

  claim() {
    clearTimeout(this.#timer);
    this.#claiming ??= inTurn(() => call("/api/claim", {}))
      .then((reply) => {
        this.outbox.found();
        this.take(reply);
      })
      .catch((error) => {
        this.#failed(error);
        this.#timer = setTimeout(() => this.claim(), AGAIN_SOON);
      })
      .finally(() => {
        this.#claiming = null;
        this.#tell("taken");
      });
    return this.#claiming;
  }

  // What the server says is held. first: the id of the task to be shown next, when it is not the one that is.
  take(reply, first = null) {
    this.counts = reply.counts ?? this.counts;
    this.whyEmpty = reply.why_empty ?? null;
    const shown = this.held.current;
    // What was answered before a reload is still held until the answer has arrived.
    const tasks = reply.tasks.filter((task) => !this.#rescue(task) && !this.outbox.hasTask(task.task_id));
    const gone = this.held.merge(tasks, { first });
    if (gone.includes(shown)) this.#askWhy(shown);
    this.#tell("taken");
    clearTimeout(this.#timer);
    if (this.whyEmpty === "nothing_left" && !this.held.current) {
      this.#timer = setTimeout(() => document.hidden || this.claim(), LOOK_AGAIN);
    }
  }

  // An answer came after its lease had run out. When its task is handed to us once more, it was not in vain: says whether
  // that is so.
  async claimAgain(entry) {
    this.#late.set(entry.task_id, entry);
    await this.claim();
    return !this.#late.delete(entry.task_id);
  }

  // Held on to while somebody looks. What somebody else reported meanwhile is lost at once.
  async renew() {
    const leases = [...this.held.tasks, ...this.outbox.entries].slice(0, MOST);
    if (!leases.length) return;
    let gone;
    try {
      ({ gone } = await renewed(leases));
      this.outbox.found();
    } catch (error) {
      this.#failed(error);
      return;
    }
    if (!gone.length) return;
    const asked = new Set(leases.map(({ token }) => token));
    for (const { task_id, error } of gone) {
      const task = this.held.tasks.find((one) => one.task_id === task_id && asked.has(one.token));
      // One that ran out may be handed to us anew: what was begun goes on then.
      if (!task || error === "lease_lost") continue;
      const wasShown = task === this.held.current;
      this.held.remove(task);
      this.#tell("lost", { task, wasShown, word: error });
    }
    this.claim();
  }

  // Nobody holds what nobody looks at. What was begun stays: it goes on after a reload.
  // leaving: the page is closed, and nothing can be waited for.
  release({ leaving = false } = {}) {
    const idle = this.held.tasks.filter((task) => !this.drafts.isBegun(task));
    if (!idle.length) return;
    const release = () => call("/api/release", { tokens: idle.map((task) => task.token) }, { keepalive: true });
    // Who goes on at once after all must not have taken away what they are then given.
    const released = leaving ? release() : inTurn(release);
    for (const task of idle) this.held.remove(task);
    released.catch(() => idle.forEach((task) => this.held.allow(task)));
  }

  #rescue(task) {
    const entry = this.#late.get(task.task_id);
    if (!entry) return false;
    this.#late.delete(task.task_id);
    this.#tell("rescued", { entry, task });
    return true;
  }

  // The task on the screen is no longer among those held. Why, only the server knows.
  async #askWhy(task) {
    const { gone } = await renewed([task]).catch(() => ({ gone: [] }));
    this.#tell("lost", { task, wasShown: true, word: gone[0]?.error ?? "lease_lost" });
  }

  #failed(error) {
    if (!(error instanceof Refused)) this.outbox.lost();
    else if (error.status === 401) this.#tell("signed_out");
    else if (error.status !== 429) this.#tell("trouble", { message: error.message });
  }

  #tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}

function renewed(leases) {
  const these = leases.map(({ task_id, token }) => ({ task_id, token }));
  return inTurn(() => call("/api/renew", { held: these }));
}
