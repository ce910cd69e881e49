// Adds a token to whatever passes, for clients that cannot: the suite has no option for headers.
//
//   node shim.mjs '{"listen": ..., "port": ..., "token": ..., "ca": ..., "cert": ..., "key": ...}'
//
// Everything else goes on as it came, byte for byte: names, order, Host and Origin too.

import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { Agent, request } from 'node:https';
import { pipeline } from 'node:stream';

const { listen, port, token, ca, cert, key } = JSON.parse(process.argv[2]);

const agent = new Agent({
  keepAlive: true,
  ca: readFileSync(ca),
  cert: readFileSync(cert),
  key: readFileSync(key),
  servername: 'localhost',
});

createServer((asked, answer) => {
  const onward = request({
    agent,
    host: '127.0.0.1',
    port,
    method: asked.method,
    path: asked.url,
    setHost: false,
    headers: [...asked.rawHeaders, 'Authorization', `Bearer ${token}`],
  });
  onward.on('response', (given) => {
    answer.writeHead(given.statusCode, given.statusMessage, given.rawHeaders);
    answer.flushHeaders();
    pipeline(given, answer, () => {});
  });
  // A client must see a broken connection as one, and an upstream that its client is gone.
  onward.on('error', () => answer.destroy());
  answer.on('close', () => onward.destroy());
  asked.pipe(onward);
}).listen(listen, '127.0.0.1');
