// Accounts, end to end: invitations and registrations by mail, second factors, passkeys, a sign-in provider, devices, API keys and their administration.
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { devtools, everywhere, launch, overflow, screenshot, settled, visitor } from './browser.mjs';
import { startProvider } from './oidc-provider.mjs';
import { startMails, startServer, until } from './server.mjs';

const passwords = {
	anna: 'the ship arrives with no crew',
	ben: 'a lamp in every second window',
	cleo: 'seven herons on a wet roof'
};
let server, browser, mails, provider, anna, ben, cleo;
/** What ben keeps: the key of the authenticator app, the backup codes, and the last time step that was shown. */
const kept = { secret: '', codes: [], step: 0 };
const noted = [];

/** Asks the API as a page would; its status and body. */
const ask = (page, path, method = 'GET', body) =>
	page.evaluate(
		async ([p, m, b]) => {
			const headers = { 'Content-Type': 'application/json' };
			const answer = await fetch(`/api/v1${p}`, { method: m, headers, body: b && JSON.stringify(b) });
			const text = await answer.text();
			return { status: answer.status, body: text ? JSON.parse(text) : null };
		},
		[path, method, body]
	);
const statusOf = async (page) => (await ask(page, '/users/me')).status;
/** Notes what is wrong with a page's looks; the last test fails for it, so that the story itself is told to its end. */
const looks = async (page, name) => noted.push(...(await everywhere(page, `identity-${name}`)));
const button = (page, name, exact = true) => page.getByRole('button', { name, exact });
const heading = (page, name) => page.getByRole('heading', { name }).first().waitFor();
const home = (page) => page.waitForURL((url) => url.pathname === '/');
/** The path of a mailed link, with its fragment. */
const pathOf = (link) => link.slice(new URL(link).origin.length);

/** The code of an authenticator app (RFC 6238: SHA-1, 30 s, six digits) that was not shown before. */
async function appCode() {
	const now = () => Math.floor(Date.now() / 30_000);
	kept.step = Math.max(kept.step + 1, now() - 1);
	// Servers take the step before and after theirs.
	await until('the next time step', () => kept.step <= now() + 1, 40);
	const bits = [...kept.secret].map((c) =>
		'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'.indexOf(c).toString(2).padStart(5, '0')
	);
	const key = Buffer.from(
		bits
			.join('')
			.match(/.{8}/g)
			.map((b) => parseInt(b, 2))
	);
	const counter = Buffer.alloc(8);
	counter.writeBigUInt64BE(BigInt(kept.step));
	const mac = createHmac('sha1', key).update(counter).digest();
	return String((mac.readUInt32BE(mac[19] & 15) & 0x7fffffff) % 1_000_000).padStart(6, '0');
}

/** Signs in with name and password; what comes after is the caller's. */
async function enter({ page }, name) {
	await page.goto('/login');
	await page.getByLabel('Name').fill(name);
	await page.getByLabel('Password').fill(passwords[name]);
	await button(page, 'Continue').click();
}
async function leave({ page }) {
	await button(page, /^Account of/, false).click();
	await page.getByRole('menuitem', { name: 'Sign out' }).click();
	await heading(page, 'Sign in');
}
const showApp = async ({ page }) => {
	await heading(page, 'Enter your code');
	await page.getByLabel('Six-digit code').fill(await appCode());
};
const showBackup = async ({ page }) => {
	await heading(page, 'Enter your code');
	await button(page, 'Use a backup code').click();
	await page.getByLabel('Backup code').fill(kept.codes.shift());
	await button(page, 'Sign in').click();
};
/** Answers what the provider asks (who one is, and whether that may be told) until the browser has arrived where that leads. */
const atProvider = (page, arrived) =>
	until('the provider sends the browser back', async () => {
		if (await arrived.isVisible()) return true;
		const asked = page.url();
		if (new URL(asked).origin !== provider.issuer) return false;
		if (await page.locator('[name=login]').count()) {
			await page.locator('[name=login]').fill('ben-at-home');
			await page.locator('[name=password]').fill('anything');
		}
		await page.locator('button[type=submit]').click();
		await page.waitForURL((url) => url.href !== asked);
		return false;
	});
