// S25: whatever films, people, folders and clients are called, pages show it as text. Every page is opened with scripts, markup and addresses in
// each name that reaches it; nothing of them may run, become an element, or be asked for.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { launch, settled, visitor } from './browser.mjs';
import { startProvider } from './oidc-provider.mjs';
import { startServer, temporary, until } from './server.mjs';

const canary = 'canary.invalid';
/** Each calls __xss, or would make an element with data-xss, or would ask for the canary's address. */
const payloads = [
	`<img src=x onerror=__xss(1) data-xss>`,
	`"><script data-xss>__xss(2)</script>`,
	`</title></script><svg onload=__xss(3) data-xss>`,
	`javascript:__xss(4)//`,
	`{{constructor.constructor('__xss(5)')()}}\${__xss(5)}{@html "<b data-xss>"}`,
	`\u202e<b data-xss onmouseover=__xss(6)>\u2066txet`,
	`' autofocus onfocus=__xss(7) data-xss='`,
	`<iframe srcdoc="<script>parent.__xss(8)</script>" data-xss></iframe>`,
	`<link rel=stylesheet href=//${canary}/a.css data-xss><img src=//${canary}/b.png>`,
	`&lt;img src=x onerror=__xss(9) data-xss&gt;&#60;b data-xss&#62;`
];
const password = 'the ship arrives with no crew';
const owner = {
	username: '<img src=x onerror=__xss(20) data-xss>',
	displayName: `"><svg onload=__xss(21) data-xss>`
};
const libraryName = `<img src=x onerror=__xss(22) data-xss> 'films'`;
const device = '<script>__xss(23)';
const serverName = '<img src=x onerror=__xss(25) data-xss>';
const someone = { username: 'someone', displayName: `<svg onload=__xss(26) data-xss>` };
const role = { name: 'helper', description: `<img src=x onerror=__xss(27) data-xss>` };
const provider = { name: 'home', displayName: `"><img src=x onerror=__xss(28) data-xss>` };
const key = { name: `<b data-xss onmouseover=__xss(29)>`, permissions: ['library.read'] };
const invited = '<script>__xss(30)';
/** A payload as a file's name: without slashes. */
const named = (text) => text.replaceAll('/', '\u2215');

let server, browser, library, oidc, me, films;
const fired = [];

const xml = (text) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
const cue = (text) => `Cue said ${text}`;
/** A slash divides genres and names. */
const divided = (what, text) => `${what} ${text}`.split('/')[0].trim();

/** Films of half a minute with a payload in every name, in what lies beside them and in their tracks. */
function makeFilms(folder) {
	const ffmpeg = (...args) => {
		const made = spawnSync('ffmpeg', ['-v', 'error', '-y', ...args], { encoding: 'utf8' });
		if (made.status !== 0) throw new Error(`ffmpeg: ${made.stderr || made.error}`);
	};
	const base = join(folder, 'base.mkv');
	ffmpeg(
		'-f', 'lavfi', '-i', 'testsrc2=size=160x90:rate=12:duration=30', '-f', 'lavfi', '-i', 'sine=duration=30', '-map', '0:v', '-map', '1:a', '-map', '1:a',
		'-c:v', 'libx264', '-preset', 'ultrafast', '-pix_fmt', 'yuv420p', '-g', '24', '-c:a', 'aac', base
	); // prettier-ignore
	const backdrop = join(folder, 'backdrop.jpg'); // so that the server takes none out of each film
	ffmpeg('-i', base, '-frames:v', '1', backdrop);
	payloads.forEach((payload, i) => {
		const name = named(`Film ${i} ${payload}`).slice(0, 90);
		const at = join(folder, name);
		const beside = join(at, name);
		mkdirSync(at);
		copyFileSync(backdrop, join(at, 'fanart.jpg'));
		const inside = join(folder, 'inside.srt');
		writeFileSync(inside, `1\n00:00:00,000 --> 00:00:30,000\n${cue(payload)}\n`);
		ffmpeg(
			'-i', base, '-f', 'srt', '-i', inside, '-map', '0', '-map', '1', '-c', 'copy', '-c:s', 'srt', '-metadata', `title=${payload}`, '-metadata:s:v:0', `title=${payload}`,
			'-metadata:s:a:0', `title=Sound ${payload}`, '-metadata:s:a:1', `title=Other ${payload}`, '-metadata:s:s:0', `title=Text ${payload}`, '-f', 'matroska', `file:${beside}.mkv`
		); // prettier-ignore
		const p = xml(payload);
		const each = (element) => payloads.map((text) => element(xml(text))).join('');
		writeFileSync(
			`${beside}.nfo`,
			`<movie><title>Title ${i} ${p}</title><originaltitle>Original ${p}</originaltitle><plot>Plot ${each((x) => x + ' ')}</plot><tagline>Tagline ${p}</tagline><year>${1950 + i}</year>
			<genre>Genre ${p}</genre><studio>Studio ${p}</studio><country>Country ${p}</country><set><name>Set ${p}</name></set><mpaa>${i ? p : 'CC'}</mpaa><trailer>${p}</trailer>
			${each((x) => `<director>Director ${x}</director><credits>Writer ${x}</credits><actor><name>Actor ${x}</name><role>Role ${x}</role></actor>`)}</movie>`
		);
		writeFileSync(
			`${beside}.de.vtt`,
			`WEBVTT ${payload}\n\nSTYLE\n::cue { background: url(//${canary}/cue.png) }\n\nREGION\nid:${payload}\n\n${payload}\n00:00.000 --> 00:30.000 align:start\n<v ${payload}>${cue(payload)}</v><c.data-xss>coloured</c>\n`
		);
		writeFileSync(
			`${beside}.fr.ass`,
			`[Script Info]\nTitle: ${payload}\nScriptType: v4.00+\n\n[V4+ Styles]\nFormat: Name, Fontname, Fontsize\nStyle: Default,${payload},20\n\n[Events]\nFormat: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text\nDialogue: 0,0:00:00.00,0:00:30.00,Default,${payload},0,0,0,,{\\an8\\fn${payload}}${cue(payload)}\n`
		);
		// What cannot be read is listed for administrators by its name.
		if (i < 3) writeFileSync(join(folder, named(`Broken ${i} ${payload}`).slice(0, 90) + '.mkv'), payload);
		rmSync(inside);
	});
	rmSync(base);
	rmSync(backdrop);
	for (const entry of readdirSync(folder, { recursive: true })) utimesSync(join(folder, entry), 1e9, 1e9);
}

