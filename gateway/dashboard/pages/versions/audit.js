// Who did what, newest first.

import { api } from "../../core/api.js";
import { h } from "../../core/dom.js";
import { button, panelWith, when } from "../../parts/pieces.js";
import { empty, shown } from "../../parts/states.js";

const PAGE = 4;

export class AuditLog {
  constructor(view) {
    Object.assign(this, { view, limit: PAGE });
    this.page = view.visit.resource((signal) => api.get("/v1/audit", { signal, query: { target: view.app.model, limit: this.limit } }), 15);
  }

  reload() {
    this.page.reload();
  }

  panel() {
    const more = () => { this.limit = Math.min(500, this.limit * 5); this.reload(); };
    return panelWith(
      "Audit log",
      {},
      shown(this.page, ({ entries, next_cursor: next }) => (entries.length ? [h("ul", { class: "audit" }, entries.map((entry) => item(entry))), next ? h("div", {}, button("Show older ones", more, { tone: "small" })) : null] : empty("Nothing was changed yet", "Promotions, shares, roll-backs and runs are recorded here, with their reason.")), { height: 160 }),
    );
  }
}

const item = (entry) =>
  h(
    "li",
    { "data-key": entry.id },
    h("p", {}, h("b", { class: "wrap" }, entry.caller), " ", entry.action, " ", h("span", { class: "faint" }, when(entry.at))),
    entry.reason ? h("p", { class: "wrap" }, `“${entry.reason}”`) : null,
    h("p", { class: "faint wrap" }, asText(entry.detail.asked ?? entry.detail)),
  );

const asText = (detail) => Object.entries(detail).filter(([, value]) => value !== null).map(([name, value]) => `${name} ${typeof value === "object" ? JSON.stringify(value) : value}`).join(", ");
