// The main job, end to end: set up by the printed link, scan, browse, play, seek, choose tracks, resume elsewhere.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { everywhere, findings, launch, screenshot, settled, visitor } from './browser.mjs';
import { makeLibrary, startServer, temporary, until } from './server.mjs';

const password = 'the ship arrives with no crew';
let server, browser, library, me, films;
const noted = [];

/** Asks the API as the signed-in page would. */
const ask = (page, path) => page.evaluate((p) => fetch(`/api/v1${p}`).then((r) => r.json()), path);
const time = (page) => page.evaluate(() => document.querySelector('video')?.currentTime ?? 0);
/** Waits until the film has played past a time, in seconds of its part. */
const plays = (page, past) =>
	page.waitForFunction((t) => document.querySelector('video')?.currentTime > t, past);
/** The film's shown position: the slider spans all parts. */
const position = async (page) =>
	Number(await page.getByRole('slider', { name: 'Position' }).getAttribute('aria-valuenow'));

before(async () => {
	library = await temporary('films');
	makeLibrary(library.folder);
	server = await startServer();
	browser = await launch();
	me = await visitor(browser, server.base);
}, { timeout: 240_000 }); // prettier-ignore

after(async () => {
	await browser?.close();
	await server?.stop();
	await library?.remove();
}, { timeout: 60_000 }); // prettier-ignore

