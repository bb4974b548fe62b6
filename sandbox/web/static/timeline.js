// What happened: one card per change, newest first, with its exposure drawn to a scale that all cards share.

import { find, h } from "./dom.js";

// Many changes may come at once: bars are drawn once for all of them, when the browser draws anyway.
let drawing = false;

const list = find("#changes");
const scale = find("#scale");
const everyCall = find("#every-call");

const STATES = {
  "in force": { word: "in force", tone: "bad" },
  reverted: { word: "reverted", tone: "wait" },
  unseen: { word: "unseen: CloudTrail lost its event", tone: "bad" },
  allowed: { word: "allowed by policy", tone: "good" },
  refused: { word: "refused by EC2", tone: "quiet" },
  pending: { word: "pending", tone: "wait" },
  approved: { word: "approved", tone: "wait" },
  applied: { word: "approved and applied", tone: "good" },
  denied: { word: "denied", tone: "bad" },
  expired: { word: "expired", tone: "bad" },
  error: { word: "error", tone: "bad" },
  unreverted: { word: "not reverted", tone: "bad" },
  observed: { word: "observed only", tone: "wait" },
};
const STEPS = [50, 100, 200, 500, 1000, 2000, 5000, 10000, 20000, 30000, 60000, 120000, 300000, 600000, 3600000];

const changes = new Map();
const cards = new Map(); // by change; "other-…" for entries that belong to none
let newest = "";
let accountNames = new Map();

export function startTimeline(overview) {
  accountNames = new Map(overview.accounts.map((account) => [account.id, account.name]));
  everyCall.checked = sessionStorage.getItem("every-call") === "true";
  const apply = () => list.classList.toggle("details", everyCall.checked);
  everyCall.addEventListener("change", () => {
    sessionStorage.setItem("every-call", String(everyCall.checked));
    apply();
  });
  apply();
  setInterval(() => [...changes.values()].some(isOpen) && drawBars(), 250);
}

export function forgetTimeline() {
  changes.clear();
  cards.clear();
  newest = "";
  list.replaceChildren(h("p", { class: "empty" }, "Nothing yet. Each change of an inbound rule becomes a card here: who made it, how long it was in force, and everything that followed."));
  drawBars();
}

export function addToTimeline(batch) {
  if (batch.entries.length) find(".empty", list)?.remove();
  for (const change of batch.changes) changes.set(change.about, change);
  for (const entry of batch.entries) cardOf(entry).add(entry);
  for (const change of batch.changes) cards.get(change.about)?.update(change);
  drawBars();
}

function cardOf(entry) {
  let key = entry.about;
  if (!key) key = newest.startsWith("other-") ? newest : `other-${entry.number}`;
  if (!cards.has(key)) {
    cards.get(newest)?.fold();
    cards.set(key, makeCard(entry, key));
    newest = key;
    list.prepend(cards.get(key).element);
  }
  return cards.get(key);
}

function makeCard(first, key) {
  const title = h("h3");
  const state = h("span", { class: "state" });
  const place = h("p", { class: "where" });
  const bar = h("div", { class: "bar-box" });
  const rows = h("ol", { class: "entries" });
  const count = h("span");
  const details = h("details", { open: true }, h("summary", {}, count), rows);
  const isOther = key.startsWith("other-");
  const element = h("article", { class: isOther ? "change other" : "change", "data-about": key }, h("div", { class: "head" }, title, state), place, bar, details);
  if (isOther) title.textContent = "Outside of any change";
  let touched = false; // what a reader opened or closed stays so
  find("summary", details).addEventListener("click", () => (touched = true));
  let [steps, calls] = [0, 0];
  return {
    element,
    bar,
    startedAt: first.at * 1000,
    add(entry) {
      if (entry.level === "detail") calls += 1;
      else steps += 1;
      count.textContent = `${counted(steps, "step")}${calls ? `, ${counted(calls, "detail")}` : ""}`;
      element.classList.toggle("details-only", steps === 0); // shown with "every call" alone
      rows.append(drawEntry(entry, first.ms));
    },
    fold() {
      if (!touched) details.open = false;
    },
    update(change) {
      const { word, tone } = STATES[change.state] ?? { word: change.state, tone: "quiet" };
      title.replaceChildren(h("b", {}, change.who), ` ${change.what}`);
      state.textContent = change.error || word;
      state.className = `state ${tone}`;
      const name = accountNames.get(change.account) ?? change.account;
      const when = new Date(first.at * 1000).toLocaleTimeString("en-GB");
      place.textContent = [change.group, name, change.region, when].filter(Boolean).join(" · ");
    },
  };
}

