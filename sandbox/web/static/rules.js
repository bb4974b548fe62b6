// How the console names rules: presets for common ports, "All" where there are none.

/** Name, protocol and ports of the presets; without ports, the reader names them. */
export const PRESETS = [
  { name: "Custom TCP", protocol: "tcp" },
  { name: "Custom UDP", protocol: "udp" },
  { name: "SSH", protocol: "tcp", ports: "22" },
  { name: "HTTP", protocol: "tcp", ports: "80" },
  { name: "HTTPS", protocol: "tcp", ports: "443" },
  { name: "RDP", protocol: "tcp", ports: "3389" },
  { name: "MySQL", protocol: "tcp", ports: "3306" },
  { name: "PostgreSQL", protocol: "tcp", ports: "5432" },
  { name: "DNS (UDP)", protocol: "udp", ports: "53" },
  { name: "All ICMP IPv4", protocol: "icmp", ports: "" },
  { name: "All ICMP IPv6", protocol: "icmpv6", ports: "" },
  { name: "All TCP", protocol: "tcp", ports: "0-65535" },
  { name: "All traffic", protocol: "-1", ports: "" },
];

export function typeOf(rule) {
  const ports = portRange(rule);
  const preset = PRESETS.find((one) => one.protocol === rule.protocol && one.ports !== undefined && one.ports === ports);
  if (preset) return preset.name;
  const named = { tcp: "Custom TCP", udp: "Custom UDP", icmp: "Custom ICMP", icmpv6: "Custom ICMPv6" };
  return named[rule.protocol] ?? `Protocol ${rule.protocol}`;
}

export function portsOf(rule) {
  if (rule.protocol.startsWith("icmp")) return rule.fromPort === -1 ? "All" : `Type ${rule.fromPort}`;
  return portRange(rule) || "All";
}

/** Ports as the form has them: "443", "8000-8100", nothing for all. */
export function portRange(rule) {
  if (rule.fromPort === null || rule.fromPort === undefined || rule.fromPort === -1) return "";
  return rule.fromPort === rule.toPort ? String(rule.fromPort) : `${rule.fromPort}-${rule.toPort}`;
}
