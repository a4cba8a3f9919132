// Light, dark, or as the system has it.

import { h } from "../core/dom.js";
import { icon } from "./icons.js";

const KEY = "rekindle.theme";
const CHOICES = [["system", "As the system"], ["light", "Light"], ["dark", "Dark"]];
const SIGNS = { system: "system", light: "sun", dark: "moon" };

const chosen = () => document.documentElement.dataset.theme ?? "system";

function choose(theme) {
  if (theme === "system") {
    delete document.documentElement.dataset.theme;
    localStorage.removeItem(KEY);
  } else {
    document.documentElement.dataset.theme = theme;
    localStorage.setItem(KEY, theme);
  }
}

/** Three buttons, one pressed. */
export const themeSwitch = (changed) =>
  h(
    "div",
    { class: "segments", role: "group", "aria-label": "Theme" },
    CHOICES.map(([name, title]) =>
      h("button", { type: "button", "aria-pressed": String(chosen() === name), "aria-label": title, title, onclick: () => { choose(name); changed(); } }, icon(SIGNS[name])),
    ),
  );
