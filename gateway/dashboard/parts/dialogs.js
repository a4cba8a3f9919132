// A question before something that matters, with the reason where the audit log wants one.

import { h } from "../core/dom.js";

/** What was answered: {reason} or null. `typed`: a word that must be typed to confirm. */
export function ask({ title, text, confirm, tone = "primary", reason = null, typed = null }) {
  return new Promise((resolve) => {
    let answer = null;
    const submit = (event) => {
      event.preventDefault();
      const form = new FormData(event.target);
      answer = { reason: form.get("reason")?.trim() || null };
      dialog.close();
    };
    const dialog = h(
      "dialog",
      { class: "dialog", "aria-labelledby": "ask-title", onclose: () => { dialog.remove(); resolve(answer); } },
      h(
        "form",
        { onsubmit: submit },
        h("h2", { id: "ask-title" }, title),
        [text].flat().map((one) => (one instanceof Node ? one : h("p", {}, one))),
        reason ? reasonField(reason) : null,
        typed ? typedField(typed) : null,
        h(
          "div",
          { class: "row row-end" },
          h("button", { type: "button", class: "button", onclick: () => dialog.close() }, "Cancel"),
          h("button", { type: "submit", class: `button ${tone}` }, confirm),
        ),
      ),
    );
    document.body.append(dialog);
    dialog.showModal();
  });
}

const reasonField = ({ isRequired = false, hint = "It goes into the audit log." }) =>
  h("label", { class: "field" }, h("span", {}, isRequired ? "Reason" : "Reason (optional)"), h("textarea", { name: "reason", rows: 3, maxlength: 2000, required: isRequired }), h("small", {}, hint));

const typedField = (word) =>
  h("label", { class: "field" }, h("span", {}, "Type ", h("code", {}, word), " to confirm"), h("input", { type: "text", required: true, pattern: word.replace(/[.*+?^${}()|[\]\\/]/g, "\\$&"), autocomplete: "off" }));
