// The judging page: one pair after the other. Here the parts are put together; what each does is in the module of its
// name. What an annotator gives goes into the outbox and the next pair is shown at once (`give`).

import { Activity } from "./activity.js";
import { alone, takeOver } from "./alone.js";
import { Ask } from "./ask.js";
import { campaign, person, t } from "./campaign.js";
import { Desk } from "./desk.js";
import { choose, isDialogOpen, prepare } from "./dialogs.js";
import { $, announce, copyOf } from "./dom.js";
import { Drafts } from "./drafts.js";
import { Guide } from "./guide.js";
import { Held } from "./held.js";
import { keepSaying, say, tellRefused } from "./notices.js";
import { Outbox } from "./outbox.js";
import { Pair } from "./pair.js";
import { Pictures } from "./pictures.js";
import { Preferences } from "./preferences.js";
import * as questions from "./questions.js";
import { Recent } from "./recent.js";
import { Rest } from "./rest.js";
import { bindSettings } from "./settings.js";
import { listen } from "./shortcuts.js";
import { showState } from "./state.js";
import { openStore } from "./store.js";
import { Supply } from "./supply.js";
import { Undo } from "./undo.js";
import { Zoom } from "./zoom.js";

// So much of a caption is read out by itself.
const SPOKEN = 200;
// What the server takes for milliseconds: 24 days, for which a laptop may have slept.
const LONGEST = 2 ** 31 - 1;

const preferences = new Preferences(person);
const activity = new Activity();
const held = new Held();
const pictures = new Pictures();
const drafts = new Drafts(person);
const rest = new Rest(person, preferences, activity);
const guide = new Guide(preferences);
const zoom = new Zoom();
const pair = new Pair(preferences, { again: () => pair.show(held.current, pictures.renew(held.current)), painted });
const ask = new Ask(campaign.questions, {
  choose: (question, value) => desk.answer(question, value) || submit(),
  pass: () => desk.pass() || submit(),
  goTo: (step) => desk.goTo(step),
  change: () => desk.save(),
  attend: (question) => guide.follow([question]),
});
const actions = { elsewhere: takeOver, resting: resume, stopped: resume, offline: hurry, nothing_left: hurry, paused: hurry };
const desk = new Desk({ held, drafts, pictures, pair, ask, guide, zoom, activity, actions });

bindSettings(preferences);
for (const id of ["keys", "settings"]) prepare(id);
let isNextAwaited = false;
let lost = () => desk.halt("elsewhere");
await alone(person, { busy: () => desk.halt("elsewhere"), lost: () => lost() });

const store = await openStore(person);
const outbox = new Outbox(store);
const supply = new Supply(held, outbox, drafts);
const undo = new Undo(outbox, { reopen, take: (reply, first) => (drafts.end(first), supply.take(reply, first.task_id)) });
const recent = new Recent({ undo: (id) => undo.undo(id), blurred: () => preferences.get("blurAlways") || pair.blurred });

lost = () => (outbox.stop(), desk.halt("elsewhere"));
bindParts();
bindPage();
if (!store.lasting) keepSaying("memory", t("judge.only_in_memory"));
for (const entry of await store.all("refused").catch(() => [])) tell(entry);
desk.halted = "";
await outbox.load();
await supply.claim();
setInterval(renew, (campaign.lease_seconds * 1000) / 3);

// --- what an annotator does

function submit() {
  const { task, draft } = desk.shown;
  const { device } = activity;
  desk.leave();
  undo.note(task, draft.values);
  give("/api/submit", {
    answers: questions.answers(campaign.questions, draft.values),
    guideline_version: campaign.guideline_version,
    active_ms: Math.round(draft.active),
    wall_ms: Math.min(Math.round(draft.wall), LONGEST),
    device,
  });
}

