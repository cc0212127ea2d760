// The judging page: one pair after the other. Everything an annotator does comes together here; how each part looks
// and works is in the module of its name.

import { Activity } from "./activity.js";
import { alone, takeOver } from "./alone.js";
import { call, inTurn, Refused } from "./api.js";
import { Ask } from "./ask.js";
import { campaign, person, t } from "./campaign.js";
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
import { openStore } from "./store.js";
import { Zoom } from "./zoom.js";

const UNDOABLE = 10;
const LOOK_AGAIN = 60_000;
const MOST_RENEWED = 10;

const preferences = new Preferences(person);
const activity = new Activity();
const held = new Held();
const pictures = new Pictures();
const drafts = new Drafts(person);
const rest = new Rest(person, preferences, activity);
const guide = new Guide(preferences);
const zoom = new Zoom();
const pair = new Pair(preferences, { again: () => pair.show(held.current, pictures.renew(held.current)) });
const ask = new Ask(campaign.questions, { choose: answer, pass, goTo, change: () => drafts.save(shown.task) });
const recent = new Recent({ undo, blurred: () => pair.blurred || preferences.get("blurAlways") });

let store;
let outbox;
let shown = null; // {task, draft, since, activeSince}: what is on the screen
let halted = "loading"; // why no pair is to be shown though there may be one; "" when nothing stands in the way
let history = []; // what was sent from this page, newest last: {token, task, values, annotation_id}
let counts = { today: 0, total: 0, active_minutes_today: 0 };
let whyEmpty = null;
let claiming = null;
let lookAgain = 0;

bindSettings(preferences);
for (const id of ["keys", "settings"]) prepare(id);
await alone(person, { busy: () => halt("elsewhere"), lost: () => (outbox?.stop(), halt("elsewhere")) });
await begin();

async function begin() {
  store = await openStore(person);
  outbox = new Outbox(store);
  outbox.addEventListener("change", showState);
  outbox.addEventListener("sent", ({ detail }) => sent(detail));
  outbox.addEventListener("refused", ({ detail }) => refused(detail));
  outbox.addEventListener("unkept", () => keepSaying("memory", t("judge.only_in_memory")));
  if (!store.lasting) keepSaying("memory", t("judge.only_in_memory"));
  for (const entry of await store.all("refused").catch(() => [])) tell(entry);
  bindPage();
  halted = "";
  await outbox.load();
  await claim();
  setInterval(renew, (campaign.lease_seconds * 1000) / 3);
}

// --- what is shown

function show() {
  const task = halted ? null : held.current;
  pictures.keep(held.tasks);
  if (!task) return showEmpty();
  $("empty").hidden = true;
  const draft = drafts.of(task);
  // Times go on where they were when the pair is shown once more.
  if (shown?.task.task_id !== task.task_id) {
    leaveShown();
    shown = { task, draft, since: Date.now(), activeSince: activity.total };
    activity.used = new Set(draft.used);
  }
  Object.assign(shown, { task, draft });
  pair.show(task, pictures.of(task));
  showStep();
  return undefined;
}

function showStep() {
  const { task, draft } = shown;
  const steps = questions.steps(campaign.questions, draft.values);
  draft.at = Math.min(draft.at, steps.length - 1);
  guide.follow(steps[draft.at]);
  ask.show(task, draft.values, steps, draft.at);
}

// What was spent on a pair is kept with its answers until they are sent.
function leaveShown() {
  if (!shown) return;
  const { draft } = shown;
  draft.active += activity.total - shown.activeSince;
  draft.wall += Date.now() - shown.since;
  draft.used = [...activity.used];
  shown = null;
}

