// The questions as data: which of them are asked, in what steps, under which keys. No page, no network.

const SHEET_KINDS = ["flags", "text", "consent"];

// Letters that mean something else on the page, and are no keys of options.
const TAKEN = new Set([..."ubszrgwh"]);

// Whether a question is asked of someone who answered `values` so far.
export function isAsked(question, values) {
  return Object.entries(question.only_if ?? {}).every(
    ([name, wanted]) => given(values[name]) && (wanted.length === 0 || wanted.includes(String(values[name]))),
  );
}

export function given(value) {
  return !(value === undefined || value === null || value === false || value === "" || value.length === 0);
}

// The steps of a pair: one question each where an answer is one press; flags, texts and consents that follow one
// another share a step, so that somebody who has nothing to add passes all of them with one key.
export function steps(questions, values) {
  const found = [];
  let sheet = null;
  for (const question of questions) {
    if (SHEET_KINDS.includes(question.kind)) {
      if (!sheet) found.push((sheet = []));
      sheet.push(question);
    } else {
      sheet = null;
      if (isAsked(question, values)) found.push([question]);
    }
  }
  return found.filter((step) => step.some((question) => isAsked(question, values)));
}

export function isSheet(step) {
  return SHEET_KINDS.includes(step[0].kind);
}

// What is missing before a step may be left: the first question that must be answered and is not.
export function missing(step, values) {
  return step.find((question) => question.required && isAsked(question, values) && !given(values[question.name]));
}

// What somebody wrote in their own words.
export function written(questions, values) {
  const texts = questions.filter((question) => question.kind === "text").map((question) => values[question.name]);
  return texts.filter((text) => text?.trim());
}

// The answers as they are sent: only to what is asked, a scale's as numbers, texts without blanks around them.
export function answers(questions, values) {
  const said = {};
  for (const question of questions) {
    const value = typeof values[question.name] === "string" ? values[question.name].trim() : values[question.name];
    if (!given(value) || !isAsked(question, said)) continue;
    said[question.name] = question.kind === "scale" && /^\d+$/.test(value) ? Number(value) : value;
  }
  return said;
}

// The keys of the options of the questions of a step, in order: [[question, option, key], ...].
// A scale's number is its own key, as in the guideline; other options are counted from 1.
export function keys(step) {
  const used = new Set();
  const rows = step.flatMap((question) => question.options.map((option) => [question, option]));
  const numbers = rows.filter(([question, option]) => question.kind === "scale" && /^\d$/.test(option.value));
  for (const [, option] of numbers) used.add(option.value);
  const after = numbers.length ? Math.max(...used) + 1 : 1;
  const free = [..."123456789".slice(after - 1), "0", ..."123456789", ..."abcdefghijklmnopqrstuvwxyz"].filter(
    (key) => !TAKEN.has(key),
  );
  return rows.map(([question, option]) => {
    if (numbers.some(([, other]) => other === option)) return [question, option, option.value];
    const key = free.find((candidate) => !used.has(candidate)) ?? "";
    used.add(key);
    return [question, option, key];
  });
}

// How an answer reads: the labels of what was chosen, or the text.
export function wording(question, value) {
  const label = (word) => question.options.find((option) => option.value === String(word))?.label ?? String(word);
  if (Array.isArray(value)) return value.map(label);
  return [question.options.length ? label(value) : String(value)];
}