// The current pair is done with. The next one is shown at once; the server hears of it in the background.
function give(path, body) {
  performance.mark("waon:key", { startTime: activity.lastEventAt });
  isNextAwaited = true;
  desk.leave();
  const { task_id, token, caption } = held.finish();
  drafts.end({ task_id });
  desk.show(whyEmpty());
  outbox.add({ path, task_id, token, caption, body: { task_id, token, ...body } });
  if (desk.shown) announce(t("judge.announce_next", { n: today(), caption: desk.shown.task.caption.slice(0, SPOKEN) }));
  const due = rest.due({ ...supply.counts, today: today() });
  if (due) stopFor(due);
}

async function skip() {
  const { task } = desk.shown;
  const reason = await choose("skip");
  if (!reason || desk.shown?.task.task_id !== task.task_id) return;
  const note = $("skip-note").value.trim();
  $("skip-note").value = "";
  give("/api/skip", note ? { reason, note } : { reason });
  say(t(reason === "distressing" ? "judge.skipped_distressing" : "judge.skipped"));
}

async function report() {
  const { task } = desk.shown;
  const kind = await choose("report");
  if (!kind || desk.shown?.task.task_id !== task.task_id) return;
  give("/api/report", { kind });
  say(t("judge.reported"));
}

// What can be reported: the flags with which one person takes a pair out.
function offerReports() {
  const kinds = campaign.questions.flatMap((question) => question.options.filter((option) => option.rejects));
  for (const button of document.querySelectorAll('[data-do="report"]')) button.hidden = kinds.length === 0;
  const buttons = kinds.map((option, at) => {
    const button = copyOf("report-kind");
    const keys = at ? [String(at + 1)] : ["r", "1"];
    Object.assign(button.dataset, { choice: option.value, key: keys.join(" ") });
    button.setAttribute("aria-keyshortcuts", keys.join(" ").toUpperCase());
    button.querySelector("kbd").textContent = keys[0].toUpperCase();
    button.querySelector(".option__label").textContent = t("judge.report_as", { label: option.label });
    return button;
  });
  $("report-kinds").replaceChildren(...buttons);
}

// One step back: to the question before, or from the first one to the pair before.
function back() {
  if (desk.isAtFirstStep) undo.undo();
  else desk.goTo(desk.shown.draft.at - 1);
}

// An answer was taken back before it was sent.
function reopen(task, values) {
  desk.leave();
  held.reopen(task);
  drafts.begin(task, values);
  desk.show();
}

async function stopFor(due) {
  const choice = await choose(due);
  if (choice !== "stop") return due === "cap" ? rest.goBeyondCap() : rest.later();
  if (due === "cap") supply.release();
  return desk.halt(due === "cap" ? "stopped" : "resting");
}

function resume() {
  rest.rested();
  desk.halted = "";
  desk.show();
  if (!held.current) supply.claim();
}

function hurry() {
  outbox.hurry();
  supply.claim();
  desk.show(whyEmpty());
}

// --- what comes of it

function bindParts() {
  outbox.addEventListener("change", () => tellState());
  outbox.addEventListener("unkept", () => keepSaying("memory", t("judge.only_in_memory")));
  outbox.addEventListener("sent", ({ detail: { entry, reply } }) => {
    undo.noteSent(entry.token, reply.annotation_id);
    supply.take(reply);
  });
  outbox.addEventListener("refused", ({ detail: { entry, refusal } }) => refused(entry, refusal));
  supply.addEventListener("taken", () => {
    desk.refresh(whyEmpty());
    tellState();
  });
  supply.addEventListener("lost", ({ detail: { task, wasShown, word } }) => {
    const written = questions.written(campaign.questions, drafts.of(task).values);
    drafts.end(task);
    if (written.length) keep({ key: task.token, caption: task.caption, message: t(`error.${word}`), texts: written }).then(tell);
    else if (wasShown) say(t(`error.${word}`));
    desk.refresh(whyEmpty());
  });
  supply.addEventListener("rescued", ({ detail: { entry, task: { token } } }) => {
    undo.follow(entry.token, token);
    outbox.add({ ...entry, token, body: { ...entry.body, token } });
  });
  supply.addEventListener("signed_out", signedOut);
  supply.addEventListener("trouble", ({ detail: { message } }) => say(message || t("error.server_error")));
}