function showEmpty() {
  leaveShown();
  pair.hide();
  ask.hide();
  zoom.close();
  const offline = outbox && ["offline", "signed_out"].includes(outbox.state);
  const word = halted || (offline ? "offline" : (claiming || outbox?.waiting || !whyEmpty ? "loading" : whyEmpty));
  if ($("empty").dataset.word === word && !$("empty").hidden) return;
  $("empty").dataset.word = word;
  $("empty").hidden = false;
  $("empty-title").textContent = t(`why_empty.${word}.title`);
  $("empty-text").textContent = t(`why_empty.${word}.text`);
  const action = { elsewhere: takeOver, resting: resume, stopped: resume, offline: hurry, nothing_left: claim, paused: claim }[word];
  $("empty-action").hidden = !action;
  if (action) $("empty-action").textContent = t(`why_empty.${word}.action`);
  $("empty-action").onclick = action ?? null;
  if (word !== "loading") $("empty-title").focus({ preventScroll: true });
}

function halt(word) {
  halted = word;
  show();
}

function resume() {
  rest.rested();
  halted = "";
  show();
  if (!held.current) claim();
}

function hurry() {
  outbox.hurry();
  claim();
}

function showState() {
  const { state, waiting } = outbox;
  const word = state === "idle" || (state === "sending" && waiting < 2) ? "saved" : state === "sending" ? "sending" : waiting ? "offline_waiting" : "offline";
  const text = t(`judge.${word}`, { n: waiting });
  $("state").dataset.waiting = waiting;
  if ($("state").dataset.word !== word || $("state-text").textContent !== text) {
    $("state").dataset.word = word;
    $("state-text").textContent = text;
  }
  $("counts").textContent = t("judge.counts", { n: today() });
  $("counts-minutes").textContent = t("judge.counts_minutes", { n: Math.round(counts.active_minutes_today) });
  if (state === "signed_out") signedOut();
  if (state === "outdated") keepSaying("outdated", t("judge.outdated"), { href: location.href, text: t("judge.reload") });
}

function today() {
  return counts.today + outbox.entries.filter((entry) => entry.path === "/api/submit").length;
}

// --- what an annotator does

function answer(question, value) {
  shown.draft.values[question.name] = value;
  pass();
}

function pass() {
  const { task, draft } = shown;
  draft.at += 1;
  if (draft.at < questions.steps(campaign.questions, draft.values).length) showStep();
  else submit();
  if (shown?.task === task) drafts.save(task);
}

function goTo(step) {
  shown.draft.at = step;
  showStep();
}

function submit() {
  const { task, draft } = shown;
  const device = activity.device;
  leaveShown();
  const said = questions.answers(campaign.questions, draft.values);
  history = [...history, { token: task.token, task, values: draft.values }].slice(-UNDOABLE);
  send("/api/submit", {
    answers: said,
    guideline_version: campaign.guideline_version,
    active_ms: Math.round(draft.active),
    wall_ms: Math.round(draft.wall),
    device,
  });
}

// The current task is done with: the next one is shown at once, and the server hears of it in the background.
function send(path, body) {
  performance.mark("waon:key", { startTime: activity.lastEventAt });
  leaveShown();
  const task = held.finish();
  drafts.end(task);
  const due = rest.due({ ...counts, today: today() + (path === "/api/submit" ? 1 : 0) });
  show();
  outbox.add({ path, token: task.token, task_id: task.task_id, caption: task.caption, body: { task_id: task.task_id, token: task.token, ...body } });
  if (shown) announce(t("judge.announce_next", { n: today() }));
  if (due) stopFor(due);
  measurePaint();
}

async function skip() {
  const { task } = shown;
  const reason = await choose("skip");
  if (!reason || shown?.task.task_id !== task.task_id) return;
  const note = $("skip-note").value.trim();
  $("skip-note").value = "";
  send("/api/skip", note ? { reason, note } : { reason });
  say(t(reason === "distressing" ? "judge.skipped_distressing" : "judge.skipped"));
}

async function report() {
  const { task } = shown;
  const kind = await choose("report");
  if (!kind || shown?.task.task_id !== task.task_id) return;
  send("/api/report", { kind });
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
    button.querySelector(".option__label").textContent = option.label;
    return button;
  });
  $("report-kinds").replaceChildren(...buttons);
}

// One step back: to the question before, or from the first one to the pair before.
function back() {
  if (shown && shown.draft.at > 0) goTo(shown.draft.at - 1);
  else undo();
}