/** Another browser in which ben is signed in. */
async function elsewhere() {
	const other = await visitor(browser, server.base);
	await enter(other, 'ben');
	await showBackup(other);
	await home(other.page);
	return other;
}
const outWithin = (page, seconds) =>
	until('the other session has ended', async () => (await statusOf(page)) === 401, seconds);
const set = async (page, fill) => {
	await page.goto('/admin/settings');
	await fill();
	await button(page, 'Save').click();
	await page.getByText('Saved').first().waitFor();
};

before(async () => {
	[mails, server, browser] = await Promise.all([startMails(), startServer({ named: true }), launch()]);
	provider = await startProvider(`${server.base}/api/v1/auth/oidc/home/callback`);
	[anna, ben, cleo] = await Promise.all([1, 2, 3].map(() => visitor(browser, server.base)));
	await anna.page.goto('/');
	const [, code] = server.link.split('code=');
	const claimed = await ask(anna.page, '/setup/claim', 'POST', {
		code,
		username: 'anna',
		displayName: 'Anna',
		password: passwords.anna,
		cookie: true
	});
	assert.ok(claimed.status < 300, JSON.stringify(claimed));
}, { timeout: 240_000 }); // prettier-ignore

after(async () => {
	await browser?.close();
	await Promise.all([server?.stop(), provider?.close(), mails?.stop()]);
}, { timeout: 60_000 }); // prettier-ignore

