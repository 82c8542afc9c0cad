// A certified OpenID provider (npm oidc-provider) as other people run it, steered by lines on stdin:
//   keys N            what it signs with and publishes: the newest N of those it ever made, after a new one
//   client URL        lets people sign in to whoever is at this address, as the client `assent`
//   person JSON       {sub, name, email, email_verified, groups, acr, amr}: somebody who can sign in, or how
//                     they are from now on
//   forget SUB        it knows them no more
//   time MILLISECONDS it is this late
//   token AUDIENCE    prints an access token of the client `robot` for this audience, as JSON
// It tells the time that it is given at its start, because tests move the clock of the authority.
import { generateKeyPairSync } from 'node:crypto';
import { createServer } from 'node:http';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';

const [modules, port, now] = process.argv.slice(2);
// What it tells its operator is no answer to an order.
console.info = console.warn;
const really = Date.now;
let began = really();
let base = Number(now);
Date.now = () => base + (really() - began);

const { default: Provider } = await import(pathToFileURL(`${modules}/oidc-provider/lib/index.js`));

const made = [];
const clients = [];
const people = new Map();
let answer;
let provider;

// What stands for a person at a keyboard: they say who they are, and nobody doubts it.
async function interact(request, response) {
  if (request.method === 'GET') {
    const { uid, prompt } = await provider.interactionDetails(request, response);
    response.setHeader('content-type', 'text/html; charset=utf-8');
    response.end(`<!doctype html><title>Corp</title><h1>Corp asks: ${prompt.name}</h1>
      <form method="post" action="/interaction/${uid}"><input name="who"><button>Go on</button></form>`);
    return;
  }
  let body = '';
  for await (const chunk of request) body += chunk;
  const who = new URLSearchParams(body).get('who');
  const { acr, amr } = people.get(who) ?? {};
  const result = people.has(who)
    ? { login: { accountId: who, acr, amr } }
    : { error: 'access_denied', error_description: 'nobody of that name' };
  await provider.interactionFinished(request, response, result, { mergeWithLastSubmission: false });
}

function publish(count, issuer) {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const kid = `key-${made.length + 1}`;
  made.unshift({ ...privateKey.export({ format: 'jwk' }), kid, alg: 'ES256', use: 'sig' });
  provider = new Provider(issuer, {
    clients: [{
      client_id: 'robot',
      client_secret: 'a-secret-of-the-tests-alone',
      grant_types: ['client_credentials'],
      redirect_uris: [],
      response_types: [],
      id_token_signed_response_alg: 'ES256',
    }, ...clients],
    findAccount: (_, sub) => (!people.has(sub) ? undefined : {
      accountId: sub,
      claims: () => {
        // How they signed in is the session's to say.
        const { acr, amr, ...person } = people.get(sub);
        return { name: `${sub} of Corp`, groups: [], ...person };
      },
    }),
    claims: { acr: null, amr: null, auth_time: null, iss: null, sid: null, openid: ['sub', 'name', 'email', 'email_verified', 'groups', 'acr', 'amr'] },
    acrValues: ['urn:corp:strong', 'urn:corp:weak'],
    cookies: { keys: ['of the tests alone'] },
    interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
    issueRefreshToken: (_, client) => client.grantTypeAllowed('refresh_token'),
    loadExistingGrant: async (context) => {
      const { client, session } = context.oidc;
      const grant = new provider.Grant({ clientId: client.clientId, accountId: session.accountId });
      grant.addOIDCScope('openid');
      await grant.save();
      return grant;
    },
    jwks: { keys: made.slice(0, count) },
    ttl: { ClientCredentials: 80000 },
    features: {
      clientCredentials: { enabled: true },
      devInteractions: { enabled: false },
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo: (_, audience) => ({
          audience,
          scope: 'read',
          accessTokenFormat: 'jwt',
          accessTokenTTL: 80000,
          jwt: { sign: { alg: 'ES256' } },
        }),
      },
    },
  });
  answer = provider.callback();
}

const server = createServer((request, response) => (request.url.startsWith('/interaction/')
  ? interact(request, response).catch((error) => response.writeHead(400).end(String(error)))
  : answer(request, response)));
server.listen(Number(port), '127.0.0.1', () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  publish(1, issuer);
  console.log(issuer);
  createInterface({ input: process.stdin }).on('line', async (line) => {
    const [word, argument] = line.split(/ (.*)/s);
    if (word === 'keys') {
      publish(Number(argument), issuer);
      console.log('published');
    } else if (word === 'client') {
      clients.splice(0, clients.length, {
        client_id: 'assent',
        client_secret: 'a-secret-of-the-tests-alone',
        grant_types: ['authorization_code', 'refresh_token'],
        redirect_uris: [argument],
        response_types: ['code'],
        id_token_signed_response_alg: 'ES256',
      });
      publish(1, issuer);
      console.log('known');
    } else if (word === 'person') {
      const person = JSON.parse(argument);
      people.set(person.sub, person);
      console.log('known');
    } else if (word === 'forget') {
      people.delete(argument);
      console.log('forgotten');
    } else if (word === 'time') {
      [base, began] = [Number(argument), really()];
      console.log('later');
    } else {
      const basic = Buffer.from('robot:a-secret-of-the-tests-alone').toString('base64');
      const given = await fetch(`${issuer}/token`, {
        method: 'POST',
        headers: { authorization: `Basic ${basic}` },
        body: new URLSearchParams({ grant_type: 'client_credentials', resource: argument }),
      });
      console.log(await given.text());
    }
  }).on('close', () => process.exit());
});
