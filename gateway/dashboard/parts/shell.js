// The frame around every page: navigation, the model, the theme, the connection, and the sign-in.

import { api, connection } from "../core/api.js";
import { h, patch } from "../core/dom.js";
import { clockOffset, duration } from "../core/format.js";
import { PAGES, link } from "../core/router.js";
import { icon } from "./icons.js";
import { askForToken } from "./signin.js";
import { themeSwitch } from "./theme.js";
import { Toasts } from "./toasts.js";

const PATIENCE_MS = 1500;
/** A single lost request is no outage. */

export class Shell {
  constructor(root, app) {
    Object.assign(this, { root, app, page: "overview", content: null, isMenuOpen: false, isLost: false, lostTimer: null });
    this.toasts = new Toasts();
    app.toast = (...told) => this.toasts.tell(...told);
    connection.addEventListener("lost", () => this.lose());
    connection.addEventListener("back", () => this.find());
    connection.addEventListener("unauthenticated", () => askForToken());
    document.body.append(this.toasts.root);
    this.draw();
  }

  enter(page, content) {
    Object.assign(this, { page, content, isMenuOpen: false });
    this.draw();
    this.main.replaceChildren(content);
    scrollTo(0, 0);
  }

  lose() {
    this.lostTimer ??= setTimeout(() => {
      this.isLost = true;
      this.draw();
      this.probe();
    }, PATIENCE_MS);
  }

  /** Ask until it answers, although no page may be asking. */
  async probe() {
    while (this.isLost) {
      await new Promise((resolve) => setTimeout(resolve, 2000));
      if (!document.hidden) await api.get("/healthz", { timeout: 5000 }).catch(() => null);
    }
  }

  find() {
    clearTimeout(this.lostTimer);
    this.lostTimer = null;
    if (!this.isLost) return;
    this.isLost = false;
    this.draw();
    connection.dispatchEvent(new Event("signed-in")); // everything asks again
  }

  draw() {
    patch(this.root, h("a", { class: "skip", href: "#main", onclick: (event) => { event.preventDefault(); this.main.focus(); } }, "Skip to content"), this.side(), this.banners(), h("main", { id: "main", tabindex: -1, keep: true }));
    this.main = this.root.querySelector("main");
  }

  side() {
    return h(
      "header",
      { class: this.isMenuOpen ? "side is-open" : "side" },
      h(
        "div",
        { class: "brand" },
        h("span", { class: "brand-mark" }, icon("training")),
        h("a", { href: link("overview"), class: "brand-name" }, "Rekindle"),
        h("button", { type: "button", class: "button quiet menu-button", "aria-expanded": String(this.isMenuOpen), "aria-label": "Menu", onclick: () => this.toggle() }, icon("menu")),
      ),
      h("nav", { "aria-label": "Pages" }, h("ul", {}, PAGES.map(([name, title]) => this.item(name, title)))),
      h("div", { class: "side-foot" }, this.models(), themeSwitch(() => this.draw()), this.caller()),
    );
  }

  toggle() {
    this.isMenuOpen = !this.isMenuOpen;
    this.draw();
  }

  item(name, title) {
    if (name === "labelling" && this.app.session && !this.app.may("label")) return null;
    const current = name === this.page ? "page" : null;
    return h("li", { "data-key": name }, h("a", { href: link(name), "aria-current": current, onclick: () => this.isMenuOpen && this.toggle() }, icon(name), title));
  }

  models() {
    const { app } = this;
    if (app.models.length < 2) return null;
    return h(
      "label",
      { class: "field" },
      h("span", {}, "Model"),
      h("select", { value: app.model, onchange: (event) => app.choose(event.target.value) }, app.models.map((model) => h("option", { value: model.name, selected: model.name === app.model }, model.name))),
    );
  }

  caller() {
    const { session } = this.app;
    const tone = this.isLost ? "bad" : session ? "good" : "idle";
    return h(
      "p",
      { class: "caller" },
      h("span", { class: `dot dot-${tone}` }),
      this.isLost ? "Not connected" : session ? [h("b", {}, session.name), ` · ${session.role}`] : "Connecting …",
    );
  }

  banners() {
    const away = Math.abs(clockOffset());
    return h(
      "div",
      { class: "banners", role: "status" },
      this.isLost ? h("p", { class: "banner banner-bad" }, icon("warning"), "The gateway does not answer. What you typed is kept; this page goes on by itself once it is back.") : null,
      away ? h("p", { class: "banner" }, icon("info"), `This device's clock is ${duration(away / 1000)} ${clockOffset() > 0 ? "behind" : "ahead of"} the gateway's. Ages are counted by the gateway's.`) : null,
    );
  }
}