describe('the main job', { timeout: 600_000 }, () => {
	test('the printed link leads a stranger to a scanned library', async () => {
		const { page, faults } = me;
		await page.goto(server.link);
		await page.getByRole('heading', { name: 'Is this your server?' }).waitFor();
		assert.equal(await page.evaluate(() => location.hash), '', 'the code stays out of the address');
		await looks(page, 'setup-claim');
		await page.getByRole('button', { name: 'Continue' }).click();

		await page.getByRole('heading', { name: 'Who are you?' }).waitFor();
		await page.getByLabel('Name').fill('anna');
		await page.getByLabel('Password', { exact: true }).fill('short');
		await page.getByLabel('Password again').fill('short');
		await page.getByRole('button', { name: 'Create account' }).click();
		await page.getByRole('alert').waitFor();
		await looks(page, 'setup-owner');
		await page.getByLabel('Password', { exact: true }).fill(password);
		await page.getByLabel('Password again').fill(password);
		await page.getByRole('button', { name: 'Create account' }).click();

		await page.getByRole('heading', { name: 'Where are your films?' }).waitFor();
		await pick(page, library.folder);
		await page.getByText('Recognised').waitFor();
		await looks(page, 'setup-library');
		await page.getByRole('button', { name: /^Scan .* videos$/ }).click();

		await page.getByRole('link', { name: 'Start watching' }).waitFor({ timeout: 60_000 });
		await page.getByRole('heading', { name: 'Your films are ready' }).waitFor({ timeout: 120_000 });
		await looks(page, 'setup-scan');
		await page.getByRole('link', { name: 'Start watching' }).click();
		await page.getByRole('heading', { name: /Recently added/ }).waitFor();
		films = (await ask(page, '/movies?limit=100')).items;
		assert.ok(films.length >= 5, `only ${films.length} films`);
		assert.deepEqual(faults, []);
	});

	test('the grid is sorted, searched and filtered in the address', async () => {
		const { page } = me;
		await page.goto('/movies');
		await page.locator('[data-film]').first().waitFor();
		const wanted = films.find((f) => !films.some((o) => o !== f && o.title.includes(f.title)));
		await page.getByRole('searchbox').fill(wanted.title);
		await page.waitForURL(/[?&]q=/);
		await page.waitForFunction(() => document.querySelectorAll('[data-film]').length === 1);
		await page.reload();
		await page.locator(`[data-film="${wanted.id}"]`).waitFor();
		await page.goto('/movies?sort=-year');
		const newest = Math.max(...films.map((f) => f.year ?? 0));
		await page.locator(`[data-film="${films.find((f) => f.year === newest).id}"]`).waitFor();
		await page.getByRole('button', { name: 'Filter', exact: true }).click();
		await page.getByRole('radio', { name: 'Watched', exact: true }).click();
		await page.waitForURL(/watched=watched/);
		await page.getByText('No films fit these filters').waitFor();
	});

	test('a film that the browser reads plays as it is, and seeks back and forth', async () => {
		const { page, faults } = me;
		const film = await filmThat(page, (p) => p.method === 'direct' && p.mime === 'video/mp4');
		await page.goto(`/movies/${film.id}`);
		await page.getByText('Plays as it is.').waitFor();
		await page.getByRole('link', { name: 'Play', exact: true }).click();
		await plays(page, 3);
		await seeksEverywhere(page);
		assert.deepEqual(faults, []);
	});

	test('H.264 with AC-3 plays with its sound converted; tracks and subtitles are chosen', async () => {
		const { page, faults } = me;
		const film = await filmThat(page, (p) => p.method === 'audio-encode' && p.audio.length > 1);
		await page.goto(`/play/${film.id}`);
		await plays(page, 3);
		await seeksEverywhere(page);

		const name = await page.evaluate(() => document.querySelector('video') && document.title);
		assert.ok(name.includes(film.title));
		await page.keyboard.press('k');
		await page.getByRole('button', { name: 'Audio and subtitles' }).click();
		const other = page.locator('[data-column="0"] [role=menuitemradio][aria-checked=false]').first();
		await other.click();
		await page.locator('[data-column="0"] [role=menuitemradio][aria-checked=true]').first().waitFor();
		const lines = page.locator('[data-column="1"] > [role=menuitemradio]:not([aria-disabled])');
		await lines.nth(1).click();
		await page.waitForFunction(
			(el) => el.getAttribute('aria-checked') === 'true',
			await lines.nth(1).elementHandle()
		);
		await page.keyboard.press('Escape');
		await page.keyboard.press('0');
		const before = await time(page);
		await page.keyboard.press('k');
		await page.waitForFunction((t) => document.querySelector('video').currentTime !== t, before);
		// Somewhere in the film is a line of it.
		await page.waitForFunction(
			() => document.querySelector('[data-testid=subtitles]')?.textContent.trim().length > 0,
			undefined,
			{ timeout: 30_000 }
		);
		const { subtitleMode } = await ask(page, '/users/me/preferences');
		assert.equal(subtitleMode, 'on', 'the last choice is kept');
		assert.deepEqual(faults, []);
	});

	test('a film in two parts is one film', async () => {
		const { page } = me;
		const film = await filmThat(page, (_, selected) => selected.parts.length > 1);
		const answer = await plan(page, film.id);
		const [first] = answer.selected.parts;
		await page.goto(`/play/${film.id}?start=${Math.max(0, first.duration - 3)}`);
		await plays(page, 1);
		await page.getByText('Part 2 of').waitFor({ timeout: 30_000 });
		await page.waitForFunction(
			(s) =>
				Number(document.querySelector('[role=slider][aria-label=Position]').getAttribute('aria-valuenow')) >
				s,
			first.duration + 0.6
		);
	});

	test('what cannot be played says so, with the reason and what works', async () => {
		const { page } = me;
		let refused;
		for (const film of films) {
			const version = (await plan(page, film.id)).versions.find(
				(v) => v.method === 'unplayable' && v.reasons.some((r) => r.code === 'playback.transcode_required')
			);
			if (version) refused = { film, version };
		}
		assert.ok(refused, 'no film of the library is unplayable here');
		await page.goto(`/play/${refused.film.id}?version=${encodeURIComponent(refused.version.key)}`);
		await page.getByRole('heading', { level: 1, name: /cannot/ }).waitFor();
		await page.getByText('Not in this browser').waitFor();
		await page.getByText('transcode required: codec').waitFor();
		await looks(page, 'refused');
	});

	test('watching goes on in another browser where it stopped', async () => {
		const { page } = me;
		const film = await filmThat(page, (p) => p.method === 'direct');
		await page.goto(`/play/${film.id}?start=5`);
		await plays(page, 6);
		await page.keyboard.press('k');
		const stopped = await time(page);
		await until(
			'the position is saved',
			async () => (await ask(page, `/movies/${film.id}/progress`)).position > 5
		);

		const other = await visitor(browser, server.base);
		await other.page.goto(`/movies/${film.id}`);
		await other.page.getByLabel('Name').fill('anna');
		await other.page.getByLabel('Password').fill('not the password');
		await other.page.getByRole('button', { name: 'Continue' }).click();
		await other.page.getByText('Name or password is wrong').waitFor();
		await other.page.getByLabel('Password').fill(password);
		await other.page.getByRole('button', { name: 'Continue' }).click();
		await other.page.waitForURL(`**/movies/${film.id}`);
		await other.page.getByRole('link', { name: /^Resume at/ }).click();
		await plays(other.page, stopped - 0.5);
		assert.ok((await time(other.page)) < stopped + 8, 'it goes on there, not later');
		await other.context.close();
	});

	test('a server that goes away is waited for, and the film goes on', async () => {
		const { page } = me;
		const film = await filmThat(page, (p) => p.method === 'remux' || p.method === 'audio-encode');
		const gone = (route) => route.abort('connectionrefused');
		await page.route(/\.m4s|\/healthz/, gone);
		await page.goto(`/play/${film.id}?start=0`);
		await page.getByText('Waiting for the server').waitFor({ timeout: 30_000 });
		assert.equal(await time(page), 0);
		await page.unroute(/\.m4s|\/healthz/, gone);
		await plays(page, 1);
		await page.getByText('Waiting for the server').waitFor({ state: 'hidden' });
	});

	test('the keyboard alone finds, plays and marks a film', async () => {
		const { page } = me;
		await page.goto('/');
		await page.getByRole('heading', { name: /Recently added/ }).waitFor();
		await page.keyboard.press('g');
		await page.keyboard.press('m');
		await page.waitForURL('**/movies');
		await page.locator('[data-film]').first().waitFor();
		await page.keyboard.press('/');
		const film = await filmThat(page, (p) => p.method === 'direct');
		await page.keyboard.type(film.title);
		await page.waitForURL(/q=/);
		await page.waitForFunction(
			(id) => document.querySelector('[data-position="0"] [data-film]')?.dataset.film === id,
			film.id
		);
		await page.keyboard.press('Enter');
		await page.waitForFunction((id) => document.activeElement?.dataset.film === id, film.id);
		await page.keyboard.press('Enter');
		await page.waitForURL(`**/movies/${film.id}`);
		await page.getByRole('heading', { level: 1, name: film.title }).waitFor();
		const was = (await ask(page, `/movies/${film.id}`)).state?.watched ?? false;
		await page.keyboard.press('w');
		await until(
			'w marks it',
			async () => ((await ask(page, `/movies/${film.id}`)).state?.watched ?? false) !== was
		);
		await page.keyboard.press('p');
		await page.waitForURL('**/play/**');
		await plays(page, 0.5);
		await page.keyboard.press('0');
		await page.keyboard.press('l');
		await until('l goes on by ten seconds', async () => (await time(page)) >= 9.5);
		await page.keyboard.press('Space');
		assert.ok(await page.evaluate(() => document.querySelector('video').paused));
		await page.getByRole('button', { name: 'Play', exact: true }).first().waitFor();
		// Every control is reached by Tab.
		const names = new Set();
		for (let i = 0; i < 14; i++) {
			await page.keyboard.press('Tab');
			names.add(await page.evaluate(() => document.activeElement?.getAttribute('aria-label') ?? ''));
		}
		for (const name of ['Play', 'Position', 'Audio and subtitles', 'Full screen', 'Back'])
			assert.ok(names.has(name), `${name} is not reached by Tab: ${[...names].join(', ')}`);
		await page.keyboard.press('Escape');
		await page.waitForURL(`**/movies/${film.id}`);
		await page.keyboard.press('?');
		await page.getByRole('heading', { name: 'Keys' }).waitFor();
	});

	test('the keyboard alone sets a server up', async () => {
		const other = await startServer();
		const stranger = await visitor(browser, other.base);
		const { page, faults } = stranger;
		const type = async (label, text) => {
			await tabTo(page, page.getByLabel(label, { exact: true }));
			await page.keyboard.type(text);
		};
		try {
			await page.goto(other.link);
			await page.getByRole('heading', { name: 'Is this your server?' }).waitFor();
			await tabTo(page, page.getByRole('button', { name: 'Continue' }));
			await page.keyboard.press('Enter');
			await page.getByRole('heading', { name: 'Who are you?' }).waitFor();
			await type('Name', 'ben');
			await type('Password', password);
			await type('Password again', password);
			await page.keyboard.press('Enter');
			await page.getByRole('heading', { name: 'Where are your films?' }).waitFor();
			await pick(page, library.folder, async (button) => {
				await tabTo(page, button);
				await page.keyboard.press('Enter');
			});
			await tabTo(page, page.getByRole('button', { name: /^Scan .* videos$/ }));
			await page.keyboard.press('Enter');
			const start = page.getByRole('link', { name: 'Start watching' });
			await start.waitFor({ timeout: 60_000 });
			await tabTo(page, start);
			await page.keyboard.press('Enter');
			await page.getByRole('heading', { name: /Recently added/ }).waitFor();
			assert.deepEqual(faults, []);
		} finally {
			await stranger.context.close();
			await other.stop();
		}
	});

	test('an administrator sees what could not be read, and why', async () => {
		const { page, faults } = me;
		await page.goto('/admin/libraries');
		const [lib] = (await ask(page, '/libraries')).items;
		await page
			.locator('main li')
			.getByRole('link', { name: new RegExp(lib.name) })
			.click();
		await page.getByRole('tab', { name: /Cannot be read/ }).waitFor();
		const failed = (await ask(page, '/admin/files?state=failed')).items;
		assert.ok(failed.length > 0, 'the broken files are listed');
		await page.getByText(failed[0].reason, { exact: false }).first().waitFor();
		const over = page.getByRole('status').filter({ hasText: /^Scanned/ });
		await over.waitFor(); // told although it ended before the page listened
		// Started right after a reload, a scan ends before, while or after the page begins to listen: it is shown as over each time.
		for (let i = 0; i < 5; i++) {
			await page.reload();
			const answered = page.waitForResponse(
				(r) => r.request().method() === 'POST' && r.url().endsWith('/scan')
			);
			await page.getByRole('button', { name: 'Scan now' }).click();
			const started = await (await answered).json();
			await until('the scan is over', async () => {
				const scan = await ask(page, `/admin/libraries/${lib.id}/scan`);
				return scan.id === started.id && scan.state === 'done';
			});
			await over.waitFor();
		}
		assert.deepEqual(faults, []);
	});

	for (const theme of ['dark', 'light'])
		for (const width of [1440, 390])
			test(`every page is drawn: ${theme}, ${width} px`, async () => {
				const state = await me.context.storageState();
				const signed = await visitor(browser, server.base, { width, theme, state });
				const stranger = await visitor(browser, server.base, { width, theme });
				const film = await filmThat(signed.page, (p) => p.method === 'direct');
				const [lib] = (await ask(signed.page, '/libraries')).items;
				const pages = [
					[stranger, 'login', '/login'],
					[signed, 'home', '/'],
					[signed, 'movies', '/movies'],
					[signed, 'movie', `/movies/${film.id}`],
					[signed, 'history', '/history'],
					[signed, 'settings', '/settings'],
					[signed, 'security', '/settings/security'],
					[signed, 'libraries', '/admin/libraries'],
					[signed, 'library', `/admin/libraries/${lib.id}`],
					[signed, 'library-new', '/admin/libraries/new'],
					[signed, 'not-found', '/nothing-here'],
					[signed, 'play', `/play/${film.id}?start=2`]
				];
				for (const [{ page }, name, path] of pages) {
					await page.goto(path);
					await page.getByRole('heading', { level: 1 }).first().waitFor({ state: 'attached' });
					if (name === 'play') {
						await plays(page, 2.2);
						await page.keyboard.press('k');
						await page.getByRole('button', { name: 'Audio and subtitles' }).click();
					}
					await settled(page);
					await screenshot(page, `${name}-${theme}-${width}`);
					await audit(page, `${name} ${theme} ${width}`);
					if (name === 'movies') {
						await page.getByRole('button', { name: 'Filter', exact: true }).click();
						await page.getByRole('heading', { name: /Filter/ }).waitFor();
						await settled(page);
						await screenshot(page, `filter-${theme}-${width}`);
						await audit(page, `filter ${theme} ${width}`);
					}
					if (name === 'library') {
						await page.getByRole('tab', { name: 'Settings' }).click();
						await page.getByRole('heading', { name: 'Access' }).waitFor();
						await settled(page);
						await screenshot(page, `library-settings-${theme}-${width}`);
						await audit(page, `library settings ${theme} ${width}`);
					}
				}
				assert.deepEqual([...signed.faults, ...stranger.faults], []);
				await signed.context.close();
				await stranger.context.close();
			});

	test('axe finds nothing on any page, in either theme', () => assert.deepEqual(noted, []));
});

