// The dialog of one's own choices: each control is bound to the preference of its name.

import { $ } from "./dom.js";
import { showTextSize } from "./preferences.js";

export function bindSettings(preferences) {
  for (const control of $("settings").querySelectorAll("[name]")) {
    set(control, preferences.get(control.name));
    control.addEventListener("change", () => {
      const value = read(control);
      if (value === undefined) return set(control, preferences.get(control.name));
      return preferences.set(control.name, value);
    });
  }
  const depend = () => {
    for (const row of $("settings").querySelectorAll("[data-when]")) {
      const [name, value] = row.dataset.when.split("=");
      row.hidden = String(preferences.get(name)) !== value;
    }
    showTextSize(preferences);
  };
  depend();
  preferences.addEventListener("change", depend);
}

function set(control, value) {
  if (control.type === "checkbox") control.checked = value;
  else if (control.type === "radio") control.checked = control.value === value;
  else control.value = value;
}

// undefined: nothing that could be kept.
function read(control) {
  if (control.type === "checkbox") return control.checked;
  if (control.type !== "number") return control.value;
  return control.validity.valid && control.value ? Number(control.value) : undefined;
}
