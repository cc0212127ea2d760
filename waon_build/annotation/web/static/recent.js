// The last answers, to look at and to take back.

import { call, inTurn } from "./api.js";
import { campaign, t } from "./campaign.js";
import { prepare } from "./dialogs.js";
import { $, copyOf } from "./dom.js";
import { given, wording } from "./questions.js";

export class Recent {
  constructor({ undo, blurred }) {
    Object.assign(this, { undo, blurred });
    this.dialog = prepare("recent");
  }

  async show() {
    $("recent-list").replaceChildren();
    this.#say(t("judge.loading"));
    this.dialog.showModal();
    try {
      const { answers } = await inTurn(() => call("/api/recent"));
      $("recent-list").replaceChildren(...answers.map((answer) => this.#row(answer)));
      this.#say(answers.length ? "" : t("judge.recent_none"));
    } catch {
      this.#say(t("judge.recent_unreachable"));
    }
  }

  #say(text) {
    $("recent-message").textContent = text;
    $("recent-message").hidden = !text;
  }

  #row(answer) {
    const row = copyOf("recent-row");
    const image = row.querySelector("img");
    image.src = answer.picture;
    image.alt = "";
    image.classList.toggle("blurred", this.blurred());
    const caption = row.querySelector(".recent__caption");
    caption.textContent = answer.caption;
    const words = campaign.questions
      .filter((question) => given(answer.answers[question.name]) && question.kind !== "consent")
      .flatMap((question) => wording(question, answer.answers[question.name]));
    row.querySelector(".recent__answers").textContent = words.join(t("judge.between"));
    const time = row.querySelector("time");
    time.dateTime = answer.created_at;
    time.textContent = new Date(answer.created_at).toLocaleTimeString(document.documentElement.lang, { timeStyle: "short" });
    const button = row.querySelector("button");
    button.disabled = !answer.can_undo;
    button.addEventListener("click", () => {
      this.dialog.close();
      this.undo(answer.annotation_id);
    });
    return row;
  }
}
