/**
 * How the page becomes a folder of static files that any host can serve, from any path: relative addresses, one style sheet, the engine in a
 * worker of its own. Licences of what is bundled go beside it.
 */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { defineConfig, type Plugin } from 'vite';

const repository = fileURLToPath(new URL('..', import.meta.url));

/** Packages whose code or fonts end up in the page; their licences ask to travel along. */
const bundled = [
  'react',
  'react-dom',
  'scheduler',
  'zod',
  'fzstd',
  '@fontsource/ibm-plex-sans',
  '@fontsource/ibm-plex-mono',
];

function licences(): Plugin {
  return {
    name: 'licences',
    apply: 'build',
    generateBundle() {
      const texts = bundled.map((name) => {
        const text = readFileSync(`${repository}node_modules/${name}/LICENSE`, 'utf8');
        return `${name}\n${'-'.repeat(name.length)}\n\n${text.trim()}\n`;
      });
      this.emitFile({ type: 'asset', fileName: 'licences.txt', source: texts.join('\n\n') });
    },
  };
}

/** Weights keep their name: the package has them once, and the lab's server puts them where the page looks. */
const assetFileNames = ({ names }: { readonly names: readonly string[] }) =>
  names.some((name) => name.endsWith('.safetensors')) ? 'models/[name][extname]' : 'assets/[name]-[hash][extname]';

/** Of 4.8 MB, and loaded only for HDF5 files: the page says that it cannot open these. */
const external = ['h5wasm'];

export default defineConfig({
  root: fileURLToPath(new URL('.', import.meta.url)),
  base: './',
  // Vite copies nothing: whatever the page needs is imported by it.
  publicDir: false,
  plugins: [licences()],
  esbuild: { jsx: 'automatic' },
  worker: { format: 'es', rollupOptions: { external, output: { assetFileNames } } },
  server: { headers: { 'Cross-Origin-Opener-Policy': 'same-origin', 'Cross-Origin-Embedder-Policy': 'require-corp' } },
  build: {
    outDir: 'dist',
    emptyOutDir: true,
    target: ['chrome111', 'firefox114', 'safari16.4'],
    // Photographs, fonts and weights stay files: a page that inlines them loads them before anything shows.
    assetsInlineLimit: 0,
    chunkSizeWarningLimit: 1000,
    rollupOptions: { external, output: { assetFileNames } },
  },
});
