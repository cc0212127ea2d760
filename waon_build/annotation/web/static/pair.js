// The picture and its caption. The caption is text and nothing else, whatever is in it.

import { t } from "./campaign.js";
import { $ } from "./dom.js";

// A small picture is shown at most so many times its size.
const MAGNIFIED = 2;
// A picture that comes sooner needs no word that it is coming.
const SOON = 250;

export class Pair {
  #revealed = false;
  #task = null;
  #picture = null;

  // again(): loads the picture once more. painted(): a picture is there to be seen.
  constructor(preferences, { again, painted }) {
    Object.assign(this, { preferences, painted });
    $("reveal").addEventListener("click", () => this.toggleBlur());
    $("blur").addEventListener("click", () => this.toggleBlur());
    $("again").addEventListener("click", again);
    preferences.addEventListener("change", () => this.#blur());
  }

  get image() {
    return this.#picture?.state === "ready" ? this.#picture.image : null;
  }

  get blurred() {
    return this.preferences.get("blurAlways") ? !this.#revealed : this.preferences.get("blurred");
  }

  show(task, picture) {
    if (this.#task?.task_id !== task.task_id) this.#revealed = false;
    this.#task = task;
    $("pair").hidden = false;
    $("caption").textContent = task.caption;
    $("caption-box").scrollTop = 0;
    this.#place(picture);
  }

  hide() {
    this.#task = this.#picture = null;
    $("pair").hidden = true;
    $("picture-place").replaceChildren();
  }

  // With "always blurred" only this picture is revealed; else the choice holds until it is made anew.
  toggleBlur() {
    if (this.preferences.get("blurAlways")) this.#revealed = !this.#revealed;
    else this.preferences.set("blurred", !this.preferences.get("blurred"));
    this.#blur();
  }

  #place(picture) {
    this.#picture = picture;
    const image = picture.image;
    image.id = "picture";
    image.alt = t("judge.picture_alt");
    image.style.maxWidth = `${MAGNIFIED * this.#task.width}px`;
    image.style.maxHeight = `${MAGNIFIED * this.#task.height}px`;
    if ($("picture-place").firstElementChild !== image) $("picture-place").replaceChildren(image);
    this.#tell(picture);
    this.#blur();
    if (picture.state !== "loading") return;
    const later = () => this.#picture === picture && (this.#tell(picture), this.#blur());
    setTimeout(later, SOON);
    picture.settled.then(later);
    $("picture-message").hidden = true;
  }

  #tell(picture) {
    const ready = picture.state === "ready";
    picture.image.hidden = !ready;
    $("picture-message").hidden = ready;
    $("picture-message-text").textContent = t(picture.state === "broken" ? "judge.picture_broken" : "judge.picture_loading");
    $("again").hidden = picture.state !== "broken";
    $("zoom-open").hidden = $("blur").hidden = !ready;
    if (ready) this.painted();
  }

  #blur() {
    const blurred = this.blurred;
    if (!this.#picture) return;
    this.#picture.image.classList.toggle("blurred", blurred);
    $("blur").setAttribute("aria-pressed", String(blurred));
    $("reveal").hidden = !blurred || this.#picture.state !== "ready";
  }
}
