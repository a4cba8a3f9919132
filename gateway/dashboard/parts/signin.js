// Asking for a token over whatever page is open, so that nothing typed there is lost.

import { api, connection } from "../core/api.js";
import { h, patch } from "../core/dom.js";
import { notice } from "./states.js";

let dialog = null;

/** Open the dialog, unless it is open; "signed-in" tells everybody when it succeeded. */
export function askForToken() {
  if (dialog) return;
  dialog = h("dialog", { class: "dialog", "aria-labelledby": "signin-title", oncancel: (event) => event.preventDefault() });
  document.body.append(dialog);
  draw(null);
  dialog.showModal();
  dialog.querySelector("input").focus();
}

function draw(error) {
  patch(
    dialog,
    h(
      "form",
      { onsubmit: submit },
      h("h2", { id: "signin-title" }, "Sign in"),
      h("p", {}, "This gateway asks for a token. Whoever operates it makes one with ", h("code", {}, "python -m gateway token NAME ROLE"), "."),
      h("label", { class: "field" }, h("span", {}, "Token"), h("input", { type: "password", name: "token", required: true, autocomplete: "current-password", maxlength: 512 })),
      error ? notice("bad", error) : null,
      h("button", { type: "submit", class: "button primary" }, "Sign in"),
    ),
  );
}

async function submit(event) {
  event.preventDefault();
  const token = new FormData(event.target).get("token").trim();
  try {
    await api.post("/v1/session", { json: { token } });
  } catch (error) {
    draw(error.message);
    return;
  }
  dialog.close();
  dialog.remove();
  dialog = null;
  connection.dispatchEvent(new Event("signed-in"));
}
