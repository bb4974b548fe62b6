// The EC2 console part: groups, their inbound rules, and the calls that change them. Forms are in ruleform.js.

import { Refusal, find, h, read, reconcile, remembered, send, soon } from "./dom.js";
import { askForCount, askForGroup, askForRules } from "./ruleform.js";
import { portsOf, typeOf } from "./rules.js";

const GHOST_MILLISECONDS = 6000;
const GROUPS_WITHOUT_FILTER = 8;
const STACK_CALLS = 50;
const identity = find("#identity");
const account = find("#account");
const region = find("#region");
const body = find("#console-body");
const flash = find("#flash");

let accounts = [];
let groups = [];
let open = sessionStorage.getItem("group") ?? "";
let wanted = ""; // what the reader filters groups by
let known = new Map(); // rules seen in the open group, by id
const ghosts = new Map(); // rules that vanished a moment ago
const fresh = new Map(); // rules that appeared a moment ago
let anchor = null;

export const refreshConsole = soon(async () => {
  const asked = { account: account.value, region: region.value };
  const view = await read("api/groups", asked);
  if (view.account !== account.value || view.region !== region.value) return refreshConsole();
  show(view.groups);
});

export const chosenGroup = () => ({ account: account.value, region: region.value, group: open });

export function startConsole(overview) {
  accounts = overview.accounts;
  for (const [who, words] of Object.entries(overview.identities)) identity.append(h("option", { value: who }, words));
  for (const one of accounts) account.append(h("option", { value: one.id }, `${one.name} (${one.id})`));
  for (const one of overview.regions) region.append(h("option", { value: one }, one));
  for (const select of [identity, account, region]) remembered(select, select.id);
  for (const select of [account, region]) select.addEventListener("change", () => (forgetConsole(), refreshConsole()));
}

export function forgetConsole() {
  groups = [];
  forgetRules();
  flash.replaceChildren();
}

function forgetRules() {
  known = new Map();
  ghosts.clear();
  fresh.clear();
}

function show(newer) {
  groups = newer;
  const mode = accounts.find((one) => one.id === account.value).mode;
  const words = mode === "observe" ? "observe: changes are reported, not reverted" : "enforce: changes are reverted";
  find("#mode").textContent = words;
  if (!groups.some((group) => group.id === open)) {
    open = groups[0]?.id ?? "";
    forgetRules();
  }
  notice(groups.find((group) => group.id === open)?.rules ?? []);
  draw();
}

/** Remember which rules came and went, so that a reader sees it although it takes milliseconds. */
function notice(rules) {
  const first = known.size === 0 && !ghosts.size;
  const now = new Map(rules.map((rule) => [rule.id, rule]));
  for (const [id, rule] of known) if (!now.has(id)) mark(ghosts, id, rule);
  for (const [id, rule] of now) {
    ghosts.delete(id);
    const before = known.get(id);
    if (!first && (!before || JSON.stringify(before) !== JSON.stringify(rule))) mark(fresh, id, rule);
  }
  known = now;
}

function mark(place, id, rule) {
  const until = Date.now() + GHOST_MILLISECONDS;
  place.set(id, { rule, until });
  setTimeout(() => {
    if (place.get(id)?.until === until) {
      place.delete(id);
      draw();
    }
  }, GHOST_MILLISECONDS);
}

function draw() {
  const group = groups.find((one) => one.id === open);
  if (!group) {
    body.replaceChildren();
    anchor = null;
    return;
  }
  if (!anchor || !body.contains(anchor.rows)) anchor = frame();
  sessionStorage.setItem("group", open);
  anchor.filter.hidden = groups.length <= GROUPS_WITHOUT_FILTER;
  const found = groups.filter((one) => one.id === open || `${one.name} ${one.id}`.toLowerCase().includes(wanted));
  anchor.found.textContent = wanted ? `${found.length} of ${groups.length} groups` : "";
  reconcile(anchor.list, found, {
    key: (one) => one.id,
    version: (one) => `${one.rules.length} ${one.id === open}`,
    make: drawGroup,
  });
  anchor.title.textContent = `${group.name} `;
  anchor.id.textContent = group.id;
  anchor.about.textContent = group.description;
  const gone = [...ghosts].map(([id, { rule }]) => ({ ...rule, id, gone: true }));
  const rows = [...group.rules, ...gone.filter((rule) => !group.rules.some((one) => one.id === rule.id))];
  anchor.none.hidden = rows.length > 0;
  reconcile(anchor.rows, rows, {
    key: (rule) => rule.id,
    version: (rule) => JSON.stringify([rule, fresh.has(rule.id)]),
    make: drawRule,
  });
}

