// A complete, certified OpenID Connect provider on a free loopback port, for tests: `node oidc-provider.mjs REDIRECT_URI [LOGOUT_URI]` prints its issuer and
// runs until its input ends. Everybody signs in with their own name, without a password; "ann" has the group "family". The client is revenge/secret.
import { createServer } from 'node:http';
import Provider from 'oidc-provider';

/** Starts the provider. `close` stops it. */
export async function startProvider(redirectURI, logoutURI = new URL('/', redirectURI).href) {
	const server = createServer();
	await new Promise((listening) => server.listen(0, '127.0.0.1', listening));
	const issuer = `http://127.0.0.1:${server.address().port}`;
	const provider = new Provider(issuer, {
		clients: [
			{
				client_id: 'revenge',
				client_secret: 'secret',
				redirect_uris: [redirectURI],
				post_logout_redirect_uris: [logoutURI],
				// Plain HTTP on loopback is what this server is tested on.
				application_type: 'native',
				token_endpoint_auth_method: 'client_secret_basic'
			}
		],
		claims: {
			openid: ['sub'],
			profile: ['name', 'preferred_username', 'groups'],
			email: ['email', 'email_verified']
		},
		findAccount: (_, id) => ({
			accountId: id,
			claims: () => ({
				sub: id,
				name: `The one called ${id}`,
				preferred_username: id,
				groups: id === 'ann' ? ['family'] : [],
				email: `${id}@example.org`,
				email_verified: true
			})
		}),
		pkce: { required: () => true },
		features: { devInteractions: { enabled: true } },
		cookies: { keys: ['for tests only'] }
	});
	provider.proxy = false;
	server.on('request', provider.callback());
	return {
		issuer,
		close: () =>
			new Promise((closed) => {
				server.close(closed);
				server.closeAllConnections();
			})
	};
}

if (process.argv[1] === import.meta.filename) {
	const { issuer, close } = await startProvider(process.argv[2], process.argv[3]);
	console.log(issuer);
	process.stdin.resume().on('end', close);
}
