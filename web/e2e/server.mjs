// Starts the real server on a free loopback port with a data folder of its own, and stops it.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

const root = resolve(import.meta.dirname, '../..');

/** The server that is tested: REVENGE_E2E_BIN, else bin/revenge of this checkout. */
const binary = process.env.REVENGE_E2E_BIN ?? join(root, 'bin/revenge');

/** Makes the small demo library with its broken files in a folder: films of 16 seconds. */
export function makeLibrary(folder) {
	const made = spawnSync('go', ['run', './testkit/demo/cmd/demo-library', '-small', '-odd', folder], {
		cwd: root,
		encoding: 'utf8',
		env: { GOFLAGS: '-tags=nodynamic -buildvcs=false', CGO_ENABLED: '0', ...process.env }
	});
	if (made.status !== 0) throw new Error(`the demo library could not be made:\n${made.stderr}`);
}

/** Runs the mail server that keeps what it takes. `mail` waits for the newest mail to an address that fits, of those that nobody took before. */
export async function startMails() {
	const { folder, remove } = await temporary('mails');
	const catcher = join(folder, 'mail-catcher');
	const made = spawnSync('go', ['build', '-o', catcher, './testkit/smtptest/cmd/mail-catcher'], {
		cwd: root,
		encoding: 'utf8',
		env: { GOFLAGS: '-tags=nodynamic -buildvcs=false', CGO_ENABLED: '0', ...process.env }
	});
	if (made.status !== 0) throw new Error(`the mail catcher could not be built:\n${made.stderr}`);
	const child = spawn(catcher, [], { stdio: ['pipe', 'pipe', 'inherit'] });
	const ended = new Promise((done) => child.once('exit', done));
	const { smtpPort, url } = await new Promise((told, failed) => {
		child.stdout.once('data', (line) => told(JSON.parse(line)));
		child.once('exit', () => failed(new Error('the mail catcher ended')));
	});
	const taken = new Set();
	const mail = (to, fits = () => true) =>
		until(`a mail to ${to} arrives`, async () => {
			const { items } = await (await fetch(`${url}/mails?to=${encodeURIComponent(to)}`)).json();
			const found = items.findLast((m) => !taken.has(m.header['Message-Id'][0]) && fits(m));
			if (found) taken.add(found.header['Message-Id'][0]);
			return found;
		});
	const stop = async () => {
		child.stdin.end();
		await ended;
		await remove();
	};
	return { port: smtpPort, mail, stop };
}

async function freePort() {
	const probe = createServer();
	await new Promise((listening) => probe.listen(0, '127.0.0.1', listening));
	const { port } = probe.address();
	await new Promise((closed) => probe.close(closed));
	return port;
}

/** Waits until a condition holds; its last value. What it waits for may be a function, asked when it was in vain. */
export async function until(what, condition, seconds = 30) {
	const deadline = Date.now() + seconds * 1000;
	for (;;) {
		const value = await condition();
		if (value) return value;
		if (Date.now() > deadline)
			throw new Error(`waited ${seconds} s in vain: ${typeof what === 'function' ? what() : what}`);
		await new Promise((done) => setTimeout(done, 100));
	}
}

/** A folder that is gone after the test. */
export async function temporary(name) {
	const folder = await mkdtemp(join(tmpdir(), `revenge-${name}-`));
	return { folder, remove: () => rm(folder, { recursive: true, force: true }) };
}

/**
 * Runs the server. `link` is the first-run link that it printed. With `named` people reach it as localhost, which it is told: passkeys and links in mails
 * need a name.
 */
export async function startServer({ named = false } = {}) {
	if (!existsSync(binary)) throw new Error(`${binary} is not there: build it first (just build)`);
	const { folder, remove } = await temporary('e2e');
	const port = await freePort();
	const base = `http://${named ? 'localhost' : '127.0.0.1'}:${port}`;
	let output = '';
	const child = spawn(binary, ['serve', `--data-dir=${folder}`, `--listen=127.0.0.1:${port}`], {
		cwd: folder,
		// The server refuses settings that it does not know, and this run's own are none of its.
		env: {
			...Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('REVENGE_'))),
			...(named && { REVENGE_BASE_URL: base })
		},
		stdio: ['ignore', 'pipe', 'pipe']
	});
	child.stdout.on('data', (text) => (output += text));
	child.stderr.on('data', (text) => (output += text));
	const stop = async () => {
		child.kill('SIGTERM');
		const timer = setTimeout(() => child.kill('SIGKILL'), 15_000);
		await new Promise((ended) =>
			(child.exitCode ?? child.signalCode) === null ? child.once('exit', ended) : ended()
		);
		clearTimeout(timer);
		await remove();
	};
	try {
		const [link] = await until(
			() => `the server has printed its link:\n${output}`,
			() => {
				if (child.exitCode !== null) throw new Error(`the server ended:\n${output}`);
				return /http:\/\/\S+\/setup#code=\S+/.exec(output);
			}
		);
		await until(
			() => `the server is ready:\n${output}`,
			() => fetch(`${base}/readyz`).then((answer) => answer.ok, () => false) // prettier-ignore
		);
		return { base, link: link.replace(/^http:\/\/[^/]+/, base), stop };
	} catch (error) {
		await stop();
		throw error;
	}
}