function whyEmpty() {
  if (["offline", "signed_out"].includes(outbox.state)) return "offline";
  return supply.isClaiming || outbox.waiting || !supply.whyEmpty ? "loading" : supply.whyEmpty;
}

function today() {
  return supply.counts.today + outbox.entries.filter((entry) => entry.path === "/api/submit").length;
}

function tellState() {
  showState(outbox, { today: today(), minutes: Math.round(supply.counts.active_minutes_today) });
  if (!desk.shown) desk.show(whyEmpty());
  if (outbox.state === "signed_out") signedOut();
}

async function refused(entry, refusal) {
  const { path, token, caption, body } = entry;
  // Skipped or reported: that it is no longer ours is what was wanted.
  if (path !== "/api/submit" && ["lease_lost", "task_reported", "task_withdrawn"].includes(refusal.word)) return supply.claim();
  const texts = questions.written(campaign.questions, body.answers ?? {});
  const kept = await keep({ key: token, caption, message: refusal.message || t("error.server_error"), texts });
  if (path === "/api/submit" && refusal.word === "lease_lost" && (await supply.claimAgain(entry))) return putAway(kept);
  undo.forget(token);
  tell(kept);
  return supply.claim();
}

// What was refused stays until it has been looked at: through a reload, too.
async function keep(kept) {
  await store.put("refused", kept).catch(() => {});
  return kept;
}

function putAway(kept) {
  return store.remove("refused", kept.key).catch(() => {});
}

function tell(kept) {
  tellRefused(kept, () => putAway(kept));
}

function signedOut() {
  if (isDialogOpen()) return;
  $("signed-out-waiting").hidden = outbox.waiting === 0;
  $("signed-out-waiting").textContent = t("judge.signed_out_waiting", { n: outbox.waiting });
  choose("signed-out", { cancelable: false }).then(() => location.assign("/"));
}

function renew() {
  if (!document.hidden && desk.halted !== "elsewhere") supply.renew();
}

// --- the page

function bindPage() {
  const doing = {
    back,
    skip,
    report,
    blur: () => pair.toggleBlur(),
    zoom: () => pair.image && zoom.show(pair.image, pair.blurred),
    guide: () => guide.toggle(),
    recent: () => recent.show(),
    keys: () => $("keys").showModal(),
    settings: () => $("settings").showModal(),
  };
  const keys = { u: "back", z: "back", Backspace: "back", s: "skip", r: "report", b: "blur", " ": "zoom", "+": "zoom", g: "guide", h: "recent", "?": "keys" };
  const act = (name) => {
    if (["skip", "report", "blur", "zoom"].includes(name) && !desk.shown) return false;
    if (desk.halted && name === "back") return false;
    doing[name]();
    return true;
  };
  offerReports();
  for (const button of document.querySelectorAll("[data-do]")) {
    button.addEventListener("click", (event) => {
      // After the mouse the next key is for the question, not once more for this button.
      if (event.detail > 0) $("question").focus({ preventScroll: true });
      act(button.dataset.do);
    });
  }
  $("picture-place").addEventListener("click", () => act(pair.blurred ? "blur" : "zoom"));
  listen(preferences, (key) => {
    if (isDialogOpen() || undo.isUnderWay) return false;
    return (desk.shown && ask.key(key)) || (key in keys && act(keys[key]));
  });
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) return;
    outbox.hurry();
    renew();
  });
  window.addEventListener("pagehide", () => supply.release({ leaving: true }));
  window.addEventListener("pageshow", (event) => event.persisted && supply.claim());
  window.addEventListener("beforeunload", (event) => {
    if (!store.lasting && outbox.waiting) event.preventDefault();
  });
}

// From the key to the picture on the screen, for benchmarks: the measure "waon:next-picture".
function painted() {
  if (!isNextAwaited) return;
  isNextAwaited = false;
  requestAnimationFrame(() => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => performance.measure("waon:next-picture", "waon:key");
    port2.postMessage(null);
  });
}