// Takes an answer back: the one of that id, or the last one given.
async function undo(id = null) {
  if ($("ask").ariaBusy === "true") return;
  $("ask").ariaBusy = "true";
  try {
    const last = history.at(-1);
    if (id === null && last) {
      const unsent = await outbox.takeBack(last.token);
      if (unsent) return reopen(last);
      if (outbox.has(last.token)) return say(t("judge.undo_unreachable"));
    }
    id ??= last?.annotation_id ?? (await newestUndoable());
    if (id === undefined) return say(t("judge.undo_none"));
    const reply = await inTurn(() => call("/api/undo", { annotation_id: id }));
    history = history.filter((one) => one.annotation_id !== id);
    const [task] = reply.tasks;
    drafts.end(task);
    take(reply, task.task_id);
    say(t("judge.undone"));
  } catch (error) {
    say(error instanceof Refused ? error.message : t("judge.undo_unreachable"));
  } finally {
    $("ask").ariaBusy = "false";
  }
  return undefined;
}

function reopen({ task, values }) {
  history.pop();
  leaveShown();
  held.reopen(task);
  drafts.begin(task, values);
  show();
  say(t("judge.undone"));
}

async function newestUndoable() {
  const { answers } = await inTurn(() => call("/api/recent"));
  return answers.find((one) => one.can_undo)?.annotation_id;
}

async function stopFor(due) {
  const choice = await choose(due);
  if (choice !== "stop") return due === "cap" ? rest.goBeyondCap() : rest.later();
  if (due === "cap") release();
  return halt(due === "cap" ? "stopped" : "resting");
}

// --- what the server says

function claim() {
  clearTimeout(lookAgain);
  claiming ??= inTurn(() => call("/api/claim", {}))
    .then((reply) => take(reply))
    .catch((error) => {
      if (!(error instanceof Refused)) outbox.lost();
      else if (error.status === 401) signedOut();
      else say(error.message || t("error.server_error"));
      lookAgain = setTimeout(claim, LOOK_AGAIN / 6);
    })
    .finally(() => {
      claiming = null;
      if (!shown) show();
    });
  if (!shown) show();
  return claiming;
}

// What is held now. first: the task to be shown, when it is not the one that is.
function take(reply, first = null) {
  const current = held.current;
  counts = reply.counts ?? counts;
  whyEmpty = reply.why_empty ?? null;
  // What was answered before a reload is still held until the answer has arrived.
  const gone = held.merge(reply.tasks.filter((task) => !outbox.has(task.token)), { first });
  if (current && gone.includes(current)) vanished(current);
  if (shown?.task.task_id !== held.current?.task_id || !shown) show();
  else shown.task = held.current;
  pictures.keep(held.tasks);
  showState();
  clearTimeout(lookAgain);
  if (whyEmpty === "nothing_left" && !held.current) lookAgain = setTimeout(() => document.hidden || claim(), LOOK_AGAIN);
}

function sent({ entry, reply }) {
  const said = history.find((one) => one.token === entry.token);
  if (said) said.annotation_id = reply.annotation_id;
  take(reply);
}

async function refused({ entry, refusal }) {
  history = history.filter((one) => one.token !== entry.token);
  // Skipped or reported: that it is no longer ours is what was wanted.
  if (entry.path === "/api/submit" || !["lease_lost", "task_reported", "task_withdrawn"].includes(refusal.word)) {
    await keep(entry, refusal.message || t("error.server_error"), writtenIn(entry.body.answers ?? {}));
  }
  claim();
}

function writtenIn(answers) {
  return campaign.questions.filter((question) => question.kind === "text" && answers[question.name]).map((question) => answers[question.name]);
}

// A refused answer stays until it has been looked at: through a reload, too.
async function keep({ token, caption }, message, texts) {
  const entry = { key: token, caption, message, texts };
  await store.put("refused", entry).catch(() => {});
  tell(entry);
}

function tell(entry) {
  tellRefused(entry, () => store.remove("refused", entry.key).catch(() => {}));
}

