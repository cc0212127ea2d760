// The head of the page: how much was done today, and whether everything has arrived.

import { t } from "./campaign.js";
import { $ } from "./dom.js";
import { keepSaying } from "./notices.js";

export function showState({ state, waiting }, { today, minutes }) {
  const word = wordFor(state, waiting);
  const text = t(`judge.${word}`, { n: waiting });
  $("state").dataset.waiting = waiting;
  // It is a live region: written only when it says something else.
  if ($("state").dataset.word !== word || $("state-text").textContent !== text) {
    $("state").dataset.word = word;
    $("state-text").textContent = text;
  }
  $("counts").textContent = t("judge.counts", { n: today });
  $("counts-minutes").textContent = t("judge.counts_minutes", { n: minutes });
  if (state === "outdated") keepSaying("outdated", t("judge.outdated"), { href: location.href, text: t("judge.reload") });
}

function wordFor(state, waiting) {
  if (state === "idle") return "saved";
  // The last answer is always under way for a moment.
  if (state === "sending") return waiting > 1 ? "sending" : "saved";
  return waiting ? "offline_waiting" : "offline";
}