const counted = (number, word) => `${number} ${word}${number === 1 ? "" : "s"}`;

function drawEntry(entry, began) {
  const took = entry.durationMs === null || entry.durationMs === undefined ? "" : duration(entry.durationMs);
  return h(
    "li",
    { class: `${entry.level} ${entry.part}`, "data-kind": entry.kind },
    h("time", {}, `+${Math.max(0, entry.ms - began).toLocaleString("en", { maximumFractionDigits: 0 })}`),
    h("span", { class: "dot", "aria-hidden": "true" }),
    h("span", { class: "text" }, h("b", {}, entry.who), " ", entry.what, took ? h("small", {}, ` ${took}`) : null),
  );
}

const isOpen = (change) => change.counts && change.exposedMs === null && ["in force", "unseen"].includes(change.state);

/** Exposure so far in milliseconds; null where there is none to draw. */
function exposure(change) {
  if (!change.counts) return null;
  if (change.exposedMs !== null) return change.exposedMs;
  if (!isOpen(change)) return null;
  return Math.max(0, Date.now() - (cards.get(change.about)?.startedAt ?? Date.now()));
}

/** Draw every exposure to the same scale, and the scale itself. */
function drawBars() {
  if (drawing) return;
  drawing = true;
  requestAnimationFrame(() => {
    drawing = false;
    drawBarsNow();
  });
}

function drawBarsNow() {
  const longest = Math.max(0, ...[...changes.values()].map((change) => exposure(change) ?? 0));
  const end = STEPS.find((step) => step >= longest) ?? longest;
  const any = [...changes.values()].some((change) => exposure(change) !== null);
  scale.replaceChildren(...(any ? ticks(end) : []));
  for (const change of changes.values()) cards.get(change.about)?.bar.replaceChildren(...bar(change, end));
}

function ticks(end) {
  const marks = [0, 0.2, 0.4, 0.6, 0.8, 1].map((part) => h("span", { style: { left: `${part * 100}%` } }, part ? duration(part * end) : "0"));
  return [h("p", {}, "Time in force without approval"), h("div", { class: "ticks" }, marks)];
}

function bar(change, end) {
  const exposed = exposure(change);
  if (exposed === null) return [];
  const width = Math.max(0.4, (exposed / end) * 100);
  const open = isOpen(change);
  const words = open ? `in force without approval for ${duration(exposed)} so far` : `in force without approval for ${duration(exposed)}`;
  return [
    h("div", { class: "exposure", role: "img", "aria-label": words }, h("span", { class: open ? "red open" : "red", style: { width: `${width}%` } })),
    h("p", { class: "exposed", "aria-hidden": "true" }, h("b", {}, duration(exposed)), open ? " in force so far" : " in force, then reverted"),
  ];
}

function duration(ms) {
  if (ms < 9.5) return `${Number(ms.toFixed(1))} ms`;
  if (ms < 999.5) return `${Math.round(ms)} ms`;
  const seconds = ms / 1000;
  return seconds < 100 ? `${Number(seconds.toFixed(seconds < 10 ? 1 : 0))} s` : `${Math.round(seconds / 60)} min`;
}
