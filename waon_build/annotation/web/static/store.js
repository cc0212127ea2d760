// What the browser keeps until the server has it: answers that wait, and answers that were refused and not yet
// looked at. In IndexedDB, one database a person, so that nobody sends or reads another's on a shared computer.

const TABLES = ["waiting", "refused"];
const PREFIX = "waon:";

export async function openStore(person) {
  try {
    return new Kept(await opened(PREFIX + person));
  } catch {
    return new Remembered();
  }
}

// Everything that this browser holds of a person, and of nobody else.
export async function forget(person) {
  for (const storage of [localStorage, sessionStorage]) {
    for (const key of Object.keys(storage)) if (key.startsWith(`${PREFIX}${person}:`)) storage.removeItem(key);
  }
  await new Promise((done) => {
    const request = indexedDB.deleteDatabase(PREFIX + person);
    request.onsuccess = request.onerror = request.onblocked = done;
  });
}

// A small value of a person's in local or session storage; storage may be switched off.
export function recall(storage, person, name) {
  try {
    return JSON.parse(window[storage].getItem(`${PREFIX}${person}:${name}`));
  } catch {
    return null;
  }
}

export function remember(storage, person, name, value) {
  try {
    const key = `${PREFIX}${person}:${name}`;
    if (value === null) window[storage].removeItem(key);
    else window[storage].setItem(key, JSON.stringify(value));
  } catch {
    // Full or switched off: the page works without it.
  }
}

class Kept {
  lasting = true;

  constructor(database) {
    this.database = database;
    // Somebody signs out in another tab: let go, so that the database can be removed.
    database.onversionchange = () => database.close();
  }

  all(table) {
    return this.#in(table, "readonly", (rows) => rows.getAll());
  }

  put(table, entry) {
    return this.#in(table, "readwrite", (rows) => rows.put(entry));
  }

  remove(table, key) {
    return this.#in(table, "readwrite", (rows) => rows.delete(key));
  }

  close() {
    this.database.close();
  }

  #in(table, mode, action) {
    return new Promise((done, failed) => {
      const transaction = this.database.transaction(table, mode);
      const request = action(transaction.objectStore(table));
      transaction.oncomplete = () => done(request.result);
      transaction.onerror = transaction.onabort = () => failed(transaction.error);
    });
  }
}

// Where the browser has no IndexedDB (a private window of some): kept as long as the page is open.
class Remembered {
  lasting = false;
  tables = Object.fromEntries(TABLES.map((table) => [table, new Map()]));

  async all(table) {
    return [...this.tables[table].values()];
  }

  async put(table, entry) {
    this.tables[table].set(entry.key, entry);
  }

  async remove(table, key) {
    this.tables[table].delete(key);
  }

  close() {}
}

function opened(name) {
  return new Promise((done, failed) => {
    const request = indexedDB.open(name, 1);
    request.onupgradeneeded = () => {
      for (const table of TABLES) request.result.createObjectStore(table, { keyPath: "key" });
    };
    request.onsuccess = () => done(request.result);
    request.onerror = request.onblocked = () => failed(request.error);
  });
}
