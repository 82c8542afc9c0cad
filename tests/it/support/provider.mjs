// A certified OpenID provider (npm oidc-provider) as other people run it, steered by lines on stdin:
//   keys N            what it signs with and publishes: the newest N of those it ever made, after a new one
//   token AUDIENCE    prints an access token of the client `robot` for this audience, as JSON
// It tells the time that it is given at its start, because tests move the clock of the authority.
import { generateKeyPairSync } from 'node:crypto';
import { createServer } from 'node:http';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';

const [modules, port, now] = process.argv.slice(2);
const really = Date.now;
const began = really();
Date.now = () => Number(now) + (really() - began);

const { default: Provider } = await import(pathToFileURL(`${modules}/oidc-provider/lib/index.js`));

const made = [];
let answer;
let provider;

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
    }],
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

const server = createServer((request, response) => answer(request, response));
server.listen(Number(port), '127.0.0.1', () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  publish(1, issuer);
  console.log(issuer);
  createInterface({ input: process.stdin }).on('line', async (line) => {
    const [word, argument] = line.split(' ');
    if (word === 'keys') {
      publish(Number(argument), issuer);
      console.log('published');
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
