// The Slack part: channels as tabs, messages as Slack draws Block Kit, buttons with their confirm dialog.
// https://docs.slack.dev/reference/block-kit

import { Refusal, find, h, read, reconcile, remembered, send, soon } from "./dom.js";
import { textNodes } from "./mrkdwn.js";

const panel = find("#messages");
const tabs = find("#slack .channels");
const picker = find("#slack-user");
const people = { users: new Map(), channels: new Map() };
const newer = find("#newer");
const seen = new Map();
const heard = new Map(); // version of each message that was announced to a screen reader, or was there before
let channels = [];
let open = sessionStorage.getItem("channel") ?? "";
let followed = 0; // where the panel was scrolled to last, but for the reader

export const refreshSlack = soon(async () => show(await read("api/slack", { user: picker.value })));

export function startSlack(overview) {
  for (const user of overview.users) {
    people.users.set(user.id, user.name);
    picker.append(h("option", { value: user.id }, `${user.name}${user.approver ? " (approver)" : " (no approver)"}`));
  }
  for (const [id, name] of Object.entries(overview.channels)) people.channels.set(id, name);
  remembered(picker, "slack-user");
  picker.addEventListener("change", () => (heard.clear(), refreshSlack()));
  tabs.addEventListener("keydown", moveBetweenTabs);
  newer.addEventListener("click", () => {
    showNewest();
    panel.focus({ preventScroll: true });
  });
  panel.addEventListener("scroll", () => atBottom() && (newer.hidden = true));
  document.querySelector('.parts [data-part="slack"]').addEventListener("click", () => queueMicrotask(draw));
}

export function forgetSlack() {
  seen.clear();
  heard.clear();
  newer.hidden = true;
  panel.replaceChildren();
}

function show(view) {
  if (view.user !== picker.value) return refreshSlack();
  channels = view.channels;
  if (!channels.some((channel) => channel.name === open)) open = channels[0].name;
  draw();
  announce();
}

/** Announce new messages to screen readers, with the text of Slack's notifications; not what was there at first. */
function announce() {
  const first = heard.size === 0;
  let news = "";
  for (const channel of channels) {
    heard.set(channel.name, true);
    for (const message of channel.messages) {
      const key = `${channel.name} ${message.ts}`;
      if (heard.get(key) !== message.version && (!news || channel.name === open)) news = `#${channel.name}: ${message.text}`;
      heard.set(key, message.version);
    }
  }
  if (news && !first) find("#heard").textContent = news;
}

const atBottom = () => panel.scrollHeight - panel.scrollTop - panel.clientHeight < 80;

function draw() {
  const following = atBottom() || Math.abs(panel.scrollTop - followed) < 2;
  const channel = channels.find((one) => one.name === open);
  if (!channel) return;
  if (panel.offsetParent !== null) seen.set(open, latest(channel)); // only what is on the screen counts as read
  drawTabs();
  const changedChannel = panel.dataset.channel !== open;
  if (changedChannel) panel.replaceChildren();
  panel.dataset.channel = open;
  panel.setAttribute("aria-labelledby", `tab-${open}`);
  if (changedChannel) newer.hidden = true;
  if (!channel.messages.length) {
    panel.replaceChildren(h("p", { class: "empty" }, emptyText(open)));
    return;
  }
  find(".empty", panel)?.remove();
  const latestBefore = panel.lastElementChild?.dataset.key;
  reconcile(panel, channel.messages, {
    key: (message) => message.ts,
    version: (message) => String(message.version),
    make: drawMessage,
  });
  if (changedChannel || following) showNewest();
  else if (latestBefore !== panel.lastElementChild.dataset.key) newer.hidden = false;
}

/** Scroll to the end, but keep the head of the newest message in view. */
function showNewest() {
  const newest = panel.lastElementChild;
  panel.scrollTop = newest.offsetHeight > panel.clientHeight ? newest.offsetTop - panel.offsetTop : panel.scrollHeight;
  followed = panel.scrollTop;
  newer.hidden = true;
}

function emptyText(name) {
  return name === channels[0].name
    ? "Nothing to decide. Change an inbound rule in the EC2 console, and the question appears here."
    : "Nothing yet. Every request, decision and error is shown here.";
}

function drawTabs() {
  const focused = tabs.contains(document.activeElement);
  tabs.replaceChildren(
    ...channels.map((channel) => {
      const unread = channel.messages.filter((message) => stamp(message) > (seen.get(channel.name) ?? "")).length;
      return h(
        "button",
        {
          type: "button",
          role: "tab",
          id: `tab-${channel.name}`,
          "aria-selected": String(channel.name === open),
          "aria-controls": "messages",
          tabindex: channel.name === open ? "0" : "-1",
          onclick: () => choose(channel.name),
        },
        h("span", { class: "hash" }, "#"),
        channel.name,
        unread ? h("span", { class: "badge", "aria-label": `${unread} new` }, String(unread)) : null,
      );
    }),
  );
  if (focused) find(`#tab-${open}`).focus();
  const all = channels.flatMap((channel) =>
    channel.messages.filter((message) => stamp(message) > (seen.get(channel.name) ?? "")),
  ).length;
  const badge = find("#slack-badge");
  badge.hidden = !all;
  badge.textContent = String(all);
}

