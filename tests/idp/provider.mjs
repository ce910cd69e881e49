// A certified OpenID provider for the tests: `oidc-provider` over HTTPS, and beside it, on a port
// of their own, what tests may do to its keys.
//
//   node provider.mjs '{"issuer": ..., "port": ..., "admin": ..., "cert": ..., "key": ...,
//                       "state": ..., "modules": ..., "resource": ...}'
//
// Its keys are in the file `state`, so that they outlive the process; sessions do not.

import { createPrivateKey, generateKeyPairSync, randomUUID } from 'node:crypto';
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { createServer as createHttp } from 'node:http';
import { createServer as createHttps } from 'node:https';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const options = JSON.parse(process.argv[2]);
const find = createRequire(join(options.modules, 'package.json'));
const { Provider } = await import(pathToFileURL(find.resolve('oidc-provider')).href);

const HOUR = 3600;
const CALLBACK = 'https://client.example.com/callback';

const people = { alice: ['ads'], bob: ['contractors'], carl: ['ads', 'contractors'], nina: [] };
const machines = { reporter: ['ads'] }; // by client; the others say nothing about groups

// === keys ===

function newKey() {
  // By way of PEM: exporting the generated key itself as JWK now and then hangs for ever (Node 20).
  const { privateKey } = generateKeyPairSync('rsa', {
    modulusLength: 2048,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  });
  const jwk = createPrivateKey(privateKey).export({ format: 'jwk' });
  return { ...jwk, kid: randomUUID(), alg: 'RS256', use: 'sig' };
}

function load() {
  if (existsSync(options.state)) return JSON.parse(readFileSync(options.state, 'utf8'));
  const key = newKey();
  return { keys: [key], signing: key.kid };
}

let state = load();
let fetches = 0;

// === the provider ===

// Grants and sessions, which outlive a change of keys.
const stored = new Map();

class Memory {
  constructor(kind) {
    this.kind = kind;
  }

  id(key) {
    return `${this.kind}:${key}`;
  }

  async upsert(id, payload) {
    stored.set(this.id(id), payload);
    if (payload.uid) stored.set(this.id(`uid:${payload.uid}`), payload);
  }

  async find(id) {
    return stored.get(this.id(id));
  }

  async findByUid(uid) {
    return stored.get(this.id(`uid:${uid}`));
  }

  async findByUserCode() {}

  async consume(id) {
    stored.get(this.id(id)).consumed = Math.floor(Date.now() / 1000);
  }

  async destroy(id) {
    stored.delete(this.id(id));
  }

  async revokeByGrantId(grant) {
    for (const [key, payload] of stored) if (payload.grantId === grant) stored.delete(key);
  }
}

function browserClient(id) {
  return {
    client_id: id,
    redirect_uris: [CALLBACK],
    grant_types: ['authorization_code', 'refresh_token'],
    response_types: ['code'],
    token_endpoint_auth_method: 'none',
  };
}

function machineClient(id) {
  return {
    client_id: id,
    client_secret: `secret of ${id}`,
    redirect_uris: [],
    grant_types: ['client_credentials'],
    response_types: [],
  };
}

function provider() {
  const signing = { sign: { alg: 'RS256', kid: state.signing } };
  // ID tokens are signed with the first key.
  const first = state.keys.filter((key) => key.kid === state.signing);
  const rest = state.keys.filter((key) => key.kid !== state.signing);
  return new Provider(options.issuer, {
    adapter: Memory,
    jwks: { keys: [...first, ...rest] },
    cookies: { keys: ['not a secret: this provider lives on the loopback for a few minutes'] },
    // The last one is called like the resource, and so are its ID tokens' audiences.
    clients: [
      browserClient('chat'),
      machineClient('nightly'),
      machineClient('reporter'),
      browserClient(options.resource),
    ],
    scopes: ['openid', 'offline_access', 'mcp'],
    claims: { openid: ['sub', 'groups', 'email', 'email_verified', 'preferred_username'] },
    async findAccount(_ctx, id) {
      if (!Object.hasOwn(people, id)) return undefined;
      const email = { email: `${id}@example.com`, email_verified: true };
      const claims = { sub: id, groups: people[id], preferred_username: id, ...email };
      return { accountId: id, claims: async () => claims };
    },
    async extraTokenClaims(_ctx, token) {
      const groups = token.accountId ? people[token.accountId] : machines[token.clientId];
      return groups && { groups };
    },
    features: {
      clientCredentials: { enabled: true },
      devInteractions: { enabled: true },
      resourceIndicators: {
        enabled: true,
        async getResourceServerInfo(_ctx, resource) {
          const format = { accessTokenFormat: 'jwt', jwt: signing };
          return { scope: 'mcp', audience: resource, accessTokenTTL: HOUR, ...format };
        },
      },
    },
    pkce: { required: () => true },
    ttl: { AccessToken: HOUR, ClientCredentials: HOUR, IdToken: HOUR, Session: HOUR, Grant: HOUR },
  }).callback();
}

// === what tests may do ===

function keep(changed) {
  state = changed;
  // By rename, since the process may be killed at any moment.
  writeFileSync(`${options.state}.new`, JSON.stringify(state), { mode: 0o600 });
  renameSync(`${options.state}.new`, options.state);
  current = provider();
}

const admin = {
  'POST /keys': () => {
    const key = newKey();
    keep({ ...state, keys: [...state.keys, key] });
    return { kid: key.kid };
  },
  'POST /signing': (kid) => keep({ ...state, signing: kid }),
  'DELETE /keys': (kid) => keep({ ...state, keys: state.keys.filter((key) => key.kid !== kid) }),
  'GET /signing': () => ({ kid: state.signing }),
  'GET /fetches': () => ({ fetches }),
};

let current;
keep(state);
const tls = { cert: readFileSync(options.cert), key: readFileSync(options.key) };
createHttps(tls, (request, response) => {
  if (request.url === '/jwks') fetches += 1;
  current(request, response);
}).listen(options.port, '127.0.0.1');
createHttp((request, response) => {
  const url = new URL(request.url, 'http://localhost');
  const act = admin[`${request.method} ${url.pathname}`];
  response.statusCode = act ? 200 : 404;
  response.end(JSON.stringify(act?.(url.searchParams.get('kid')) ?? {}));
}).listen(options.admin, '127.0.0.1');
