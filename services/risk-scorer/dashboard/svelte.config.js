import { vitePreprocess } from '@sveltejs/vite-plugin-svelte';

export default {
  preprocess: vitePreprocess(),
  // Styles go to files: the pages' policy allows no inline style element.
  compilerOptions: { runes: true, css: 'external' },
};
