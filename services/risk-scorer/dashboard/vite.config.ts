import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'vitest/config';

// The server that `npm run dev` and `npm run preview` ask; `counterfoil demo` listens there unless told otherwise.
const server = process.env['COUNTERFOIL_URL'] ?? 'http://127.0.0.1:8080';
const proxy = { '/v1': server };

export default defineConfig({
  plugins: [svelte()],
  build: {
    outDir: 'dist',
    assetsDir: 'assets',
    target: 'es2022',
    // The polyfill is an inline script; no data: URLs, so that every asset is a file with a hash in its name.
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0,
    // ECharts and CodeMirror are lazy chunks of about this size, fetched only by the pages that use them.
    chunkSizeWarningLimit: 800,
  },
  server: { proxy },
  preview: { proxy },
  test: { include: ['src/**/*.test.ts'], environment: 'node' },
});
