// Small words for the page's elements.

export const $ = (id) => document.getElementById(id);

// A copy of the one element in <template id="...">.
export function copyOf(id) {
  return $(id).content.firstElementChild.cloneNode(true);
}

export function isTextField(element) {
  return element instanceof HTMLElement && element.matches("textarea, select, input:not([type=checkbox], [type=radio])");
}

// Says something to screen readers, once what is happening now has been said.
export function announce(text) {
  const region = $("announcements");
  region.textContent = "";
  setTimeout(() => (region.textContent = text), 50);
}
