// What the TypeScript clients have in common: they are asked line by line, and answer so.

import { createInterface } from 'node:readline';

export const options = JSON.parse(process.argv[2]);

/** What every request carries. */
export const requestInit = { headers: { Authorization: `Bearer ${options.token}` } };

const say = (line) => console.log(JSON.stringify(line));

const told = (error) => ({
  kind: 'error',
  type: error.constructor.name,
  code: error.code ?? null,
  data: error.data ?? null,
  text: error.message,
});

/** Connects, says how, and calls what it is asked for. */
export async function serve(client, transport, version) {
  try {
    await client.connect(transport);
    say({ kind: 'connected', version: version(), session: transport.sessionId ?? null });
  } catch (error) {
    say(told(error));
    process.exit();
  }
  for await (const line of createInterface({ input: process.stdin })) {
    try {
      const { content, isError = false } = await client.callTool(JSON.parse(line));
      say({ kind: isError ? 'tool_error' : 'result', text: content[0]?.text ?? '' });
    } catch (error) {
      say(told(error));
    }
  }
  process.exit();
}
