// Renders Slack's mrkdwn into nodes, never into HTML text: what a user wrote can only ever be text.
// https://docs.slack.dev/messaging/formatting-message-text

const SPECIAL = /<([^<>\n]*)>/;
const CODE_BLOCK = /```([\s\S]+?)```/;
const CODE = /`([^`\n]+)`/;
const EMPHASIS = { "*": "strong", _: "em", "~": "s" };
const EMPHASIZED = /(^|[^\w*_~`])([*_~])(?=\S)((?:(?!\2)[^\n])*?[^\s*_~]|\S)\2(?![\w*_~`])/;

/** Return the nodes of a text object: plain_text as it stands, mrkdwn with its markup. */
export function textNodes(text, people) {
  return text.type === "plain_text" ? [document.createTextNode(text.text)] : nodes(text.text, people);
}

function nodes(text, people) {
  for (const [pattern, make] of [
    [CODE_BLOCK, (match) => wrap("pre", [document.createTextNode(unescape(match[1].replace(/^\n|\n$/g, "")))])],
    [SPECIAL, (match) => special(match[1], people)],
    [CODE, (match) => wrap("code", [document.createTextNode(unescape(match[1]))])],
  ]) {
    const match = pattern.exec(text);
    if (match) {
      const rest = text.slice(match.index + match[0].length);
      // Emphasis may reach over a link or a date, so it is looked for first where it begins earlier.
      const emphasis = emphasized(text, people);
      if (emphasis && emphasis.index < match.index) return emphasis.nodes;
      return [...nodes(text.slice(0, match.index), people), make(match), ...nodes(rest, people)];
    }
  }
  const emphasis = emphasized(text, people);
  if (emphasis) return emphasis.nodes;
  return text ? [document.createTextNode(unescape(text))] : [];
}

function emphasized(text, people) {
  const match = EMPHASIZED.exec(text);
  if (!match) return null;
  const [whole, before, mark, inner] = match;
  const rest = text.slice(match.index + whole.length);
  return {
    index: match.index,
    nodes: [
      ...nodes(text.slice(0, match.index) + before, people),
      wrap(EMPHASIS[mark], nodes(inner, people)),
      ...nodes(rest, people),
    ],
  };
}

function special(content, people) {
  const [target, label = ""] = split(content, "|");
  if (target.startsWith("@")) return mention(`@${people.users.get(target.slice(1)) ?? target.slice(1)}`);
  if (target.startsWith("#")) return mention(`#${people.channels.get(target.slice(1)) ?? (label || target.slice(1))}`);
  if (target.startsWith("!date^")) return date(target.split("^"), label);
  if (target.startsWith("!")) return mention(`@${target.slice(1).split("^")[0]}`);
  if (!/^(https?|mailto):/.test(target)) return document.createTextNode(unescape(label || target));
  const link = wrap("a", [document.createTextNode(unescape(label || target))]);
  link.href = unescape(target);
  link.rel = "noreferrer noopener";
  link.target = "_blank";
  return link;
}

function mention(text) {
  const element = wrap("span", [document.createTextNode(text)]);
  element.className = "mention";
  return element;
}

const DAY = { year: "numeric", month: "short", day: "numeric" };
const FORMATS = {
  date_num: (when) => when.toISOString().slice(0, 10),
  date: (when) => when.toLocaleDateString("en", { ...DAY, month: "long" }),
  date_short: (when) => when.toLocaleDateString("en", DAY),
  date_long: (when) => when.toLocaleDateString("en", { ...DAY, month: "long", weekday: "long" }),
  time: (when) => when.toLocaleTimeString("en", { hour: "numeric", minute: "2-digit" }),
  time_secs: (when) => when.toLocaleTimeString("en", { hour: "numeric", minute: "2-digit", second: "2-digit" }),
};

const NEAR = new Map([[-1, "yesterday"], [0, "today"], [1, "tomorrow"]]);
const midnight = (when) => new Date(when.getFullYear(), when.getMonth(), when.getDate()).getTime();
const daysFromToday = (when) => Math.round((midnight(when) - midnight(new Date())) / 86_400_000);

function date([, seconds, format], fallback) {
  const when = new Date(Number(seconds) * 1000);
  const element = wrap("time", []);
  if (Number.isNaN(when.getTime())) {
    element.textContent = unescape(fallback);
    return element;
  }
  element.dateTime = when.toISOString();
  element.title = unescape(fallback);
  element.textContent = format.replace(/\{(\w+)\}/g, (token, name) => {
    const pretty = name.endsWith("_pretty");
    if (pretty && NEAR.has(daysFromToday(when))) return NEAR.get(daysFromToday(when));
    const make = FORMATS[pretty ? name.slice(0, -"_pretty".length) : name];
    return make ? make(when) : token;
  });
  return element;
}

function wrap(name, children) {
  const element = document.createElement(name);
  element.append(...children);
  return element;
}

function split(text, separator) {
  const place = text.indexOf(separator);
  return place < 0 ? [text] : [text.slice(0, place), text.slice(place + 1)];
}

function unescape(text) {
  return text.replace(/&lt;/g, "<").replace(/&gt;/g, ">").replace(/&amp;/g, "&");
}