describe('accounts', { timeout: 600_000 }, () => {
	test('an administrator gives the server a way to send mail', async () => {
		const { page } = anna;
		await page.goto('/admin/users');
		await page.getByRole('link', { name: /Anna/ }).click();
		await page.getByLabel('E-mail address').fill('anna@example.org');
		await button(page, 'Save').click();
		await page.getByText('Saved').first().waitFor();
		await set(page, async () => {
			await page.getByLabel('Who may register').selectOption({ label: 'Who has an invitation' });
			await page.getByLabel('Mail server').fill('127.0.0.1');
			await page.getByLabel('Port', { exact: true }).fill(String(mails.port));
			await page.getByLabel('Protection').selectOption({ label: 'None (same computer only)' });
			await page.getByLabel('Sender address').fill('revenge@example.org');
			await looks(page, 'settings-unsaved');
		});
		await button(page, 'Send a test mail to me').click();
		await mails.mail('anna@example.org');
	});

	test('who is invited by mail registers by its link, with a confirmed address', async () => {
		await anna.page.goto('/admin/invitations?new');
		await anna.page.getByLabel('E-mail address, if it is for one only').fill('ben@example.org');
		await looks(anna.page, 'invitation');
		await button(anna.page, 'Make invitation').click();
		await anna.page.getByText('The invitation was sent to ben@example.org').first().waitFor();
		const [link] = (await mails.mail('ben@example.org')).links;
		assert.ok(link.startsWith(`${server.base}/register#invitation=`), link);

		const { page } = ben;
		await page.goto(pathOf(link));
		await heading(page, 'Create your account');
		assert.equal(await page.evaluate(() => location.hash), '', 'the code stays out of the address');
		await page.getByLabel('User name').fill('ben');
		await page.getByLabel('Name as shown').fill('Ben');
		await page.getByLabel(/^E-mail address/).fill('ben@example.org');
		await page.getByLabel('Password', { exact: true }).fill('ben');
		await button(page, 'Create account').click();
		await page.getByText(/needs at least|little more than a name/).first().waitFor(); // prettier-ignore
		await looks(page, 'register');
		await page.getByLabel('Password', { exact: true }).fill(passwords.ben);
		await button(page, 'Create account').click();
		await home(page);
		await page.goto('/settings');
		await page.getByText('ben@example.org · Confirmed').waitFor();
	});

	test('in an open registration the mailed link confirms the address', async () => {
		await set(anna.page, () => anna.page.getByLabel('Who may register').selectOption({ label: 'Everybody' }));
		const { page } = cleo;
		await page.goto('/login');
		await page.getByRole('link', { name: 'Create an account' }).click();
		await page.getByLabel('User name').fill('cleo');
		await page.getByLabel(/^E-mail address/).fill('cleo@example.org');
		await page.getByLabel('Password', { exact: true }).fill(passwords.cleo);
		await button(page, 'Create account').click();
		await page.getByText('If cleo@example.org can have an account here').waitFor();
		await looks(page, 'register-mail');
		const [link] = (await mails.mail('cleo@example.org')).links;
		await page.goto(pathOf(link));
		await heading(page, 'Your address is confirmed');
		await looks(page, 'verified');
		await page.goto(pathOf(link).replace(/.{4}$/, 'AAAA'));
		await page.reload();
		await heading(page, 'This link does not work');
		await enter(cleo, 'cleo');
		await home(page);
	});

	test('an authenticator app is set up, and backup codes are shown', async () => {
		const { page } = ben;
		await page.goto('/settings/security');
		await button(page, 'Set up').click();
		const key = page.getByRole('list', { name: 'Key to type' });
		kept.secret = (await key.innerText()).replaceAll(/\s/g, '');
		await page.getByLabel('Six-digit code').fill('000000');
		await page.getByText('This code is wrong').waitFor();
		await looks(page, 'totp');
		await page.getByLabel('Six-digit code').fill(await appCode());
		const codes = page.getByRole('list', { name: 'Backup codes' });
		await codes.waitFor();
		kept.codes = await codes.getByRole('listitem').allInnerTexts();
		assert.ok(kept.codes.length >= 8, `${kept.codes.length} backup codes`);
		await looks(page, 'backup-codes');
		await page.reload();
		await page.getByText('Asked for after your password').waitFor();
		await mails.mail('ben@example.org');
	});

	test('a passkey is added, and signs in alone', async () => {
		const { page } = ben;
		// Offered at the field of the name, a passkey of this device would be shown by nobody's choice.
		await page.addInitScript(() => {
			PublicKeyCredential.isConditionalMediationAvailable = async () => false;
		});
		await page.reload();
		const device = await devtools(page);
		await device.send('WebAuthn.enable');
		const { authenticatorId } = await device.send('WebAuthn.addVirtualAuthenticator', {
			options: {
				protocol: 'ctap2',
				transport: 'internal',
				hasResidentKey: true,
				hasUserVerification: true,
				isUserVerified: true,
				automaticPresenceSimulation: true
			}
		});
		await button(page, 'Add a passkey').click();
		await page.getByLabel('Name of the passkey').fill('Kitchen tablet');
		await button(page, 'Add a passkey').click();
		await page.getByText('Kitchen tablet').waitFor();
		await looks(page, 'security');

		await leave(ben);
		await enter(ben, 'ben');
		await heading(page, 'Enter your code');
		await looks(page, 'factor');
		await showApp(ben);
		await home(page);

		await leave(ben);
		await button(page, 'Use a passkey').click();
		await home(page);
		assert.equal((await ask(page, '/users/me')).body.session.mfaVerified, true);
		await device.send('WebAuthn.removeVirtualAuthenticator', { authenticatorId });
	});

	test('a device that was signed in by a backup code is signed out from another', async () => {
		await leave(ben);
		await enter(ben, 'ben');
		await showBackup(ben);
		await home(ben.page);
		const other = await elsewhere();
		await ben.page.goto('/settings/sessions');
		await button(ben.page, 'Sign out').click();
		await outWithin(other.page, 1);
		await other.page.goto('/settings');
		await heading(other.page, 'Sign in');
		assert.equal(await statusOf(ben.page), 200);
		await other.context.close();
	});

	test('a provider is set up, linked, and signs in with the second factor', async () => {
		const admin = anna.page;
		await admin.goto('/admin/oidc');
		await admin.getByRole('link', { name: 'New provider' }).click();
		await admin.getByLabel('Short name').fill('home');
		await admin.getByLabel('Name on the button').fill('The house');
		await admin.getByLabel('Issuer').fill(provider.issuer);
		await admin.getByLabel('Client id').fill('revenge');
		await admin.getByLabel('Client secret').fill('secret');
		await looks(admin, 'oidc-new');
		await button(admin, 'Set up').click();
		await button(admin, 'Test').click();
		await admin.getByText('The provider answers').waitFor();
		await looks(admin, 'oidc');

		const { page } = ben;
		await page.route(/^https:/, (route) => route.abort()); // the provider's own pages have a font from elsewhere
		await page.goto('/settings/links');
		await button(page, 'Link The house').click();
		await atProvider(page, button(page, 'Unlink The house'));
		await looks(page, 'links');

		await leave(ben);
		await page.getByRole('link', { name: 'Continue with The house' }).click();
		await atProvider(page, page.getByRole('heading', { name: 'Enter your code' }));
		await showApp(ben);
		await home(page);
		assert.equal((await ask(page, '/users/me')).body.user.username, 'ben');
	});

	test('a changed password ends the other sessions', async () => {
		const other = await elsewhere();
		const { page } = ben;
		await page.goto('/settings/security');
		await page.getByLabel('Current password').fill(passwords.ben);
		passwords.ben = 'a lamp in every third window';
		await page.getByLabel('New password').fill(passwords.ben);
		await button(page, 'Change password').click();
		await page.getByText('The password is changed').waitFor();
		await outWithin(other.page, 1);
		assert.equal(await statusOf(page), 200);
		await other.context.close();
	});

	test('a forgotten password is replaced by mail', async () => {
		const { page } = ben;
		await leave(ben);
		await page.getByRole('link', { name: 'Forgot your password?' }).click();
		await looks(page, 'forgot');
		await page.getByLabel('Name or e-mail address').fill('ben');
		await button(page, 'Send link').click();
		await page.getByText('If ben belongs to an account').waitFor();
		const { links } = await mails.mail('ben@example.org', (m) => m.links?.some((l) => l.includes('/reset#')));
		await page.goto(pathOf(links.find((l) => l.includes('/reset#'))));
		await heading(page, 'Choose a new password');
		passwords.ben = 'a lamp in every fourth window';
		await page.getByLabel('New password').fill(passwords.ben);
		await looks(page, 'reset');
		await button(page, 'Set password').click();
		await heading(page, 'Your password is set');
		await enter(ben, 'ben');
		await showBackup(ben);
		await home(page);
	});

	test('an API key works until it is revoked', async () => {
		const { page } = ben;
		await page.goto('/settings/keys');
		await button(page, /New/, false).click();
		await page.getByLabel('Name', { exact: true }).fill('Kitchen radio');
		await looks(page, 'key-new');
		await button(page, 'Make key').click();
		const key = await page.getByRole('list', { name: 'API key' }).innerText();
		await looks(page, 'key');
		const films = () =>
			fetch(`${server.base}/api/v1/movies`, { headers: { 'X-API-Key': key } }).then((r) => r.status);
		assert.equal(await films(), 200);
		await page.getByRole('button', { name: /Revoke.*Kitchen radio/ }).click();
		await page.getByRole('alertdialog').getByRole('button', { name: 'Revoke' }).click();
		await until('the key is refused', async () => (await films()) === 401, 5);
	});

	test('an administrator edits, disables and enables an account, and gives it a role', async () => {
		const { page } = anna;
		await page.goto('/admin/roles');
		await page.getByRole('cell', { name: 'yes' }).first().waitFor();
		await looks(page, 'roles');
		await button(page, 'New role').click();
		await page.getByLabel('Name', { exact: true }).fill('family');
		await page.getByLabel('Description').fill('Whoever lives here');
		await looks(page, 'role');
		await button(page, 'Save').click();
		await page.getByRole('button', { name: /^family/ }).waitFor();

		await page.goto('/admin/users');
		await page.getByLabel('Name or address').fill('cleo');
		await page.waitForURL(/q=cleo/);
		await page.getByRole('link', { name: /cleo@example.org/ }).click();
		await page.getByLabel('Name as shown').fill('Cleo');
		await page.getByRole('checkbox', { name: 'family' }).click();
		await button(page, 'Save').click();
		await page.getByText('Saved').first().waitFor();
		const { body } = await ask(page, '/admin/users?q=cleo');
		assert.deepEqual(
			[body.items[0].displayName, body.items[0].roles.toSorted()],
			['Cleo', ['family', 'user']]
		);

		const question = page.getByRole('alertdialog').getByRole('button');
		await button(page, 'Disable account').click();
		await looks(page, 'disable');
		await question.last().click();
		await outWithin(cleo.page, 1);
		await enter(cleo, 'cleo');
		await cleo.page.getByRole('alert').first().waitFor();
		await button(page, 'Enable account').click();
		await button(page, 'Disable account').waitFor();
		await enter(cleo, 'cleo');
		await home(cleo.page);
	});

	test('an administrator removes a lost second factor', async () => {
		const { page } = anna;
		await page.goto('/admin/users');
		await page.getByRole('link', { name: /ben@example.org/ }).click();
		await looks(page, 'user');
		await button(page, 'Remove second factor').click();
		await page.getByRole('alertdialog').getByRole('button').last().click();
		await outWithin(ben.page, 2);
		await enter(ben, 'ben');
		await home(ben.page);
	});

	test('the activity tells of it', async () => {
		const { page } = anna;
		const seen = (await ask(page, '/admin/activity?limit=100')).body.items.map((a) => a.action);
		for (const action of ['auth.login', 'user.password_changed', 'role.changed', 'setting.changed'])
			assert.ok(seen.includes(action), `${action} is not among ${[...new Set(seen)].join(', ')}`);
		await page.goto('/admin/activity');
		await page.getByRole('list', { name: 'Activity' }).getByRole('listitem').first().waitFor();
		await page.goto('/admin/activity?action=apikey.');
		await page.getByText('Kitchen radio').first().waitFor();
		await ben.page.goto('/settings/activity');
		await ben.page.getByRole('listitem').first().waitFor();
	});

	test('an administrator sees the jobs and lets a queue rest', async () => {
		const { page } = anna;
		await page.goto('/admin/jobs');
		const rests = page.getByRole('button', { name: /^Pause.*Scans/ });
		await rests.click();
		await page.getByText('Paused', { exact: false }).first().waitFor();
		await page.getByRole('button', { name: /^Resume.*Scans/ }).click();
		await rests.waitFor();
		await page.goto('/admin/jobs?state=done');
		await page.getByRole('list', { name: 'Jobs' }).getByRole('button').first().click();
		await page.getByRole('dialog').getByText('What was asked').waitFor();
		await looks(page, 'admin-job');
		await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
		await page.getByRole('alertdialog').getByRole('button', { name: 'Delete' }).click();
		await page.getByText('The job is deleted').waitFor();
	});

	test('every page is drawn', async () => {
		const pages = [
			[ben, ['sessions', 'keys', 'activity', 'appearance', 'playback', '']],
			[anna, ['users', 'users/new', 'invitations', 'oidc', 'activity', 'jobs']]
		];
		for (const [{ page }, paths] of pages)
			for (const path of paths) {
				const area = page === ben.page ? 'settings' : 'admin';
				await page.goto(`/${area}/${path}`);
				await page.getByRole('heading', { level: 1 }).first().waitFor();
				await looks(page, `${area}-${path.replaceAll('/', '-')}`);
			}
	});

	test('German fits a phone', async () => {
		const state = async (v) => ({ ...(await v.context.storageState()), origins: [] });
		const look = { width: 390, locale: 'de-DE' };
		const german = await visitor(browser, server.base, { ...look, state: await state(anna) });
		const stranger = await visitor(browser, server.base, look);
		const own = ['', 'security', 'sessions', 'keys', 'links', 'appearance', 'playback', 'activity'];
		const areas = [
			'users',
			'users/new',
			'invitations?new',
			'roles',
			'oidc',
			'oidc/new',
			'settings',
			'activity',
			'jobs'
		];
		const pages = [
			...['login', 'register', 'forgot', 'verify', 'reset'].map((p) => [stranger, p]),
			...own.map((p) => [german, `settings/${p}`]),
			...areas.map((p) => [german, `admin/${p}`]),
			[german, `admin/users/${(await ask(anna.page, '/admin/users?q=cleo')).body.items[0].id}`]
		];
		for (const [{ page }, path] of pages) {
			await page.goto(`/${path}`);
			await page.getByRole('heading', { level: 1 }).first().waitFor({ state: 'attached' });
			await settled(page);
			assert.equal(await page.evaluate(() => document.documentElement.lang), 'de');
			await screenshot(page, `identity-german-${path.replaceAll(/[^a-z]+/g, '-')}`);
			noted.push(...(await overflow(page)).map((line) => `${path} in German: ${line}`));
		}
		assert.deepEqual([...german.faults, ...stranger.faults], []);
		await german.context.close();
		await stranger.context.close();
	});

	test('axe finds nothing on any page, everything fits, and scripts do not fail', () =>
		assert.deepEqual([...noted, ...anna.faults, ...ben.faults, ...cleo.faults], []));
});
