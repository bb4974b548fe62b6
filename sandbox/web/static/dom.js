// Makes elements and talks to the server; nothing here knows what the page is about.

/** Make an element: properties, "aria-…" and "data-…" attributes, listeners ("onclick"), then children. */
export function h(name, properties = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (value === undefined || value === null || value === false) continue;
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (key === "class") element.className = value;
    else if (key === "style") for (const [property, setting] of Object.entries(value)) element.style.setProperty(property, setting);
    else element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

export const find = (selector, root = document) => root.querySelector(selector);

/** An error that the server, or AWS behind it, answered with. */
export class Refusal extends Error {
  constructor({ code, message }) {
    super(message);
    this.code = code;
  }
}

async function ask(path, options) {
  let response;
  try {
    response = await fetch(path, options);
  } catch {
    throw new Refusal({ code: "Unreachable", message: "The sandbox does not answer. Does it still run?" });
  }
  const text = await response.text();
  let document;
  try {
    document = JSON.parse(text);
  } catch {
    throw new Refusal({ code: `Status ${response.status}`, message: text.slice(0, 200) });
  }
  if (document.refused) throw new Refusal(document.refused);
  return document;
}

export const read = (path, query = {}) => ask(`${path}?${new URLSearchParams(query)}`);

export const send = (path, body = {}) =>
  ask(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });

/** Bring a parent's children in line with a list, keeping the elements of keys and versions that are there already. */
export function reconcile(parent, items, { key, version, make }) {
  const known = new Map([...parent.children].map((element) => [element.dataset.key, element]));
  const wanted = items.map((item) => {
    const before = known.get(key(item));
    if (before && before.dataset.version === version(item)) return before;
    const element = make(item, before);
    element.dataset.key = key(item);
    element.dataset.version = version(item);
    if (before && before.contains(document.activeElement)) {
      before.replaceWith(element);
      if (!element.hasAttribute("tabindex")) element.tabIndex = -1;
      element.focus({ preventScroll: true });
    }
    return element;
  });
  for (const element of [...parent.children]) if (!wanted.includes(element)) element.remove();
  wanted.forEach((element, position) => {
    if (parent.children[position] !== element) parent.insertBefore(element, parent.children[position] ?? null);
  });
}

/** Run a task soon, and once for many calls; again when called while it runs. */
export function soon(task, milliseconds = 40) {
  let timer = null;
  let running = false;
  let again = false;
  const run = async () => {
    timer = null;
    if (running) {
      again = true;
      return;
    }
    running = true;
    try {
      await task();
    } catch (error) {
      if (!(error instanceof Refusal)) throw error; // the stream shows that the server is gone
    } finally {
      running = false;
      if (again) {
        again = false;
        timer ??= setTimeout(run, milliseconds);
      }
    }
  };
  return () => {
    timer ??= setTimeout(run, milliseconds);
  };
}

/** Keep a choice over reloads of this tab. */
export function remembered(select, name) {
  const before = sessionStorage.getItem(name);
  if (before !== null && [...select.options].some((option) => option.value === before)) select.value = before;
  select.addEventListener("change", () => sessionStorage.setItem(name, select.value));
}