function frame() {
  const parts = {
    list: h("ul", { class: "groups", "aria-label": "Security groups" }),
    filter: h("input", {
      type: "search",
      placeholder: "Filter by name or id",
      "aria-label": "Filter groups by name or id",
      oninput: ({ target }) => {
        wanted = target.value.trim().toLowerCase();
        draw();
      },
    }),
    found: h("p", { class: "unseen", role: "status" }),
    title: h("span"),
    id: h("code"),
    about: h("p", { class: "about" }),
    rows: h("tbody"),
    none: h("p", { class: "empty" }, "No inbound rules."),
  };
  body.replaceChildren(
    h("div", { class: "groups-bar" }, parts.filter, parts.found, parts.list, h("button", { type: "button", onclick: createGroup }, "New group")),
    h("div", { class: "group-head" }, h("div", {}, h("h3", {}, parts.title, parts.id), parts.about), verbs()),
    h(
      "table",
      { "aria-label": "Inbound rules" },
      h("thead", {}, h("tr", {}, ["Type", "Ports", "Source", "Description"].map((name) => h("th", { scope: "col" }, name)), h("th", { scope: "col" }, h("span", { class: "unseen" }, "Actions")))),
      parts.rows,
    ),
    parts.none,
  );
  return parts;
}

function verbs() {
  return h(
    "div",
    { class: "buttons" },
    h("button", { type: "button", class: "primary", onclick: add }, "Add rules"),
    h("button", { type: "button", onclick: addMany }, "Add many …"),
    h("button", { type: "button", title: `Makes ${STACK_CALLS} calls in a row, one rule each, in all groups`, onclick: deployStack }, "Deploy a stack"),
  );
}

function drawGroup(group) {
  return h(
    "li",
    {},
    h(
      "button",
      {
        type: "button",
        "aria-pressed": String(group.id === open),
        onclick: () => {
          open = group.id;
          forgetRules();
          known = new Map(group.rules.map((rule) => [rule.id, rule]));
          draw();
          find('.groups [aria-pressed="true"]').focus();
        },
      },
      group.name,
      h("span", { class: "count", "aria-label": `${group.rules.length} inbound rules` }, String(group.rules.length)),
    ),
  );
}

function drawRule(rule) {
  const label = `${typeOf(rule)} ${portsOf(rule)} from ${rule.source}`;
  const state = rule.gone ? "gone" : fresh.has(rule.id) ? "fresh" : "";
  return h(
    "tr",
    { class: state, "data-rule": rule.id },
    h("td", {}, typeOf(rule), h("small", {}, rule.id)),
    h("td", {}, portsOf(rule)),
    h("td", { class: rule.source === "0.0.0.0/0" || rule.source === "::/0" ? "source world" : "source" }, rule.source),
    h("td", {}, rule.description || "–"),
    h(
      "td",
      { class: "row-verbs" },
      rule.gone
        ? h("span", { class: "gone-word" }, "gone")
        : [
            h("button", { type: "button", "aria-label": `Edit ${label}`, onclick: () => edit(rule) }, "Edit"),
            h("button", { type: "button", "aria-label": `Delete ${label}`, onclick: () => remove(rule) }, "Delete"),
          ],
    ),
  );
}

const where = () => ({ account: account.value, region: region.value, who: identity.value, group: open });

async function call(path, values) {
  try {
    const answer = await send(path, { ...where(), ...values });
    flash.replaceChildren(
      h("p", { class: "good" }, h("b", {}, "✓ "), `${answer.action} succeeded. `, h("small", {}, `Request ${answer.requestId}`)),
    );
    return answer;
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    flash.replaceChildren(h("p", { class: "bad" }, h("b", {}, `✗ ${error.code}: `), error.message));
    throw error;
  } finally {
    refreshConsole();
  }
}

/** Count the rules of an answer as seen, so that they leave a trace even when they are gone already. */
function seen(answer) {
  for (const rule of answer.rules ?? []) if (answer.rules.length <= 5) known.set(rule.id, rule);
}

const add = () => askForRules("Add inbound rules", [{}], async (rules) => seen(await call("api/rules/add", { rules })));
const addMany = () => askForCount(async (count) => seen(await call("api/rules/add-many", { count })));
const deployStack = async () => {
  flash.replaceChildren(h("p", {}, `Making ${STACK_CALLS} calls …`));
  try {
    await call("api/rules/deploy-stack", { count: STACK_CALLS, groups: groups.filter((group) => group.name !== "default").map((group) => group.id) });
  } catch (error) {
    if (!(error instanceof Refusal)) throw error; // the flash bar shows it
  }
};
const edit = (rule) => askForRules("Edit inbound rule", [rule], ([values]) => call("api/rules/edit", { ruleId: rule.id, rule: values }));

async function remove(rule) {
  body.querySelector(".group-head .primary").focus();
  try {
    await call("api/rules/delete", { ruleIds: [rule.id] });
  } catch (error) {
    if (!(error instanceof Refusal)) throw error; // the flash bar shows it
  }
}

const createGroup = () =>
  askForGroup(async (values) => {
    const answer = await call("api/groups/create", values);
    open = answer.group;
    forgetRules();
  });