/** Asks the API as the signed-in page would. */
const ask = (page, path, method = 'GET', body = undefined) =>
	page.evaluate(
		async ([p, m, b]) => {
			const answer = await fetch(`/api/v1${p}`, {
				method: m,
				headers: b ? { 'Content-Type': 'application/json' } : {},
				body: b && JSON.stringify(b)
			});
			const text = await answer.text();
			if (!answer.ok) throw new Error(`${m} ${p}: ${answer.status} ${text}`);
			return text ? JSON.parse(text) : null;
		},
		[path, method, body]
	);

/** A visitor whose pages tell of everything that a payload could bring about. */
async function watched(options = {}) {
	const v = await visitor(browser, server.base, options);
	await v.page.exposeFunction('__xss', (what) => fired.push(`${v.page.url()}: __xss(${what})`));
	await v.page.addInitScript(() => {
		addEventListener('securitypolicyviolation', (e) =>
			globalThis.__xss(`refused by policy: ${e.violatedDirective} ${e.blockedURI} ${e.sample}`)
		);
	});
	v.page.on('dialog', async (dialog) => {
		fired.push(`${v.page.url()}: a dialog says ${dialog.message()}`);
		await dialog.dismiss();
	});
	v.page.on('request', (request) => {
		const url = new URL(request.url());
		if (url.host.includes(canary) || (url.pathname.endsWith('/x') && request.resourceType() === 'image'))
			fired.push(`${v.page.url()}: asked for ${url}`);
	});
	return v;
}

/** Says what a payload has become on the page, beside text. */
const injected = (page) =>
	page.evaluate(() => {
		const found = [...document.querySelectorAll('[data-xss], iframe[srcdoc]')].map((e) => e.outerHTML);
		for (const e of document.querySelectorAll('*'))
			for (const { name, value } of e.attributes)
				if (
					/^on/.test(name) ||
					(/^(href|src|action|formaction|srcset|poster|data)$/.test(name) && /^\s*javascript:/i.test(value))
				)
					found.push(`${name}="${value}" of <${e.localName}>`);
		return found;
	});

/** Opens a page, waits until it is drawn and checks it; `shows` are texts that must be on it as they are. */
async function harmless({ page, faults }, path, ...shows) {
	if (path) {
		await page.goto(path);
		await page.getByRole('heading', { level: 1 }).first().waitFor({ state: 'attached' });
	}
	await settled(page);
	for (const text of shows) {
		const shown = () =>
			page.evaluate(() => {
				const fields = [...document.querySelectorAll('input, [aria-label], [title]')];
				return [
					document.body.textContent,
					document.title,
					...fields.flatMap((f) => [f.value, f.getAttribute('aria-label'), f.title])
				].join('\n');
			});
		await until(`${page.url()} shows ${text}`, async () => (await shown()).includes(text), 10);
	}
	assert.deepEqual(await injected(page), [], `on ${page.url()}`);
	assert.deepEqual([...fired, ...faults], [], `on ${page.url()}`);
}

