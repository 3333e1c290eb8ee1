// headers.mjs INDEX — prints the headers of the pages as lines of nginx's configuration, the same as those that the Go server sends
// (hosts/httpd: webui.go, middleware.go; deploy_test.go compares them). A page's own inline scripts are allowed by their hash, nothing else is.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';

const index = readFileSync(process.argv[2], 'utf8');
const scripts = [...index.matchAll(/<script(?:\s[^>]*)?>(.*?)<\/script>/gs)]
	.filter(([, text]) => text !== '')
	.map(([, text]) => ` 'sha256-${createHash('sha256').update(text).digest('base64')}'`);

const policy = [
	"default-src 'self'",
	`script-src 'self'${scripts.join('')}`,
	"style-src 'self' 'unsafe-inline'",
	"img-src 'self' data: blob:",
	"font-src 'self'",
	"media-src 'self' blob:",
	"worker-src 'self' blob:",
	"connect-src 'self'",
	"object-src 'none'",
	"base-uri 'none'",
	"form-action 'self'",
	"frame-ancestors 'none'"
].join('; ');

const headers = {
	'X-Content-Type-Options': 'nosniff',
	'Referrer-Policy': 'same-origin',
	'Content-Security-Policy': policy,
	'Cross-Origin-Opener-Policy': 'same-origin',
	'Cross-Origin-Resource-Policy': 'same-origin',
	'Permissions-Policy': 'camera=(), microphone=(), geolocation=(), interest-cohort=()',
	'Strict-Transport-Security': '$over_tls' // empty without TLS, and then not sent
};
for (const [name, value] of Object.entries(headers)) console.log(`add_header ${name} "${value}" always;`);
