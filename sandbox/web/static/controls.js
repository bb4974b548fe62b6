// Faults and time: switches that take effect at once, and buttons for what the clock would do.

import { Refusal, find, h, read, send, soon } from "./dom.js";

const box = find("#controls");
const toggle = find("#toggle-controls");
const said = h("p", { class: "said", role: "status" });
const fields = {};
const WORDS = new Set(["slack", "killFunction"]); // the other switches are numbers
let sending = Promise.resolve();
let unsent = 0;

export const refreshControls = soon(async () => show(await read("api/controls")), 120);

export function startControls(overview) {
  toggle.addEventListener("click", () => {
    box.hidden = !box.hidden;
    toggle.setAttribute("aria-expanded", String(!box.hidden));
    if (!box.hidden) find("select", box).focus();
  });
  box.append(
    group("Slack", [
      choice("slack", "answers", { "": "as it should", rate_limited: "429, too many messages", server_error: "500, server error", timeout: "not at all" }),
      check("slackOneMessagePerSecond", "at most one message per second and channel"),
    ]),
    group("SNS", [
      choice("snsCopies", "delivers", { 1: "once", 2: "twice", 3: "three times" }),
      choice("snsDelaySeconds", "after", { 0: "no time", 2: "2 s", 5: "5 s", 15: "15 s" }),
    ]),
    group("CloudTrail and EventBridge", [
      choice("eventCopies", "deliver", { 1: "each event once", 2: "each event twice", 3: "each event three times" }),
      choice("eventDelaySeconds", "after", { 0: "no time", 2: "2 s", 5: "5 s", 15: "15 s" }),
      choice("eventsToLose", "lose", { 0: "nothing", 1: "the next event", 2: "the next two" }),
      act("Deliver the last event again", "api/controls/deliver-again", {}, (answer) => `${answer.event} is delivered once more.`),
    ]),
    group("Lambda", [
      choice("killFunction", "kill", { "": "nothing", ...Object.fromEntries(overview.functions.map((name) => [name, name])) }),
      choice("killAfterCalls", "after", { 1: "its first AWS call", 2: "two calls", 3: "three calls", 4: "four calls", 5: "five calls" }),
      choice("killRuns", "in", { 1: "its next run", 2: "its next two runs", 3: "all three tries" }),
      h("p", { class: "letters" }, (fields.letters = h("span", {}, "No dead letters."))),
      act("Redrive", "api/controls/redrive", {}, (answer) => `${answer.redriven} handed to their functions again.`),
    ]),
    group("Time", [
      h("div", { class: "row" }, act("Run the snapshot", "api/controls/run", { name: "snapshotSecurityGroups" }, ran), act("Run the sweep", "api/controls/run", { name: "sweepRequests" }, ran)),
      h("div", { class: "row" }, act("Let 5 minutes pass", "api/controls/pass-time", { hours: 5 / 60 }, passed),
      act("Let 5 hours pass", "api/controls/pass-time", { hours: 5 }, passed),
      act("Let 9 hours pass", "api/controls/pass-time", { hours: 9 }, passed),
      act("Let 3 days pass", "api/controls/pass-time", { hours: 72 }, passed)),
    ]),
    h("div", { class: "last" }, act("Everything works again", "api/controls/repair", {}, () => "All faults are off."), said),
  );
  refreshControls();
}

const ran = (answer) => answer.error ?? `It ran in ${answer.runs} ${answer.runs === 1 ? "place" : "places"}.`;
const passed = (answer) => answer.error ?? "Done; snapshot and sweep looked at what is due.";

function group(title, children) {
  return h("fieldset", {}, h("legend", {}, title), children);
}

function choice(name, words, options) {
  const select = h("select", { name, onchange: change }, Object.entries(options).map(([value, text]) => h("option", { value }, text)));
  fields[name] = select;
  return h("label", {}, `${words} `, select);
}

function check(name, words) {
  fields[name] = h("input", { type: "checkbox", name, onchange: change });
  return h("label", {}, fields[name], ` ${words}`);
}

function act(words, path, body, told) {
  return h(
    "button",
    {
      type: "button",
      onclick: async () => {
        said.textContent = "…";
        await orSay(async () => (said.textContent = told(await send(path, body))));
        refreshControls();
      },
    },
    words,
  );
}

/** Do something; show what is refused. */
async function orSay(task) {
  try {
    await task();
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    said.textContent = error.message;
  }
}

/** Send what was changed and nothing else, one after the other: an older answer must not undo a newer choice. */
function change({ target }) {
  const value = target.type === "checkbox" ? target.checked : WORDS.has(target.name) ? target.value : Number(target.value);
  unsent += 1;
  sending = sending.then(async () => {
    await orSay(() => send("api/controls", { [target.name]: value }));
    unsent -= 1;
    if (!unsent) refreshControls();
  });
}

function show(view) {
  if (unsent) return; // it is older than the reader's choice
  for (const [name, value] of Object.entries(view)) {
    const field = fields[name];
    if (!field) continue;
    if (field.type === "checkbox") field.checked = value;
    else field.value = String(value);
  }
  const count = view.deadLetters.length;
  fields.letters.textContent = count ? `${count} dead ${count === 1 ? "letter" : "letters"}: ${[...new Set(view.deadLetters.map((letter) => letter.function))].join(", ")}` : "No dead letters.";
  const faults = [view.slack, view.slackOneMessagePerSecond, view.snsCopies > 1, view.snsDelaySeconds, view.eventCopies > 1, view.eventDelaySeconds, view.eventsToLose, view.killFunction];
  const number = faults.filter(Boolean).length;
  toggle.classList.toggle("on", number > 0 || count > 0);
  toggle.textContent = number ? `Faults & time (${number} on)` : "Faults & time";
}