const stamp = (message) => `${message.ts} ${String(message.version).padStart(4, "0")}`;
const latest = (channel) => channel.messages.reduce((newest, message) => (stamp(message) > newest ? stamp(message) : newest), "");

function choose(name) {
  open = name;
  sessionStorage.setItem("channel", name);
  draw();
}

function moveBetweenTabs(event) {
  if (event.key !== "ArrowLeft" && event.key !== "ArrowRight") return;
  const position = channels.findIndex((channel) => channel.name === open);
  const step = event.key === "ArrowRight" ? 1 : -1;
  choose(channels[(position + step + channels.length) % channels.length].name);
}

function drawMessage(message) {
  const when = new Date(Number(message.ts) * 1000);
  return h(
    "article",
    {
      class: message.ephemeral ? "message ephemeral" : "message",
      "aria-label": message.text || "Message",
      "data-ts": message.ts,
    },
    h("img", { class: "avatar", src: "static/icon.svg", alt: "", width: "36", height: "36" }),
    h(
      "div",
      { class: "content" },
      message.ephemeral ? h("p", { class: "only-you" }, "Only visible to you") : null,
      h(
        "p",
        { class: "from" },
        h("b", {}, "Security group approval"),
        h("span", { class: "app" }, "APP"),
        h("time", { datetime: when.toISOString() }, when.toLocaleTimeString("en", { hour: "numeric", minute: "2-digit" })),
        message.version ? h("span", { class: "edited" }, "(edited)") : null,
      ),
      message.blocks.map((block) => drawBlock(block, message)),
      message.blocks.length ? null : h("div", { class: "block" }, textNodes({ type: "mrkdwn", text: message.text }, people)),
      message.attachments.map((attachment) =>
        h(
          "div",
          { class: "attachment" },
          h("span", { class: "colour", style: { "background-color": attachment.color ?? "" }, "data-colour": attachment.color }),
          h("div", {}, (attachment.blocks ?? []).map((block) => drawBlock(block, message))),
        ),
      ),
    ),
  );
}

function drawBlock(block, message) {
  switch (block.type) {
    case "header":
      return h("h3", { class: "block" }, textNodes(block.text, people));
    case "section":
      return h(
        "div",
        { class: "block section" },
        block.text ? h("div", { class: block.text.type }, textNodes(block.text, people)) : null,
        block.fields
          ? h("div", { class: "fields" }, block.fields.map((field) => h("div", {}, textNodes(field, people))))
          : null,
        block.accessory ? drawButton(block.accessory, message) : null,
      );
    case "context":
      return h("div", { class: "block context" }, block.elements.map((element) => h("span", {}, textNodes(element, people))));
    case "actions":
      return h("div", { class: "block actions" }, block.elements.map((element) => drawButton(element, message)));
    case "divider":
      return h("hr", { class: "block" });
    default:
      return h("p", { class: "block" }, `(a ${block.type} block)`);
  }
}

function drawButton(button, message) {
  const element = h(
    "button",
    {
      type: "button",
      class: `slack-button ${button.style ?? ""}`,
      "aria-label": button.accessibility_label,
      onclick: async () => {
        if (button.confirm && !(await confirmed(button.confirm))) return;
        await click(button, message, element);
      },
    },
    textNodes(button.text, people),
  );
  return element;
}

async function click(button, message, element) {
  const actions = element.parentElement;
  find(".failed", actions)?.remove();
  element.setAttribute("aria-busy", "true");
  const asked = { user: picker.value, channel: open, ts: message.ts, version: message.version, button: button.text.text };
  try {
    const result = await send("api/click", asked);
    if (!result.status) fail(actions, "This app did not respond.");
    else if (!result.inTime) fail(actions, `This app responded with status code ${result.status} after ${Math.round(result.ms)} ms.`);
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    fail(actions, error.message);
  } finally {
    element.removeAttribute("aria-busy");
    refreshSlack();
  }
}

function fail(actions, text) {
  actions.append(h("p", { class: "failed", role: "alert" }, `⚠ ${text}`));
}

/** Ask as Slack does before a click is sent; resolves to whether the user confirmed. */
function confirmed(confirm) {
  return new Promise((resolve) => {
    const dialog = h(
      "dialog",
      { class: "confirm", "aria-labelledby": "confirm-title" },
      h("h3", { id: "confirm-title" }, textNodes(confirm.title, people)),
      h("p", {}, textNodes(confirm.text, people)),
      h(
        "form",
        { method: "dialog", class: "buttons" },
        h("button", { class: "slack-button", value: "" }, textNodes(confirm.deny, people)),
        h("button", { class: `slack-button ${confirm.style ?? "primary"}`, value: "yes", autofocus: true }, textNodes(confirm.confirm, people)),
      ),
    );
    dialog.addEventListener("close", () => {
      resolve(dialog.returnValue === "yes");
      dialog.remove();
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}
