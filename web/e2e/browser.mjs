// Drives the system's Chromium: fresh profiles, axe on every page, screenshots.
import { readFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { chromium } from 'playwright-core';
import { until } from './server.mjs';

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
export const shots = join(import.meta.dirname, 'screenshots');

/** Starts Chromium (CHROMIUM, else /usr/bin/chromium). */
export const launch = () =>
	chromium.launch({
		executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
		args: [
			'--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
			'--disable-background-networking', '--disable-component-update', '--disable-sync',
			'--autoplay-policy=no-user-gesture-required'
		] // prettier-ignore
	});

/** A context of its own (cookies, storage). Script errors and refused resources fail the test that asks `faults`. */
export async function visitor(browser, base, { width = 1440, theme = 'dark', locale = 'en-GB', state } = {}) {
	const phone = width < 600;
	const context = await browser.newContext({
		baseURL: base,
		viewport: { width, height: phone ? 844 : 900 },
		colorScheme: theme,
		reducedMotion: 'reduce',
		locale,
		isMobile: phone,
		hasTouch: phone,
		storageState: state
	});
	const page = await context.newPage();
	const faults = [];
	page.on('pageerror', (error) => faults.push(String(error)));
	page.on('console', (message) => {
		if (message.type() === 'error' && /Content Security Policy|Uncaught|svelte\.dev/.test(message.text()))
			faults.push(message.text());
	});
	page.setDefaultTimeout(20_000);
	return { context, page, faults };
}

const sessions = new WeakMap();
/** The one DevTools session of a page. It stays attached: one that leaves takes the page's virtual authenticators with it. */
export function devtools(page) {
	if (!sessions.has(page)) sessions.set(page, page.context().newCDPSession(page));
	return sessions.get(page);
}

/** What axe finds on the page, as lines; WCAG 2.2 A and AA and its best practices. */
export async function findings(page) {
	// In a world of its own: the page's policy forbids scripts that are not the server's.
	const session = await devtools(page);
	const { frameTree } = await session.send('Page.getFrameTree');
	const { executionContextId } = await session.send('Page.createIsolatedWorld', {
		frameId: frameTree.frame.id,
		worldName: 'axe'
	});
	const run = async (expression) => {
		const { result, exceptionDetails } = await session.send('Runtime.evaluate', {
			expression,
			contextId: executionContextId,
			awaitPromise: true,
			returnByValue: true
		});
		if (exceptionDetails) throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
		return result.value;
	};
	await run(`${axe}; undefined`);
	const found = await run(
		`axe.run(document, { resultTypes: ['violations'] }).then((r) => r.violations.map((v) => ({ id: v.id, help: v.help, nodes: v.nodes.map((n) => n.target.join(' ') + ': ' + (n.any[0]?.message ?? n.all[0]?.message ?? n.none[0]?.message ?? '')) })))`
	);
	return found.flatMap(({ id, help, nodes }) => nodes.slice(0, 4).map((node) => `${id} (${help}): ${node}`));
}

/** Waits until pictures in view have come and nothing moves; says what did not. */
export async function settled(page) {
	const unrest = () => [
		...(document.fonts.status === 'loaded' ? [] : ['fonts']),
		...[...document.querySelectorAll('[aria-busy=true]')].map((e) => `busy: ${e.outerHTML.slice(0, 120)}`),
		...[...document.images]
			.filter((i) => {
				const box = i.getBoundingClientRect();
				const across = box.right >= 0 && box.left <= innerWidth;
				const down = box.bottom >= 0 && box.top <= innerHeight;
				return !i.complete && i.checkVisibility() && across && down;
			})
			.map((i) => `picture: ${i.currentSrc || i.src}`),
		...document
			.getAnimations()
			.filter((a) => a.playState === 'running' && a.effect?.getTiming().iterations !== Infinity)
			.map(
				(a) =>
					`animation: ${a.animationName ?? a.transitionProperty ?? ''} of ${a.effect?.target?.outerHTML.slice(0, 120)}`
			)
	];
	let left = [];
	await until(
		() => `nothing moves on the page: ${left.join('; ')}`,
		async () => (left = await page.evaluate(unrest).catch((error) => [String(error)])).length === 0,
		20
	);
}

export async function screenshot(page, name) {
	await mkdir(shots, { recursive: true });
	await page.screenshot({ path: join(shots, `${name}.png`) });
}

/** Draws a page as it stands in both themes, narrow and wide. What axe finds, and what does not fit the width, as lines. */
export async function everywhere(page, name) {
	const lines = [];
	for (const colorScheme of ['light', 'dark'])
		for (const width of [390, 1440]) {
			await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
			await page.setViewportSize({ width, height: width < 600 ? 844 : 900 });
			await settled(page);
			await screenshot(page, `${name}-${colorScheme}-${width}`);
			const found = [...(await findings(page)), ...(await overflow(page))];
			lines.push(...found.map((line) => `${name} ${colorScheme} ${width}: ${line}`));
		}
	return lines;
}

/** What sticks out of the window to the right, or is cut off in a control, as lines. */
export const overflow = (page) =>
	page.evaluate(() => {
		const what = (e) => `${e.localName} ${e.textContent.trim().slice(0, 60)}`;
		const lines = [];
		if (document.documentElement.scrollWidth > innerWidth)
			for (const e of document.body.querySelectorAll('*'))
				if (e.getBoundingClientRect().right > innerWidth + 1 && e.checkVisibility())
					lines.push(`sticks out: ${what(e)}`);
		for (const e of document.querySelectorAll('button, a, select, label'))
			if (e.scrollWidth > e.clientWidth + 1 && e.clientWidth > 1 && getComputedStyle(e).display !== 'inline')
				lines.push(`does not fit: ${what(e)}`);
		return lines.slice(0, 6);
	});