/** Draws and audits a page that cannot be opened anew. */
const looks = async (page, name) => noted.push(...(await everywhere(page, name)));

/** Notes what axe finds; the last test fails for it, so that the story itself is told to its end. */
async function audit(page, where = '') {
	await settled(page);
	const name = where || new URL(page.url()).pathname;
	noted.push(...(await findings(page)).map((line) => `${name}: ${line}`));
}

/** Presses Tab until something has the focus. */
async function tabTo(page, locator) {
	await locator.waitFor();
	const stops = await page.locator('a, button, input, select, textarea, [tabindex]').count();
	for (let presses = 0; presses < stops + 20; presses++) {
		if (await locator.evaluate((el) => el === document.activeElement)) return;
		await page.keyboard.press('Tab');
	}
	throw new Error(`Tab does not reach ${locator}`);
}

/** Opens a folder in the picker by its path. */
async function pick(page, folder, press = (button) => button.click()) {
	const list = page.getByRole('list', { name: 'Folders' });
	await list.getByRole('button').first().waitFor();
	const names = folder.split('/').filter(Boolean);
	// The places to begin at hold "/", or a folder above the wanted one.
	const places = await list.getByRole('button').locator('b').allTextContents();
	const start = places.find((p) => p !== '/' && folder.startsWith(p)) ?? '/';
	await press(
		list
			.getByRole('button')
			.filter({ has: page.locator('b', { hasText: new RegExp(`^${start}$`) }) })
			.first()
	);
	for (const name of names.slice(start === '/' ? 0 : start.split('/').filter(Boolean).length)) {
		await press(list.getByRole('button').filter({ has: page.locator(`b:text-is("${name}")`) }));
		await page.locator(`p b:text-is("${name}")`).waitFor();
	}
}