before(async () => {
	library = await temporary(named(`films <img src=x onerror=__xss(24) data-xss>`));
	makeFilms(library.folder);
	server = await startServer();
	oidc = await startProvider(`${server.base}/api/v1/auth/oidc/${provider.name}/callback`);
	browser = await launch();
	me = await watched();
	await me.page.goto('/');
	const [, code] = server.link.split('code=');
	await ask(me.page, '/setup/claim', 'POST', { code, password, cookie: true, ...owner });
	const login = await fetch(`${server.base}/api/v1/auth/login`, {
		method: 'POST',
		headers: { 'Content-Type': 'application/json', 'User-Agent': `${device}</script>` },
		body: JSON.stringify({ login: owner.username, password })
	});
	assert.equal(login.status, 200);
	const made = await ask(me.page, '/admin/libraries', 'POST', { name: libraryName, paths: [library.folder], open: true });
	library.id = made.id;
	await until(
		'the library is scanned',
		async () => (await ask(me.page, `/admin/libraries/${made.id}/scan`)).state === 'done',
		150
	);
	await ask(me.page, '/admin/settings', 'PATCH', {
		values: { 'server.name': serverName, 'auth.registration': 'invite' }
	});
	// Who used an invitation is named beside it.
	const invitation = await ask(me.page, '/admin/invitations', 'POST', {});
	const [, invitationCode] = invitation.link.split('invitation=');
	const registered = await fetch(`${server.base}/api/v1/auth/register`, {
		method: 'POST',
		headers: { 'Content-Type': 'application/json' },
		body: JSON.stringify({ username: invited, password, invitation: invitationCode })
	});
	assert.ok(registered.ok, `${registered.status} ${await registered.text()}`);
	someone.id = (await ask(me.page, '/admin/users', 'POST', { ...someone, password })).user.id;
	await ask(me.page, '/admin/roles', 'POST', { ...role, permissions: ['library.read'] });
	await ask(me.page, '/admin/oidc/providers', 'POST', {
		...provider,
		issuer: oidc.issuer,
		clientId: '<b data-xss>',
		enabled: true
	});
	await ask(me.page, '/users/me/api-keys', 'POST', key);
	films = (await ask(me.page, '/movies?limit=100&sort=year')).items;
	for (const film of films)
		await ask(me.page, `/movies/${film.id}/progress`, 'POST', { position: 12, duration: 30 });
}, { timeout: 240_000 }); // prettier-ignore

after(async () => {
	await browser?.close();
	await server?.stop();
	await oidc?.close();
	await library?.remove();
}, { timeout: 60_000 }); // prettier-ignore

