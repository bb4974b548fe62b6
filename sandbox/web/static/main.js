// Starts the page: reads what there is, connects the three parts, and listens to what happens.

import { startConsole, refreshConsole, forgetConsole } from "./console.js";
import { refreshControls, startControls } from "./controls.js";
import { startDoors } from "./doors.js";
import { Refusal, find, read, send } from "./dom.js";
import { forgetSlack, refreshSlack, startSlack } from "./slack.js";
import { addToTimeline, forgetTimeline, startTimeline } from "./timeline.js";

const live = find("#live");

function say(state, text) {
  live.className = `live ${state}`;
  live.textContent = text;
}

/** EventSource connects again by itself and says where it was; the server goes on from there. */
function listen() {
  const stream = new EventSource("api/events");
  stream.addEventListener("open", () => say("on", "live"));
  stream.addEventListener("error", () => say("off", "connecting again …"));
  stream.addEventListener("batch", (event) => {
    const batch = JSON.parse(event.data);
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

/** Let a button of the page's head do something that takes a moment. */
function verb(selector, path, doing) {
  const button = find(selector);
  button.addEventListener("click", async () => {
    button.disabled = true;
    say("on", doing);
    try {
      await send(path);
      say("on", "live");
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      say("off", error.message);
    } finally {
      button.disabled = false;
      button.focus();
    }
  });
}

const overview = await read("api/overview");
startParts();
startSlack(overview);
startConsole(overview);
startTimeline(overview);
startControls(overview);
startDoors(overview);
verb("#start-afresh", "api/afresh", "starting afresh …");
verb("#play-story", "api/story", "playing the story …");
listen();
