// How JavaScript reads a message. One line in, one out.
import { createInterface } from "node:readline";

const NAMED = {
  "tools/call": "name",
  "prompts/get": "name",
  "resources/read": "uri",
  "resources/subscribe": "uri",
  "resources/unsubscribe": "uri",
  "tasks/get": "taskId",
  "tasks/cancel": "taskId",
};

const isObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value);

// Numbers that are none in JSON, as text that every reader writes alike.
const finite = (_, value) =>
  typeof value === "number" && !Number.isFinite(value) ? (value > 0 ? "\0inf" : "\0-inf") : value;

function read(message) {
  if (!isObject(message)) return null;
  const { method, params = {} } = message;
  if (typeof method !== "string" || !isObject(params)) return null;
  let target = null;
  if (Object.hasOwn(NAMED, method)) {
    target = params[NAMED[method]];
  } else if (method === "completion/complete" && isObject(params.ref)) {
    target = params.ref.name ?? params.ref.uri;
  } else if (method === "subscriptions/listen" && isObject(params.notifications ?? {})) {
    target = params.notifications?.resourceSubscriptions ?? [];
  }
  const args = method === "tools/call" ? (params.arguments ?? {}) : null;
  return { method, target: target ?? null, arguments: args };
}

const utf8 = new TextDecoder("utf-8");
for await (const line of createInterface({ input: process.stdin })) {
  let said = null;
  try {
    said = read(JSON.parse(utf8.decode(Buffer.from(line, "base64"))));
  } catch {
    // It does not read it.
  }
  process.stdout.write(`${JSON.stringify(said, finite)}\n`);
}
