// The small dialogs. All are <dialog>s: the browser holds the focus in them, closes them with Escape and gives the
// focus back.

import { $ } from "./dom.js";
import { character } from "./shortcuts.js";

export function isDialogOpen() {
  return document.querySelector("dialog[open]") !== null;
}

// Opens a dialog of choices (buttons with data-choice, and their keys in data-key, several with a blank between).
// Gives what was chosen, or null.
export function choose(id, { cancelable = true } = {}) {
  const dialog = $(id);
  dialog.returnValue = "";
  const keyed = (event) => {
    const key = character(event);
    // Enter in a note would press the first button of the form: the one that cancels.
    if (event.target.matches("input") && event.key === "Enter") event.preventDefault();
    if (event.target.matches("input") || event.ctrlKey || event.altKey || event.metaKey || event.repeat) return;
    const button = [...dialog.querySelectorAll("[data-choice]")].find((one) => one.dataset.key?.split(" ").includes(key));
    if (!button) return;
    event.preventDefault();
    event.stopPropagation();
    button.click();
  };
  const clicked = (event) => {
    const button = event.target.closest("[data-choice]");
    if (button) dialog.close(button.dataset.choice);
  };
  const cancelled = (event) => {
    if (!cancelable) event.preventDefault();
  };
  dialog.addEventListener("keydown", keyed);
  dialog.addEventListener("click", clicked);
  dialog.addEventListener("cancel", cancelled);
  dialog.showModal();
  return new Promise((done) => {
    dialog.addEventListener(
      "close",
      () => {
        dialog.removeEventListener("keydown", keyed);
        dialog.removeEventListener("click", clicked);
        dialog.removeEventListener("cancel", cancelled);
        done(dialog.returnValue || null);
      },
      { once: true },
    );
  });
}

// A dialog that only shows something: any button with data-close, or a press beside it, closes it.
export function prepare(id) {
  const dialog = $(id);
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog || event.target.closest("[data-close]")) dialog.close();
  });
  return dialog;
}
