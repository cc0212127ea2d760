// The small dialogs. All are <dialog>s: the browser holds the focus in them, closes them with Escape and gives the
// focus back.

import { $ } from "./dom.js";
import { character } from "./shortcuts.js";

export function isDialogOpen() {
  return document.querySelector("dialog[open]") !== null;
}

// What ends a dialog that is being chosen from.
const ending = new WeakMap();

// Opens a dialog of choices (buttons with data-choice, and their keys in data-key, several with a blank between).
// Gives what was chosen, or null.
export function choose(id, { cancelable = true } = {}) {
  const dialog = $(id);
  // A dialog tells that it was closed a moment later. Quick hands may have opened it again.
  ending.get(dialog)?.();
  dialog.returnValue = "";
  const listening = new AbortController();
  const { signal } = listening;
  dialog.addEventListener("keydown", (event) => pressed(dialog, event), { signal });
  dialog.addEventListener("click", (event) => {
    const button = event.target.closest("[data-choice]");
    if (button) dialog.close(button.dataset.choice);
  }, { signal });
  dialog.addEventListener("cancel", (event) => cancelable || event.preventDefault(), { signal });
  dialog.showModal();
  return new Promise((done) => {
    const end = () => {
      listening.abort();
      ending.delete(dialog);
      done(dialog.returnValue || null);
    };
    ending.set(dialog, end);
    dialog.addEventListener("close", () => dialog.open || end(), { signal });
  });
}

function pressed(dialog, event) {
  const inNote = event.target.matches("input");
  // Enter in a note would press the first button of the form: the one that cancels.
  if (inNote && event.key === "Enter") event.preventDefault();
  if (inNote || event.ctrlKey || event.altKey || event.metaKey || event.repeat) return;
  const key = character(event);
  const button = [...dialog.querySelectorAll("[data-choice]")].find((one) => one.dataset.key?.split(" ").includes(key));
  if (!button) return;
  event.preventDefault();
  event.stopPropagation();
  button.click();
}

// A dialog that only shows something: any button with data-close, or a press beside it, closes it.
export function prepare(id) {
  const dialog = $(id);
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog || event.target.closest("[data-close]")) dialog.close();
  });
  return dialog;
}
