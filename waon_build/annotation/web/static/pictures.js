// Pictures, fetched and decoded before they are needed, so that the next one is painted with the key's own frame.

const AGAIN = 3_000;

export class Pictures {
  #known = new Map();

  // Fetches those of `tasks`, in order, and lets go of all others.
  keep(tasks) {
    const wanted = new Set(tasks.map((task) => task.task_id));
    for (const [id, picture] of this.#known) if (!wanted.has(id)) this.#release(id, picture);
    for (const task of tasks) this.of(task);
  }

  // The picture of a task: {image, state: "loading" | "ready" | "broken", settled: promise}.
  of(task) {
    let picture = this.#known.get(task.task_id);
    if (!picture) {
      const image = new Image(task.width, task.height);
      image.decoding = "sync";
      image.draggable = false;
      picture = { image, state: "loading", stopped: false };
      picture.settled = this.#load(task, picture);
      this.#known.set(task.task_id, picture);
    }
    return picture;
  }

  // Once more, after it was broken.
  renew(task) {
    const picture = this.#known.get(task.task_id);
    if (picture) this.#release(task.task_id, picture);
    return this.of(task);
  }

  async #load(task, picture) {
    while (!picture.stopped) {
      let reply;
      try {
        reply = await fetch(task.picture, { credentials: "same-origin" });
        const body = reply.ok ? await reply.blob() : null;
        if (!body) throw new Error(`status ${reply.status}`);
        if (picture.stopped) return;
        picture.image.src = URL.createObjectURL(body);
        await picture.image.decode();
        picture.state = "ready";
        return;
      } catch {
        // No reply, or a server in trouble: later. Anything else: there is no picture to be had.
        if (reply && reply.status < 500 && reply.status !== 429) {
          picture.state = "broken";
          return;
        }
        await new Promise((done) => setTimeout(done, AGAIN));
      }
    }
  }

  #release(id, picture) {
    picture.stopped = true;
    if (picture.image.src) URL.revokeObjectURL(picture.image.src);
    this.#known.delete(id);
  }
}
