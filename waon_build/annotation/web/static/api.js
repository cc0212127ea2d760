// Calls to the server. A call gives the reply, or throws Refused (the server said no) or Unreachable (it said nothing).

const PATIENCE = 20_000;

export class Unreachable extends Error {}

export class Refused extends Error {
  constructor(status, word, message, retryAfter) {
    super(message);
    Object.assign(this, { status, word, retryAfter });
  }
}

export async function call(path, body, { keepalive = false } = {}) {
  const token = document.querySelector('meta[name="csrf-token"]').content;
  let reply, said;
  try {
    reply = await fetch(path, {
      method: body === undefined ? "GET" : "POST",
      headers: body === undefined ? {} : { "Content-Type": "application/json", "X-CSRF-Token": token },
      body: body === undefined ? undefined : JSON.stringify(body),
      credentials: "same-origin",
      cache: "no-store",
      redirect: "error",
      keepalive,
      signal: AbortSignal.timeout(PATIENCE),
    });
    said = await reply.json();
  } catch (error) {
    // A gateway's page, whatever its status, or half a reply: what it means is that our server said nothing.
    throw new Unreachable(String(error));
  }
  if (reply.ok) return said;
  // A gateway may speak JSON, too: ours gives its reason a word.
  if (typeof said?.error !== "string") throw new Unreachable(String(reply.status));
  const wait = Number(reply.headers.get("Retry-After")) || 0;
  throw new Refused(reply.status, said.error, said.message ?? "", wait * 1000);
}

// One call after another: so each reply holds the truth that the next call starts from.
let last = Promise.resolve();

export function inTurn(action) {
  const turn = last.then(action);
  last = turn.catch(() => {});
  return turn;
}
