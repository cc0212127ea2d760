// The tasks that the person holds: the one shown, and those that come next, so that the next picture is already there.

export class Held {
  tasks = [];
  #past = new Set(); // tokens of leases that we are done with, whatever a reply still under way says

  get current() {
    return this.tasks[0] ?? null;
  }

  // Takes over what the server says is held. The task that is shown stays where it is; what has been answered or
  // given back here, which may not have arrived yet, is left out. Gives the tasks that are no longer held.
  merge(tasks, { first = null } = {}) {
    const fresh = new Map(tasks.filter((task) => !this.#past.has(task.token)).map((task) => [task.task_id, task]));
    const gone = this.tasks.filter((task) => !fresh.has(task.task_id));
    const order = [first, ...this.tasks.map((task) => task.task_id), ...fresh.keys()];
    this.tasks = [...new Set(order)].filter((id) => fresh.has(id)).map((id) => fresh.get(id));
    return gone;
  }

  // The current task is answered: the next one takes its place.
  finish() {
    const task = this.current;
    this.remove(task);
    return task;
  }

  // An answer was taken back before it was sent.
  reopen(task) {
    this.allow(task);
    this.tasks = [task, ...this.tasks.filter((other) => other.task_id !== task.task_id)];
  }

  // Under this lease it does not come back.
  remove(task) {
    this.#past.add(task.token);
    this.tasks = this.tasks.filter((other) => other.task_id !== task.task_id);
  }

  // It may come back after all.
  allow(task) {
    this.#past.delete(task.token);
  }
}
