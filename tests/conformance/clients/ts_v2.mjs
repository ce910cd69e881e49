// The second line of the TypeScript SDK, which speaks both eras.

import { find } from '../fixture/sdk.mjs';
import { options, requestInit, serve } from './lines.mjs';

const { Client, StreamableHTTPClientTransport } = find('@modelcontextprotocol/client');

const mode = options.era === 'modern' ? { pin: '2026-07-28' } : 'legacy';
const transport = new StreamableHTTPClientTransport(new URL(options.url), {
  requestInit,
  ...(options.session && { sessionId: options.session }),
});
const info = { name: 'conformance', version: '1.0.0' };
const client = new Client(info, { versionNegotiation: { mode } });
await serve(client, transport, () => client.getNegotiatedProtocolVersion() ?? null);
