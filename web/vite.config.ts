import { paraglideVitePlugin } from '@inlang/paraglide-js';
import { sveltekit } from '@sveltejs/kit/vite';
import tailwindcss from '@tailwindcss/vite';
import { defineConfig } from 'vitest/config';
import { options } from './messages/compile.js';

const server = process.env.REVENGE_DEV_SERVER ?? 'http://127.0.0.1:8080';

export default defineConfig({
	plugins: [
		paraglideVitePlugin(options as Parameters<typeof paraglideVitePlugin>[0]),
		tailwindcss(),
		sveltekit()
	],
	server: {
		proxy: Object.fromEntries(
			['/api', '/healthz', '/readyz'].map((path) => [path, { target: server, changeOrigin: false }])
		)
	},
	build: { target: 'es2022', chunkSizeWarningLimit: 700 },
	test: { include: ['src/**/*.test.ts'], environment: 'node' }
});
