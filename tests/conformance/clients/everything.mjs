// Lists and calls every tool of server-everything, as a client that can answer all it is asked.
//
//   CONFORMANCE_MODULES=... node everything.mjs '{"url": ..., "calls": {"echo": {...}, ...}}'

import { find } from '../fixture/sdk.mjs';

const { Client } = find('@modelcontextprotocol/sdk/client/index.js');
const { StreamableHTTPClientTransport } = find(
  '@modelcontextprotocol/sdk/client/streamableHttp.js',
);
const types = find('@modelcontextprotocol/sdk/types.js');

const { url, calls } = JSON.parse(process.argv[2]);
const client = new Client(
  { name: 'conformance', version: '1.0.0' },
  { capabilities: { roots: {}, sampling: {}, elicitation: { form: {}, url: {} } } },
);
const asked = [];
const answering = (schema, answer) =>
  client.setRequestHandler(schema, ({ method }) => {
    asked.push(method);
    return answer;
  });
// The server asks for roots when it likes.
const root = { uri: 'file:///tmp', name: 'tmp' };
client.setRequestHandler(types.ListRootsRequestSchema, () => ({ roots: [root] }));
answering(types.CreateMessageRequestSchema, {
  role: 'assistant',
  model: 'none',
  content: { type: 'text', text: 'sampled' },
});
answering(types.ElicitRequestSchema, { action: 'decline' });

await client.connect(new StreamableHTTPClientTransport(new URL(url)));
const { tools } = await client.listTools();
const results = {};
for (const [name, args] of Object.entries(calls)) {
  asked.length = 0;
  try {
    const result = await client.callTool({ name, arguments: args }, undefined, { timeout: 8000 });
    results[name] = { result, asked: [...asked] };
  } catch (error) {
    results[name] = { error: { code: error.code, message: error.message }, asked: [...asked] };
  }
}
console.log(JSON.stringify({ tools, results }));
process.exit();
