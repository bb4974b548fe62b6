// The console's dialogs: rows of rules to add or edit, a number of rules, a new group. They know no calls.

import { Refusal, find, h } from "./dom.js";
import { PRESETS, portRange, typeOf } from "./rules.js";

/** Ask for rules; `rules` fills the rows ({} for an empty one), `save` gets the rows' values. */
export function askForRules(title, rules, save) {
  const editing = Boolean(rules[0].id);
  const rows = h("div", { class: "rule-rows" }, rules.map((rule) => row(rule, editing)));
  const another = h(
    "button",
    {
      type: "button",
      onclick: () => {
        rows.append(row({}, false));
        find("select", rows.lastElementChild).focus();
      },
    },
    "Add another rule",
  );
  dialog(title, [rows, editing ? null : another], "Save rules", () => save([...rows.children].map(valuesOf)));
}

/** Ask how many rules to add at once. */
export function askForCount(save) {
  const count = h("input", { type: "number", min: "1", max: "200", value: "60", required: true });
  const words = "One call with so many rules for TCP 8443, each from another network. EC2 takes 60 rules per group.";
  dialog("Add many rules", [h("p", {}, words), h("label", {}, "Number of rules ", count)], "Add", () => save(Number(count.value)));
}

/** Ask for a new group's name and description. */
export function askForGroup(save) {
  const name = h("input", { required: true, maxlength: "255" });
  const description = h("input", { maxlength: "255" });
  const fields = [h("label", {}, "Name ", name), h("label", {}, "Description ", description)];
  dialog("Create security group", fields, "Create", () => save({ name: name.value, description: description.value }));
}

/** Ask whether to go on; `verb` is what stands on the button for yes. */
export function confirmed(question, verb) {
  return new Promise((resolve) => {
    let answer = false;
    const closed = dialog("Are you sure?", [h("p", {}, question)], verb, async () => (answer = true));
    closed.addEventListener("close", () => resolve(answer));
  });
}

function row(rule, editing) {
  const type = h("select", {}, PRESETS.map((preset) => h("option", {}, preset.name)));
  const ports = h("input", { placeholder: "443 or 8000-8100", pattern: "[0-9]{1,5}(-[0-9]{1,5})?", title: "A port such as 443, or a range such as 8000-8100" });
  const source = h("input", { required: true, placeholder: "10.0.0.0/8, ::/0, sg-… or pl-…", value: rule.source ?? "", autocomplete: "off" });
  const description = h("input", { maxlength: "255", value: rule.description ?? "", autocomplete: "off" });
  const custom = rule.id && !PRESETS.some((preset) => preset.name === typeOf(rule));
  if (custom) type.append(h("option", { value: "", "data-protocol": rule.protocol }, typeOf(rule)));
  if (rule.id) type.value = custom ? "" : typeOf(rule);
  const choose = () => {
    const preset = PRESETS.find((one) => one.name === type.value);
    ports.disabled = preset?.ports !== undefined;
    ports.required = !ports.disabled && Boolean(preset);
    if (preset?.ports !== undefined) ports.value = preset.ports;
  };
  type.addEventListener("change", choose);
  choose();
  if (rule.id) ports.value = portRange(rule);
  return h(
    "fieldset",
    { "data-protocol": custom ? rule.protocol : undefined },
    h("legend", { class: "unseen" }, "Rule"),
    h("label", {}, "Type", type),
    h("label", {}, "Ports", ports),
    h("label", { class: "wide" }, "Source", source),
    h("label", { class: "wide" }, "Description", description),
    editing ? null : removal(),
  );
}

function removal() {
  const button = h(
    "button",
    {
      type: "button",
      class: "remove",
      "aria-label": "Remove this row",
      onclick: () => {
        const rows = button.closest(".rule-rows");
        if (rows.children.length > 1) button.closest("fieldset").remove();
        find("select", rows).focus();
      },
    },
    "×",
  );
  return button;
}

function valuesOf(fields) {
  const [ports, source, description] = fields.querySelectorAll("input");
  const type = find("select", fields).value;
  const preset = PRESETS.find((one) => one.name === type);
  return {
    protocol: preset ? preset.protocol : fields.dataset.protocol,
    ports: ports.value,
    source: source.value,
    description: description.value,
  };
}

/** Show a form in a dialog; it closes when `save` succeeds, and shows AWS's error when it does not. */
function dialog(title, fields, verb, save) {
  const error = h("p", { class: "error", role: "alert" });
  const submit = h("button", { class: "primary" }, verb);
  const form = h(
    "form",
    {
      onsubmit: async (event) => {
        event.preventDefault();
        submit.disabled = true;
        error.textContent = "";
        try {
          await save();
          element.close();
        } catch (refusal) {
          if (!(refusal instanceof Refusal)) throw refusal;
          error.textContent = `${refusal.code}: ${refusal.message}`;
        } finally {
          submit.disabled = false;
        }
      },
    },
    fields,
    error,
    h("div", { class: "buttons" }, h("button", { type: "button", onclick: () => element.close() }, "Cancel"), submit),
  );
  const element = h("dialog", { class: "form", "aria-labelledby": "form-title" }, h("h2", { id: "form-title" }, title), form);
  element.addEventListener("close", () => element.remove());
  document.body.append(element);
  element.showModal();
  (find("select, input", form) ?? submit).focus();
  return element;
}
