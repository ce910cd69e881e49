// Speaks to Envoy for clients on this machine, as their sidecar in a mesh would: with a workload's
// certificate, and with somebody's token for those that cannot bring one.
//
//   node shim.mjs '{"port": ..., "ca": ..., "lanes": [{"listen": ..., "cert": ..., "key": ...,
//                   "token": ...}, ...]}'
//
// Everything else goes on as it came, byte for byte: names, order, Host and Origin too. Sessions
// that servers open are printed: not every library shows its own.

import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { Agent, request } from 'node:https';
import { pipeline } from 'node:stream';

const { port, ca, lanes } = JSON.parse(process.argv[2]);

function lane({ listen, cert, key, token }) {
  const agent = new Agent({
    keepAlive: true,
    ca: readFileSync(ca),
    cert: readFileSync(cert),
    key: readFileSync(key),
    servername: 'localhost',
  });
  const added = token ? ['Authorization', `Bearer ${token}`] : [];

  createServer((asked, answer) => {
    const onward = request({
      agent,
      host: '127.0.0.1',
      port,
      method: asked.method,
      path: asked.url,
      setHost: false,
      headers: [...asked.rawHeaders, ...added],
    });
    onward.on('response', (given) => {
      const session = given.headers['mcp-session-id'];
      if (session) console.log(`session ${session}`);
      answer.writeHead(given.statusCode, given.statusMessage, given.rawHeaders);
      answer.flushHeaders();
      pipeline(given, answer, () => {});
    });
    // A client must see a broken connection as one, and an upstream that its client is gone.
    onward.on('error', () => answer.destroy());
    answer.on('close', () => onward.destroy());
    asked.pipe(onward);
  }).listen(listen, '127.0.0.1');
}

lanes.forEach(lane);
