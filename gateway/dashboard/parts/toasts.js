// A word about what was just done, also for screen readers; with an action such as Undo.

import { h, patch } from "../core/dom.js";

const SECONDS = 6;

export class Toasts {
  constructor() {
    this.items = [];
    this.root = h("div", { class: "toasts", role: "status", "aria-live": "polite" });
  }

  /** `action`: [title, deed]. */
  tell(text, { tone = "info", action = null } = {}) {
    const item = { key: crypto.randomUUID?.() ?? String(Math.random()), text, tone, action };
    this.items = [...this.items.slice(-2), item];
    this.draw();
    setTimeout(() => this.drop(item), SECONDS * 1000);
  }

  drop(item) {
    this.items = this.items.filter((one) => one !== item);
    this.draw();
  }

  draw() {
    patch(this.root, this.items.map((item) => this.shown(item)));
  }

  shown(item) {
    const [title, deed] = item.action ?? [];
    return h(
      "div",
      { class: `toast toast-${item.tone}`, "data-key": item.key },
      h("span", {}, item.text),
      deed ? h("button", { type: "button", class: "button small", onclick: () => { this.drop(item); deed(); } }, title) : null,
    );
  }
}
