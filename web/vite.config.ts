import { paraglideVitePlugin } from '@inlang/paraglide-js';
import { sveltekit } from '@sveltejs/kit/vite';
import tailwindcss from '@tailwindcss/vite';
import { defineConfig } from 'vitest/config';

const server = process.env.REVENGE_DEV_SERVER ?? 'http://127.0.0.1:8080';

export default defineConfig({
	plugins: [
		paraglideVitePlugin({
			project: './project.inlang',
			outdir: './src/lib/paraglide',
			strategy: ['localStorage', 'preferredLanguage', 'baseLocale'],
			localStorageKey: 'revenge.language'
		}),
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
