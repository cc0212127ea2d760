// Keys of one character, for those who judge by keyboard. They can be switched off (WCAG 2.1.4), and are never taken
// from somebody who types. Enter, Escape and the arrow keys are no such shortcuts and always work.

import { isTextField } from "./dom.js";

// The character of a key, whatever the keyboard's script or input method: 1 for １, u on a Cyrillic board.
export function character(event) {
  if (/^[ -~]$/.test(event.key)) return event.key.toLowerCase();
  const named = /^(?:Digit|Numpad|Key)([0-9A-Z])$/.exec(event.code);
  return event.key.length === 1 || event.key === "Process" ? (named?.[1].toLowerCase() ?? event.key) : event.key;
}

// Calls act(character, event) for each single key that is meant for the page; act says whether it had a use for it.
export function listen(preferences, act) {
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.repeat || event.ctrlKey || event.altKey || event.metaKey) return;
    if (isTextField(event.target)) return;
    const key = character(event);
    const single = key.length === 1 || key === "Backspace";
    if (single && !preferences.get("shortcuts")) return;
    // A focused button has its own use for these two.
    if ((key === "Enter" || key === " ") && event.target.closest("button, a, input, label, summary, select")) return;
    if (act(key, event)) event.preventDefault();
  });
}
