// Elements from calls, and a fresh tree merged into the one on screen.
//
// The only way by which text reaches the page: children become text nodes and attributes, never markup,
// and the page's Content-Security-Policy forbids the rest (require-trusted-types-for). `patch` changes
// only what differs, so that focus, scroll, selections and half-typed words outlive an update.

const SVG = "http://www.w3.org/2000/svg";
const STATE = Symbol("what a builder set beside attributes");
const USER_STATE = { DETAILS: "open", DIALOG: "open" };

/** An HTML element: h("button", { class: "x", onclick }, "text", node, [more]). */
export const h = (tag, props, ...children) => built(document.createElement(tag), props, children);

/** The same for SVG. */
export const s = (tag, props, ...children) => built(document.createElementNS(SVG, tag), props, children);

function built(node, props, children) {
  const state = (node[STATE] = { handlers: {}, values: {} });
  node.append(...flat(children));
  for (const [name, value] of Object.entries(props ?? {})) set(node, state, name, value);
  return node;
}

function set(node, state, name, value) {
  if (name === "value" || name === "checked" || name === "indeterminate") {
    if (value === undefined) return;
    state.values[name] = value;
    node[name] = value;
  } else if (value === undefined || value === null || value === false) {
    return;
  } else if (name.startsWith("on")) {
    // a handler that returns false would cancel what the browser does, e.g. follow a link
    state.handlers[name] = node[name] = (event) => void value(event);
  } else if (name === "style") {
    for (const [property, text] of Object.entries(value)) node.style.setProperty(property, text);
  } else if (name === "keep" || name === "mounted") {
    state[name] = value;
  } else {
    node.setAttribute(name, value === true ? "" : String(value));
  }
}

function flat(children) {
  return children
    .flat(Infinity)
    .filter((child) => child !== null && child !== undefined && child !== false && child !== "")
    .map((child) => (child instanceof Node ? child : document.createTextNode(String(child))));
}

/** Make the children of `parent` look like `children`, keeping the nodes that are alike. */
export function patch(parent, ...children) {
  const fresh = flat(children);
  const keyed = new Map();
  for (const child of parent.childNodes) if (keyOf(child)) keyed.set(keyOf(child), child);
  let here = parent.firstChild;
  for (const next of fresh) {
    const key = keyOf(next);
    const match = key ? keyed.get(key) : here && !keyOf(here) ? here : null;
    if (match && isAlike(match, next)) {
      if (match === here) here = here.nextSibling;
      else parent.insertBefore(match, here);
      merge(match, next);
    } else {
      parent.insertBefore(next, here);
      tellMounted(next);
    }
  }
  while (here) {
    const gone = here;
    here = here.nextSibling;
    gone.remove();
  }
}

const keyOf = (node) => (node.nodeType === 1 ? node.getAttribute("data-key") : null);
const isAlike = (one, other) => one.nodeType === other.nodeType && one.nodeName === other.nodeName;

/** `mounted` is told about an element once it is in the document. */
function tellMounted(node) {
  if (node.nodeType !== 1 || !node.isConnected) return;
  node[STATE]?.mounted?.(node);
  for (const child of node.children) tellMounted(child);
}

function merge(old, next) {
  if (old.nodeType === 3) {
    if (old.data !== next.data) old.data = next.data;
    return;
  }
  if (old[STATE]?.keep && next[STATE]?.keep) return;
  mergeAttributes(old, next);
  mergeHandlers(old, next);
  patch(old, ...next.childNodes);
  mergeValues(old, next);
}

function mergeAttributes(old, next) {
  for (const { name } of [...old.attributes]) {
    if (name !== "style" && !next.hasAttribute(name) && USER_STATE[old.nodeName] !== name) old.removeAttribute(name);
  }
  for (const { name, value } of next.attributes) {
    if (name !== "style" && old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
  if (old.style.cssText !== next.style.cssText) old.style.cssText = next.style.cssText;
}

function mergeHandlers(old, next) {
  const before = old[STATE]?.handlers ?? {};
  const after = next[STATE]?.handlers ?? {};
  for (const name of Object.keys(before)) if (!(name in after)) old[name] = null;
  for (const [name, handler] of Object.entries(after)) old[name] = handler;
  old[STATE] = next[STATE] ?? { handlers: {}, values: {} };
}

function mergeValues(old, next) {
  for (const [name, value] of Object.entries(next[STATE]?.values ?? {})) {
    if (old[name] !== value && !(name === "value" && isBeingTyped(old))) old[name] = value;
  }
}

const isBeingTyped = (node) => node === document.activeElement && node.matches("input[type=text],input:not([type]),textarea");
