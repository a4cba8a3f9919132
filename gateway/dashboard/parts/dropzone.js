// Files by dropping, choosing or pasting; folders keep the path below them.

import { h } from "../core/dom.js";
import { icon } from "./icons.js";

/** `take([{file, path}])`. */
export function dropzone({ title, text, take, accept = "image/*", folder = false, id = "files" }) {
  const over = (event, isOver) => {
    event.preventDefault();
    event.currentTarget.classList.toggle("is-over", isOver);
  };
  return h(
    "div",
    {
      class: "dropzone",
      ondragover: (event) => over(event, true),
      ondragleave: (event) => over(event, false),
      ondrop: async (event) => {
        over(event, false);
        take(await dropped(event.dataTransfer));
      },
    },
    icon("upload"),
    h("p", { class: "empty-title" }, title),
    h("p", { class: "soft" }, text),
    h("div", { class: "row" }, chooser(id, "Choose files", accept, {}, take), folder ? chooser(`${id}-folder`, "Choose a folder", null, { webkitdirectory: true }, take) : null),
  );
}

function chooser(id, title, accept, more, take) {
  const chosen = (event) => {
    take([...event.target.files].map((file) => ({ file, path: file.webkitRelativePath || file.name })));
    event.target.value = "";
  };
  return h("span", { class: "chooser" }, h("input", { type: "file", id, multiple: true, accept, class: "hidden", onchange: chosen, ...more }), h("label", { class: "button", for: id }, title));
}

/** Files of a drop, folders walked through. */
async function dropped(transfer) {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  if (!entries.length) return [...transfer.files].map((file) => ({ file, path: file.name }));
  return (await Promise.all(entries.map((entry) => walk(entry, "")))).flat();
}

async function walk(entry, above) {
  const path = above ? `${above}/${entry.name}` : entry.name;
  if (entry.isFile) {
    const file = await new Promise((resolve, reject) => entry.file(resolve, reject));
    return [{ file, path }];
  }
  const reader = entry.createReader();
  const found = [];
  for (;;) {
    const part = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!part.length) return found.flat();
    for (const child of part) found.push(await walk(child, path));
  }
}

/** Pictures of the clipboard. */
export const pasted = (event) => [...(event.clipboardData?.files ?? [])].filter((file) => file.type.startsWith("image/")).map((file) => ({ file, path: file.name }));
