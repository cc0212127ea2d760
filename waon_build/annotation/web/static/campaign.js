// What the page was made with: the campaign (questions, texts) as the server embedded it, and who is signed in.

export const campaign = JSON.parse(document.getElementById("campaign").textContent);
export const person = document.body.dataset.person;

// A text of the catalogue; {name} in it stands for a value.
export function t(key, values = {}) {
  const text = campaign.texts[key];
  if (text === undefined) throw new Error(`no text ${key}`);
  return text.replace(/\{(\w+)\}/g, (_, name) => values[name]);
}