describe('S25: names are text on every page', { timeout: 300_000 }, () => {
	test('the pages notice what they are tested for', async () => {
		const v = await watched();
		await v.page.goto('/login');
		await v.page.evaluate((html) => {
			document.body.insertAdjacentHTML('beforeend', html);
		}, payloads[0] + payloads[8]);
		await until('the policy refuses it', () => fired.some((f) => f.includes('refused by policy')), 10);
		assert.notDeepEqual(await injected(v.page), []);
		fired.length = 0;
		await v.context.close();
	});

	test('films in lists, in searches and in filters', async () => {
		assert.equal(films.length, payloads.length, 'all films are there');
		await harmless(me, '/', `Title ${payloads.length - 1} ${payloads.at(-1)}`);
		await harmless(me, '/movies', ...payloads.map((p, i) => `Title ${i} ${p}`));
		await me.page.getByRole('button', { name: 'Filter', exact: true }).click();
		await me.page.getByRole('heading', { name: /Filter/ }).waitFor();
		await harmless(me, '', ...payloads.map((p) => divided('Genre', p)));
		for (const payload of payloads.slice(0, 2)) {
			const value = encodeURIComponent(payload);
			await harmless(me, `/movies?q=${value}`);
			await harmless(
				me,
				`/movies?genre=${value}&person=${value}&sort=${value}&library=${value}&watched=${value}`
			);
		}
	});

	test('a film with its people, facts and files', async () => {
		for (const i of [0, 2, 5]) {
			const film = films.find((f) => f.title.startsWith(`Title ${i} `));
			const own = ['Title ' + i, 'Original', 'Tagline'].map((what) => `${what} ${payloads[i]}`);
			const everyones = payloads.flatMap((p) => [`Actor ${p}`, divided('Director', p), p]);
			await harmless(me, `/movies/${film.id}`, ...own, ...everyones, divided('Genre', payloads[i]));
		}
	});

	test('a film that plays, its tracks and its subtitles', async () => {
		const { page } = me;
		for (const i of [0, 8]) {
			const film = films.find((f) => f.title.startsWith(`Title ${i} `));
			await page.goto(`/play/${film.id}?start=1`);
			await page.waitForFunction(() => document.querySelector('video')?.currentTime > 1);
			await page.keyboard.press('k');
			await page.getByRole('button', { name: 'Audio and subtitles' }).click();
			await harmless(me, '', `Title ${i} ${payloads[i]}`, `Sound ${payloads[i]}`, `Text ${payloads[i]}`);
			const lines = page.locator('[data-column="1"] > [role=menuitemradio]:not([aria-disabled])');
			let said = 0;
			for (let n = 1; n < (await lines.count()); n++) {
				await lines.nth(n).click();
				await page.waitForFunction(() =>
					document.querySelector('[data-testid=subtitles]')?.textContent.includes('Cue said')
				);
				said++;
				await harmless(me, '');
			}
			assert.ok(said >= 3, `only ${said} subtitles are offered`);
		}
	});

	test('history, settings with sessions, and addresses that lead nowhere', async () => {
		await harmless(me, '/history', `Title 0 ${payloads[0]}`);
		await harmless(me, '/settings', owner.displayName);
		await harmless(me, '/settings/sessions', device);
		await harmless(me, '/settings/activity', device);
		await harmless(me, '/settings/keys', key.name);
		await harmless(me, '/settings/links', provider.displayName);
		for (const page of ['security', 'appearance', 'playback']) await harmless(me, `/settings/${page}`);
		await harmless(me, `/settings/links#error=${encodeURIComponent(payloads[0])}`);
		for (const payload of payloads.slice(0, 4))
			await harmless(
				me,
				`/nothing/${encodeURIComponent(payload)}?a=${encodeURIComponent(payload)}#${payload}`
			);
	});

	test('the pages of administrators', async () => {
		const { page } = me;
		await harmless(me, '/admin/libraries', libraryName);
		await harmless(me, `/admin/libraries/${library.id}`, libraryName, named(`Broken 0 ${payloads[0]}`));
		for (const tab of await page.getByRole('tab').all()) {
			await tab.click();
			await harmless(me, '');
		}
		await page.getByRole('tab', { name: 'Settings' }).click();
		await harmless(me, '', library.folder, owner.displayName);
		await page.getByRole('button', { name: 'Add a folder' }).click();
		await harmless(me, '');
		await page.goto('/admin/libraries/new');
		// Opened by its place, the folder shows what lies in it.
		const above = library.folder.split('/').filter(Boolean);
		const list = page.getByRole('list', { name: 'Folders' });
		await list
			.getByRole('button')
			.filter({ has: page.locator('b', { hasText: /^\/$/ }) })
			.first()
			.click();
		for (const name of above) {
			await list
				.getByRole('button')
				.filter({ has: page.locator('b', { hasText: name }) })
				.first()
				.click();
			await page.locator('p b', { hasText: name }).first().waitFor();
		}
		await harmless(me, '', above.at(-1), named(`Film 0 ${payloads[0]}`));
	});

	test('accounts, roles, providers and settings', async () => {
		await harmless(me, '/admin/users', owner.displayName, someone.displayName, invited);
		await harmless(me, `/admin/users/${someone.id}`, someone.displayName);
		await harmless(me, '/admin/invitations', invited);
		await harmless(me, '/admin/roles');
		await me.page.getByRole('button', { name: new RegExp(`^${role.name}`) }).click();
		await harmless(me, '', role.description);
		await harmless(me, '/admin/oidc', provider.displayName);
		await harmless(me, `/admin/oidc/${provider.name}`, provider.displayName, '<b data-xss>');
		await harmless(me, '/admin/settings', serverName);
		await harmless(me, '/admin/activity', owner.username, invited);
	});

	test('a stranger at the door', async () => {
		const stranger = await watched();
		const { page } = stranger;
		await harmless(stranger, '/login', provider.displayName);
		for (const next of ['javascript:__xss(31)', `/\t/${canary}/`]) {
			await page.goto(`/login?next=${encodeURIComponent(next)}`);
			await page.getByLabel('Name').fill(owner.username);
			await page.getByLabel('Password').fill(password);
			await page.getByRole('button', { name: 'Continue' }).click();
			await page
				.getByRole('heading', { name: /Recently added|Continue watching/ })
				.first()
				.waitFor();
			await harmless(stranger, '');
			assert.equal(new URL(page.url()).origin, server.base);
			await stranger.context.clearCookies();
		}
		await harmless(stranger, `/setup#code=${payloads[0]}`);
		for (const at of [
			'register#invitation',
			'verify#code',
			'reset#code',
			'confirm-email#code',
			'forgot#code',
			'login#error',
			'login#challenge'
		])
			await harmless(stranger, `/${at}=${encodeURIComponent(payloads[0])}`);
		await stranger.context.close();
	});
});
