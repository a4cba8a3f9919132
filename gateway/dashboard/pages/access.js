// Who one is here, what one may do, and signing in and out.

import { api, connection } from "../core/api.js";
import { h } from "../core/dom.js";
import { badge, button, facts, head, panel, table } from "../parts/pieces.js";
import { askForToken } from "../parts/signin.js";

const DEEDS = [
  ["Predict, and read history, versions, runs, statistics", "predict"],
  ["Upload pictures, correct answers, label", "label"],
  ["Train, promote, set canaries, roll back, delete, read the audit log", "operate"],
];

export function open(visit) {
  const { app } = visit;
  visit.show(() => {
    const { session } = app;
    const isOpen = session?.name === "anyone";
    return [
      head("Access", "A token names a caller and a role. The browser keeps it in a cookie that scripts cannot read."),
      h(
        "div",
        { class: "grid" },
        panel(
          "You",
          facts([["Name", session?.name], ["Role", session ? badge(session.role, "accent") : null]]),
          isOpen ? h("p", { class: "soft" }, "This gateway has no tokens: everybody who can reach it may do everything. Make one with ", h("code", {}, "python -m gateway token NAME ROLE"), " and set ", h("code", {}, "GATEWAY_ACCESS__TOKENS_FILE"), ".") : null,
          h("div", { class: "row" }, isOpen ? null : button("Sign out", () => signOut(app)), isOpen ? null : button("Use another token", () => askForToken())),
        ),
        panel("What the role may do", table("What each role may do", ["Deed", "Needs", "You may"], DEEDS.map(([deed, role]) => [deed, badge(role), app.may(role) ? badge("yes", "good") : badge("no")]))),
      ),
      panel("The same by curl", h("p", { class: "soft" }, "Everything these pages do is the public API; see ", h("a", { href: "docs" }, "its documentation"), ". A program sends its token as a header:"), h("pre", { class: "log-lines", tabindex: 0 }, `curl -H "Authorization: Bearer $TOKEN" ${location.origin}/v1/models`)),
    ];
  });
}

async function signOut(app) {
  try {
    await api.delete("/v1/session");
  } catch (error) {
    app.toast(error.message, { tone: "bad" });
    return;
  }
  connection.dispatchEvent(new Event("signed-out"));
}
