// Which page is open: the address behind #, its module, and the life of one visit.

import { patch } from "./dom.js";
import { Resource } from "./resource.js";

export const PAGES = [
  ["overview", "Overview"],
  ["predict", "Predict"],
  ["history", "History"],
  ["labelling", "Labelling"],
  ["data", "Data"],
  ["training", "Training"],
  ["versions", "Versions"],
  ["insights", "Insights"],
  ["loadtests", "Load tests"],
  ["access", "Access"],
];

/** {page, query} of the address; an unknown page is the overview. */
export function place() {
  const [path, query = ""] = location.hash.replace(/^#\/?/, "").split("?");
  const known = PAGES.find(([name]) => name === path);
  return { page: known ? path : "overview", query: new URLSearchParams(query) };
}

/** "#/history?label=cat" */
export function link(page, query = {}) {
  const asked = new URLSearchParams(Object.entries(query).filter(([, value]) => value !== null && value !== undefined && value !== ""));
  return `#/${page}${asked.size ? `?${asked}` : ""}`;
}

/** One visit of a page: what its module is given. Ends when another one begins. */
export class Visit {
  constructor(root, app, query) {
    Object.assign(this, { root, app, query });
    this.life = new AbortController();
    this.signal = this.life.signal;
    this.tree = null;
    this.isDrawing = false;
  }

  /** `tree()` gives what shall be on screen; called again after `redraw`. */
  show(tree) {
    this.tree = tree;
    this.redraw();
  }

  /** Soon, once, however often it is asked for. */
  redraw = () => {
    if (this.isDrawing || this.signal.aborted) return;
    this.isDrawing = true;
    queueMicrotask(() => {
      this.isDrawing = false;
      if (!this.signal.aborted && this.tree) patch(this.root, this.tree());
    });
  };

  /** Something the API answers; the page is drawn again when it changes. */
  resource(load, every = 0) {
    return new Resource(load, { every, signal: this.signal, changed: this.redraw });
  }

  /** Do something for the visit's length, as setInterval would. */
  every(seconds, deed) {
    const timer = setInterval(() => document.hidden || deed(), seconds * 1000);
    this.signal.addEventListener("abort", () => clearInterval(timer), { once: true });
  }

  /** Change the query in the address without a new visit. */
  remember(page, query) {
    this.query = new URLSearchParams(Object.entries(query).filter(([, value]) => value));
    history.replaceState(null, "", link(page, Object.fromEntries(this.query)));
  }

  end() {
    this.life.abort();
  }
}