/** How the server would play a film to a Chromium without HEVC. */
const plan = (page, id) =>
	page.evaluate(
		(film) =>
			fetch(`/api/v1/movies/${film}/playback`, {
				method: 'POST',
				headers: { 'Content-Type': 'application/json' },
				body: JSON.stringify({
					capabilities: {
						containers: ['mp4', 'webm'],
						video: [
							{ codec: 'h264', codecString: 'avc1.640033', maxWidth: 4096, maxHeight: 2304 },
							{ codec: 'vp9', codecString: 'vp09.00.51.08', maxWidth: 4096, maxHeight: 2304 }
						],
						audio: ['aac', 'opus', 'flac', 'mp3'],
						hls: true,
						maxAudioChannels: 8
					}
				})
			}).then((r) => r.json()),
		id
	);

/** The first film whose first part plays in a way. */
async function filmThat(page, fits) {
	if (page.url() === 'about:blank') await page.goto('/');
	for (const film of films) {
		const { selected } = await plan(page, film.id);
		const part = selected?.parts[0];
		if (part && selected.parts.every((p) => p.method !== 'unplayable') && fits(part, selected)) return film;
	}
	throw new Error('no film of the library plays like that');
}

/** Seeks to both ends and the middle by keys and by the slider; each time the picture goes on there. */
async function seeksEverywhere(page) {
	for (const tenth of [7, 1, 5]) {
		await page.keyboard.press(String(tenth));
		const total = Number(await page.getByRole('slider', { name: 'Position' }).getAttribute('aria-valuemax'));
		const wanted = (total * tenth) / 10;
		await until(
			`playing at ${tenth} tenths`,
			async () => {
				const now = await position(page);
				const state = await page.evaluate(() => {
					const v = document.querySelector('video');
					return v.readyState >= 3 && !v.seeking;
				});
				return state && now >= Math.floor(wanted) - 1 && now < wanted + 6;
			},
			20
		);
		const at = await time(page);
		await page.waitForFunction((t) => document.querySelector('video').currentTime > t + 0.3, at);
	}
	const slider = page.getByRole('slider', { name: 'Position' });
	await slider.focus();
	const before = await position(page);
	await page.keyboard.press('ArrowLeft');
	await until('an arrow on the slider goes back', async () => (await position(page)) < before, 10);
}
