// A film goes on within four seconds wherever one seeks to: 200 random places, spread over the ways in which films reach a browser.
// REVENGE_E2E_SEEKS is another number of seeks, REVENGE_E2E_SEED the seed of an earlier run.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { launch, visitor } from './browser.mjs';
import { startServer, temporary, until } from './server.mjs';

const seeks = Number(process.env.REVENGE_E2E_SEEKS ?? 200);
const seed = Number(process.env.REVENGE_E2E_SEED ?? Math.floor(Math.random() * 2 ** 31));
/** How long a player may take until time goes on, in milliseconds: what stands still does so for ever, and a busy machine is no fault. */
const longest = 20_000;
/** Of a film, in seconds: far more than players load ahead, so that most places have to be fetched. */
const length = 300;
/** The films by how they are played, with what ffmpeg does to the first one. */
const ways = [
	{ name: 'MP4 as it is', year: 2001, kind: 'mp4', method: 'direct' },
	{ name: 'MP4 remuxed', year: 2002, kind: 'mp4', method: 'remux', args: ['-map', '0:a', '-c', 'copy'] },
	{ name: 'Matroska remuxed', year: 2003, kind: 'mkv', method: 'remux', args: ['-c', 'copy'] },
	{
		name: 'sound encoded',
		year: 2004,
		kind: 'mkv',
		method: 'audio-encode',
		args: ['-c:v', 'copy', '-c:a', 'ac3']
	}
];
const fileOf = ({ year, kind }) => `Film of ${year} (${year}).${kind}`;
let server, browser, library, me;

/** Numbers in [0, 1), the same for the same seed (mulberry32). */
function randomFrom(seed) {
	let state = seed;
	return () => {
		state = (state + 0x6d2b79f5) | 0;
		let t = Math.imul(state ^ (state >>> 15), 1 | state);
		t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
		return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
	};
}

const ffmpeg = (...args) =>
	new Promise((resolve, reject) => {
		const child = spawn('ffmpeg', ['-v', 'error', '-y', ...args], { stdio: ['ignore', 'ignore', 'inherit'] });
		child.once('error', reject);
		child.once('exit', (code) => (code === 0 ? resolve() : reject(new Error(`ffmpeg ended with ${code}`))));
	});

/** Makes the films: closed GOPs of four seconds with B-pyramid, and a tone. */
async function makeFilms(folder) {
	const base = join(folder, fileOf(ways[0]));
	await ffmpeg(
		'-f', 'lavfi', '-i', `testsrc2=size=160x90:rate=12:duration=${length}`, '-f', 'lavfi', '-i', `sine=frequency=440:sample_rate=48000:duration=${length}`,
		'-c:v', 'libx264', '-preset', 'ultrafast', '-bf', '3', '-b_strategy', '0', '-x264-params', 'b-pyramid=normal', '-g', '48', '-pix_fmt', 'yuv420p', '-c:a', 'aac', '-ac', '2',
		'-movflags', '+faststart', base
	); // prettier-ignore
	for (const way of ways.slice(1))
		await ffmpeg('-i', base, '-map', '0:v', '-map', '0:a', ...way.args, join(folder, fileOf(way)));
	for (const way of ways) await utimes(join(folder, fileOf(way)), 1e9, 1e9); // long copied, as a scan has it
}

const ask = (page, path, body) =>
	page.evaluate(
		async ([p, b]) => {
			const answer = await fetch(`/api/v1${p}`, {
				method: b ? 'POST' : 'GET',
				headers: b ? { 'Content-Type': 'application/json' } : {},
				body: b && JSON.stringify(b)
			});
			if (!answer.ok) throw new Error(`${p}: ${answer.status} ${await answer.text()}`);
			return answer.json();
		},
		[path, body]
	);

before(async () => {
	library = await temporary('seeks');
	await makeFilms(library.folder);
	server = await startServer();
	browser = await launch();
	me = await visitor(browser, server.base);
	await me.page.goto('/');
	const [, code] = server.link.split('code=');
	await ask(me.page, '/setup/claim', { code, username: 'anna', password: 'the ship arrives with no crew', cookie: true });
	const made = await ask(me.page, '/admin/libraries', { name: 'Films', paths: [library.folder], open: true });
	await until(
		'the library is scanned',
		async () => (await ask(me.page, `/admin/libraries/${made.id}/scan`)).state === 'done',
		90
	);
	for (const { id, year } of (await ask(me.page, '/movies?limit=100')).items)
		ways.find((way) => way.year === year).id = id;
}, { timeout: 180_000 }); // prettier-ignore

after(async () => {
	await browser?.close();
	await server?.stop();
	await library?.remove();
}, { timeout: 60_000 }); // prettier-ignore

/** Seeks in the page and tells how many milliseconds passed until time went on from there, or what stood in the way. */
const seek = (page, target) =>
	page.evaluate(
		([target, patience]) =>
			new Promise((resolve) => {
				const video = document.querySelector('video');
				const begun = performance.now();
				const look = () => {
					const took = performance.now() - begun;
					const at = video.currentTime;
					if (video.error) resolve({ took, wrong: `error ${video.error.code}: ${video.error.message}` });
					else if (!video.seeking && at > target + 0.02) resolve({ took, at });
					else if (took > patience) {
						const loaded = Array.from({ length: video.buffered.length }, (_, i) =>
							[video.buffered.start(i), video.buffered.end(i)].map((t) => t.toFixed(2)).join('-')
						);
						const state = `at ${at}, state ${video.readyState}, seeking ${video.seeking}, paused ${video.paused}, loaded ${loaded}`;
						resolve({ took, wrong: `time stands still: ${state}` });
					} else setTimeout(look, 10);
				};
				video.currentTime = target;
				look();
			}),
		[target, longest]
	);

describe('random seeks', { timeout: 900_000 }, () => {
	for (const [i, way] of ways.entries()) {
		const share = Math.floor(seeks / ways.length) + (i < seeks % ways.length ? 1 : 0);
		test(`${way.name}: ${share} places of seed ${seed}`, async (t) => {
			const { context, page, faults } = await visitor(browser, server.base, {
				state: await me.context.storageState()
			});
			const methods = new Set();
			const refused = [];
			page.on('response', async (answer) => {
				const path = new URL(answer.url()).pathname;
				if (answer.status() >= 400) refused.push(`${answer.status()} for ${path}`);
				if (path.endsWith(`/movies/${way.id}/playback`))
					for (const part of (await answer.json()).selected.parts) methods.add(part.method);
			});
			await page.goto(`/play/${way.id}?start=0`);
			await page.waitForFunction(() => document.querySelector('video')?.currentTime > 0.1);
			assert.deepEqual([...methods], [way.method], 'the film is played in the way that is tested');
			const random = randomFrom(seed + i);
			const times = [];
			const wrong = [];
			for (let n = 0; n < share; n++) {
				const target = random() * (length - 3);
				const { took, at, wrong: why } = await seek(page, target);
				times.push(took);
				if (why) wrong.push(`seek ${n} to ${target.toFixed(3)} s: ${why}`);
				else if (took > longest)
					wrong.push(`seek ${n} to ${target.toFixed(3)} s took ${Math.round(took)} ms`);
				else if (at > target + took / 1000 + 0.5)
					wrong.push(`seek ${n} to ${target.toFixed(3)} s went on at ${at} s`);
			}
			times.sort((a, b) => a - b);
			t.diagnostic(
				`until time went on: half within ${Math.round(times[times.length >> 1])} ms, longest ${Math.round(times.at(-1))} ms`
			);
			assert.deepEqual([...wrong, ...faults, ...refused], []);
			await context.close();
		});
	}
});
