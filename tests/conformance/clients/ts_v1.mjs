// The first line of the TypeScript SDK, which speaks the older era.

import { find } from '../fixture/sdk.mjs';
import { options, requestInit, serve } from './lines.mjs';

const { Client } = find('@modelcontextprotocol/sdk/client/index.js');
const { StreamableHTTPClientTransport } = find(
  '@modelcontextprotocol/sdk/client/streamableHttp.js',
);

const transport = new StreamableHTTPClientTransport(new URL(options.url), {
  requestInit,
  ...(options.session && { sessionId: options.session }),
});
const client = new Client({ name: 'conformance', version: '1.0.0' });
await serve(client, transport, () => transport.protocolVersion ?? null);
