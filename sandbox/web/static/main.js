// Starts the page: reads what there is, connects the three parts, and listens to what happens.

import { startConsole, refreshConsole, forgetConsole } from "./console.js";
import { refreshControls, startControls } from "./controls.js";
import { startDoors } from "./doors.js";
import { Refusal, find, read, send } from "./dom.js";
import { confirmed } from "./ruleform.js";
import { forgetSlack, refreshSlack, startSlack } from "./slack.js";
import { addToTimeline, forgetTimeline, startTimeline } from "./timeline.js";

const SAID_MILLISECONDS = 10_000;
const live = find("#live");
let connection = ["", "connecting …"];
let run = "";
let silence = null;

function say(state, text) {
  live.className = `live ${state}`;
  live.textContent = text;
}

function connected(state, text) {
  connection = [state, text];
  if (silence === null) say(state, text);
}

/** Show something else for a while, then the state of the connection. */
function tell(state, text, milliseconds) {
  say(state, text);
  clearTimeout(silence);
  silence = setTimeout(() => {
    silence = null;
    say(...connection);
  }, milliseconds);
}

/** EventSource connects again by itself and sends its place; the server continues from there. */
function listen() {
  const stream = new EventSource("api/events");
  stream.addEventListener("open", () => connected("on", "live"));
  stream.addEventListener("error", () => connected("off", "connecting again …"));
  stream.addEventListener("batch", (event) => {
    const batch = JSON.parse(event.data);
    if (run && batch.run !== run) return location.reload(); // another sandbox: other groups, keys and ports
    run = batch.run;
    if (batch.afresh) {
      forgetTimeline();
      forgetSlack();
      forgetConsole();
    }
    addToTimeline(batch);
    const kinds = new Set(batch.entries.map((entry) => entry.kind));
    if (batch.afresh || kinds.has("SlackPosted")) refreshSlack();
    if (batch.afresh || kinds.has("CloudTrailSent")) refreshConsole();
    if (batch.afresh || kinds.has("FaultStruck") || kinds.has("DeadLettered") || kinds.has("InvocationStarted")) refreshControls();
  });
}

function startParts() {
  const buttons = [...document.querySelectorAll(".parts button")];
  const choose = (part) => {
    document.body.dataset.part = part;
    for (const button of buttons) button.setAttribute("aria-pressed", String(button.dataset.part === part));
  };
  for (const button of buttons) button.addEventListener("click", () => choose(button.dataset.part));
  choose(document.body.dataset.part);
}

/** Let a button of the page's head do something that takes a moment, once the reader has said yes. */
function verb(selector, path, doing, question) {
  const button = find(selector);
  button.addEventListener("click", async () => {
    if (!(await confirmed(question, button.textContent))) return button.focus();
    button.disabled = true;
    tell("", doing, 600_000);
    try {
      await send(path);
      tell("on", "done", 1_000);
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      tell("off", error.message, SAID_MILLISECONDS);
    } finally {
      button.disabled = false;
      button.focus();
    }
  });
}

async function start() {
  const overview = await read("api/overview");
  startParts();
  startSlack(overview);
  startConsole(overview);
  startTimeline(overview);
  startControls(overview);
  startDoors(overview);
  verb("#start-afresh", "api/afresh", "starting afresh …", "All groups, requests and messages are deleted.");
  verb("#play-story", "api/story", "starting afresh and playing the story …", "All groups, requests and messages are deleted, then the story is played.");
  listen();
}

start().catch((error) => {
  if (!(error instanceof Refusal)) throw error;
  say("off", error.message);
});