// The task on the screen is no longer ours. Why, only the server knows.
async function vanished(task) {
  const texts = drafts.texts(task, campaign.questions);
  drafts.end(task);
  const { gone } = await inTurn(() => call("/api/renew", { held: [{ task_id: task.task_id, token: task.token }] })).catch(() => ({ gone: [] }));
  farewell(task, gone[0]?.error ?? "lease_lost", texts);
}

function farewell(task, word, texts) {
  const message = t(`error.${word}`);
  if (texts.length) keep(task, message, texts);
  else say(message);
}

// Held on to while somebody looks; what somebody else reported disappears at once.
async function renew() {
  const leases = [...held.tasks, ...outbox.entries].map(({ task_id, token }) => ({ task_id, token })).slice(0, MOST_RENEWED);
  if (document.hidden || halted === "elsewhere" || !leases.length) return;
  let gone;
  try {
    ({ gone } = await inTurn(() => call("/api/renew", { held: leases })));
  } catch (error) {
    if (error instanceof Refused && error.status === 401) signedOut();
    return;
  }
  const asked = new Set(leases.map(({ token }) => token));
  const lost = held.tasks.filter((task) => asked.has(task.token) && gone.some((one) => one.task_id === task.task_id));
  if (!lost.length) return;
  for (const task of lost) {
    const { error } = gone.find((one) => one.task_id === task.task_id);
    // It may be handed to us anew: what was begun goes on then.
    if (error === "lease_lost") continue;
    if (shown?.task.task_id === task.task_id) farewell(task, error, drafts.texts(task, campaign.questions));
    drafts.end(task);
    held.remove(task.task_id);
  }
  if (shown && !held.tasks.includes(shown.task)) show();
  claim();
}

// Nobody holds what nobody looks at. What was begun is kept: it goes on after a reload.
function release() {
  const idle = held.tasks.filter((task) => !drafts.isBegun(task));
  if (!idle.length) return;
  call("/api/release", { tokens: idle.map((task) => task.token) }, { keepalive: true }).catch(() => {});
  for (const task of idle) held.remove(task.task_id);
}

function signedOut() {
  if (isDialogOpen()) return;
  $("signed-out-waiting").hidden = outbox.waiting === 0;
  $("signed-out-waiting").textContent = t("judge.signed_out_waiting", { n: outbox.waiting });
  choose("signed-out", { cancelable: false }).then(() => location.assign("/"));
}

// --- the page

const ACTIONS = {
  back,
  skip,
  report,
  undo: () => undo(),
  blur: () => pair.toggleBlur(),
  zoom: () => pair.image && zoom.show(pair.image, pair.blurred),
  guide: () => guide.toggle(),
  recent: () => recent.show(),
  keys: () => $("keys").showModal(),
  settings: () => $("settings").showModal(),
};
const KEYS = { u: "back", z: "back", Backspace: "back", s: "skip", r: "report", b: "blur", " ": "zoom", "+": "zoom", g: "guide", h: "recent", "?": "keys" };
const NEED_A_PAIR = new Set(["skip", "report", "blur", "zoom"]);

function bindPage() {
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
    if (isDialogOpen() || $("ask").ariaBusy === "true") return false;
    if (shown && ask.key(key)) return true;
    return key in KEYS && act(KEYS[key]);
  });
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) return;
    outbox.hurry();
    renew();
  });
  window.addEventListener("pagehide", release);
  window.addEventListener("pageshow", (event) => event.persisted && claim());
  window.addEventListener("beforeunload", (event) => {
    if (!store.lasting && outbox.waiting) event.preventDefault();
  });
}

function act(name) {
  if (NEED_A_PAIR.has(name) && !shown) return false;
  if (halted && ["back", "undo"].includes(name)) return false;
  ACTIONS[name]();
  return true;
}

// From the key to the picture on the screen, for benchmarks: the measure "waon:next-picture".
function measurePaint() {
  if (!pair.image) return;
  requestAnimationFrame(() => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => performance.measure("waon:next-picture", "waon:key");
    port2.postMessage(null);
  });
}
