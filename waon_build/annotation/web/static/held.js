// The tasks that the person holds: the one shown, and those that come next, so that the next picture is already there.

export class Held {
  tasks = [];
  #answered = new Set();

  get current() {
    return this.tasks[0] ?? null;
  }

  // Takes over what the server says is held. The task that is shown stays where it is; what has been answered here
  // and is still on its way is left out. Gives the tasks that are no longer held.
  merge(tasks, { first = null } = {}) {
    const fresh = new Map(tasks.filter((task) => !this.#answered.has(task.token)).map((task) => [task.task_id, task]));
    const gone = this.tasks.filter((task) => !fresh.has(task.task_id));
    const order = [first, ...this.tasks.map((task) => task.task_id), ...fresh.keys()];
    this.tasks = [...new Set(order)].filter((id) => fresh.has(id)).map((id) => fresh.get(id));
    return gone;
  }

  // The current task is answered: the next one takes its place. Answered under this token, it does not come back.
  finish() {
    const [task] = this.tasks.splice(0, 1);
    this.#answered.add(task.token);
    return task;
  }

  // An answer was taken back before it was sent.
  reopen(task) {
    this.#answered.delete(task.token);
    this.tasks = [task, ...this.tasks.filter((other) => other.task_id !== task.task_id)];
  }

  remove(id) {
    this.tasks = this.tasks.filter((task) => task.task_id !== id);
  }
}
