// Where the page begins: who is it, which models are there, and one visit after another.

import { api, connection } from "./core/api.js";
import { h, patch } from "./core/dom.js";
import { PAGES, Visit, place } from "./core/router.js";
import { failure } from "./parts/states.js";
import { Shell } from "./parts/shell.js";

const MODEL_KEY = "rekindle.model";
const ROLES = ["predict", "label", "operate"];
const MODELS_SECONDS = 15;

/** What every page may ask: the caller, the models, the chosen one. */
class App {
  session = null;
  models = [];
  model = null;

  /** May the caller do what needs this role? What it may not do is not offered. */
  may(role) {
    return ROLES.indexOf(this.session?.role) >= ROLES.indexOf(role);
  }

  get labels() {
    return this.models.find((model) => model.name === this.model)?.labels ?? [];
  }

  async refresh() {
    this.session = await api.get("/v1/session");
    this.models = (await api.get("/v1/models")).models;
    const names = this.models.map((model) => model.name);
    const wanted = [this.model, localStorage.getItem(MODEL_KEY)].find((name) => names.includes(name));
    this.model = wanted ?? this.models.find((model) => model.stable)?.name ?? names[0] ?? null;
  }

  choose(model) {
    this.model = model;
    localStorage.setItem(MODEL_KEY, model);
    open();
  }
}

const app = new App();
const shell = new Shell(document.getElementById("app"), app);
let visit = null;

/** Begin the visit that the address asks for. */
async function open() {
  const { page, query } = place();
  visit?.end();
  const title = PAGES.find(([name]) => name === page)[1];
  document.title = `${title} · Rekindle`;
  const root = h("div", { class: `page page-${page}` });
  const mine = (visit = new Visit(root, app, query));
  shell.enter(page, root);
  try {
    const module = await import(`./pages/${page}.js`);
    if (!mine.signal.aborted) await module.open(mine);
  } catch (error) {
    if (mine.signal.aborted) return;
    console.warn(error);
    patch(root, h("h1", {}, title), failure(error, () => (error instanceof TypeError ? location.reload() : open())));
  }
}

async function begin() {
  for (let wait = 1; ; wait = Math.min(30, wait * 2)) {
    try {
      await app.refresh();
      break;
    } catch (error) {
      if (error.status === 401) await new Promise((resolve) => connection.addEventListener("signed-in", resolve, { once: true }));
      else await new Promise((resolve) => setTimeout(resolve, wait * 1000));
    }
  }
  shell.draw();
  addEventListener("hashchange", open);
  await open();
}

/** New models and versions appear, also while a page stays open. */
setInterval(() => {
  if (!document.hidden && app.session) app.refresh().then(() => shell.draw(), () => shell.draw());
}, MODELS_SECONDS * 1000);

connection.addEventListener("signed-in", () => app.session && app.refresh().then(() => { shell.draw(); visit?.redraw(); }));
connection.addEventListener("signed-out", () => { app.session = null; visit?.end(); begin(); });
begin();
