// What every page does: the text size that was chosen, the menu, and leaving nothing behind when somebody signs out.

import { call } from "./api.js";
import { Preferences, showTextSize } from "./preferences.js";
import { forget, openStore } from "./store.js";

const person = document.body.dataset.person;
if (person) showTextSize(new Preferences(person));

const menu = document.getElementById("menu");
document.addEventListener("click", (event) => menu?.contains(event.target) || menu?.removeAttribute("open"));
menu?.addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || !menu.open) return;
  menu.open = false;
  menu.querySelector("summary").focus();
});

// The content security policy has no inline styles: widths come as data.
for (const bar of document.querySelectorAll("[data-share]")) bar.style.width = `${100 * Number(bar.dataset.share)}%`;

for (const button of document.querySelectorAll("[data-copy]")) {
  button.hidden = false;
  button.addEventListener("click", async () => {
    const field = document.getElementById(button.dataset.copy);
    field.select();
    await navigator.clipboard.writeText(field.value).catch(() => document.execCommand("copy"));
    button.textContent = button.dataset.done;
  });
}

// Answers still on their way are sent before somebody goes; what cannot be sent is not thrown away unasked.
document.getElementById("sign-out")?.addEventListener("submit", async (event) => {
  event.preventDefault();
  const form = event.target;
  const unsent = await sendAll();
  const question = document.getElementById("sign-out-unsent");
  if (unsent && question.hidden) {
    question.hidden = false;
    question.textContent = question.dataset.text.replace("{n}", unsent);
    question.focus();
    return;
  }
  await forget(person);
  // form.submit() would leave out which button it was.
  const which = Object.assign(document.createElement("input"), { type: "hidden", name: "action", value: event.submitter.value });
  form.append(which);
  form.submit();
});

async function sendAll() {
  const store = await openStore(person);
  const entries = (await store.all("waiting").catch(() => [])).sort((one, other) => one.order - other.order);
  let unsent = entries.length;
  for (const { key, path, body } of entries) {
    try {
      await call(path, body);
    } catch (error) {
      // Refused for good: nothing is left to send.
      if (![404, 409, 413, 422].includes(error.status)) break;
    }
    await store.remove("waiting", key).catch(() => {});
    unsent -= 1;
  }
  store.close();
  return unsent;
}
