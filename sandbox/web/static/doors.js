// The lines that make the AWS CLI, boto3 or Terraform use the sandbox.

import { find, h } from "./dom.js";
import { chosenGroup } from "./console.js";

const WHO = {
  user: "the IAM user alice",
  sso: "ada@example.com, signed in by IAM Identity Center (a role session)",
  asker: "the IAM user linus, who may only ask (AWS refuses the call, and the question is asked)",
};

export function startDoors(overview) {
  find("#open-doors").addEventListener("click", () => open(overview));
}

function open(overview) {
  const { account, region, group } = chosenGroup();
  const chosen = overview.accounts.find((one) => one.id === account);
  const example = group || "sg-…";
  const dialog = h(
    "dialog",
    { class: "doors", "aria-labelledby": "doors-title" },
    h("h2", { id: "doors-title" }, "Use a real AWS CLI"),
    h(
      "p",
      {},
      "All AWS APIs answer at ",
      h("code", {}, overview.awsUrl),
      ` for every account. These lines are for the account ${chosen.name} (${chosen.id}) in ${region}, as chosen in the console. `,
      "boto3 and Terraform take them too. Every change made with them is handled like one made on this page.",
    ),
    Object.entries(WHO).map(([who, words]) => code(`To be ${words}:`, [...chosen.shell[who], `export AWS_DEFAULT_REGION=${region}`])),
    code("Then, for example:", [
      `aws ec2 authorize-security-group-ingress --group-id ${example} --protocol tcp --port 22 --cidr 0.0.0.0/0`,
      `aws ec2 describe-security-group-rules --filters Name=group-id,Values=${example}`,
    ]),
    h("form", { method: "dialog", class: "buttons" }, h("button", { class: "primary", autofocus: true }, "Close")),
  );
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}

function code(title, lines) {
  const text = lines.join("\n");
  const button = h(
    "button",
    {
      type: "button",
      onclick: async () => {
        try {
          await navigator.clipboard.writeText(`${text}\n`);
          button.textContent = "Copied";
        } catch {
          getSelection().selectAllChildren(box); // no permission: the reader copies what is selected
          button.textContent = "Selected";
        }
      },
    },
    "Copy",
  );
  const box = h("pre", { tabindex: "0" }, text);
  return h("figure", {}, h("figcaption", {}, title, button), box);
}
