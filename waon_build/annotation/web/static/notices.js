// What has to be said to somebody outside the questions: briefly, or, where words of theirs are at stake, until they
// have put it away.

import { t } from "./campaign.js";
import { $, copyOf } from "./dom.js";

const BRIEFLY = 8_000;

// A line that goes away by itself. Screen readers hear it through role=status.
export function say(text) {
  const line = copyOf("brief");
  line.querySelector("p").textContent = text;
  line.querySelector("button").addEventListener("click", () => line.remove());
  $("notices").append(line);
  while ($("notices").querySelectorAll(".notice--brief").length > 3) $("notices").querySelector(".notice--brief").remove();
  setTimeout(() => line.remove(), BRIEFLY);
}

// A line that stays as long as something is so. name: what it is about; text null: no longer so.
export function keepSaying(name, text, link = null) {
  let line = $("notices").querySelector(`[data-name="${name}"]`);
  if (text === null) return line?.remove();
  if (!line) {
    line = copyOf("lasting");
    line.dataset.name = name;
    $("notices").append(line);
  }
  const anchor = line.querySelector("a");
  line.querySelector("p").textContent = text;
  anchor.hidden = link === null;
  if (link) [anchor.href, anchor.textContent] = [link.href, link.text];
  return undefined;
}

// An answer that was refused: why, and what was written in it, to be copied. Stays until it is put away.
export function tellRefused({ caption, message, texts }, putAway) {
  const line = copyOf("refused");
  line.querySelector(".refused__why").textContent = message;
  line.querySelector(".refused__caption").textContent = caption;
  for (const part of line.querySelectorAll(".refused__kept, .refused__copy")) part.hidden = texts.length === 0;
  line.querySelector("textarea").value = texts.join("\n");
  line.querySelector(".refused__copy").addEventListener("click", (event) => copy(line.querySelector("textarea"), event.currentTarget));
  line.querySelector(".refused__close").addEventListener("click", () => {
    line.remove();
    putAway();
  });
  $("notices").append(line);
}

export async function copy(field, button) {
  field.select();
  try {
    await navigator.clipboard.writeText(field.value);
  } catch {
    document.execCommand("copy");
  }
  button.textContent = t("judge.copied");
}
