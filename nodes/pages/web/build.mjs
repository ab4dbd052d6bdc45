// Builds the pages into ../dist, or into the folder that is named: every file there is served at /weft-pages/NAME.
import { build } from 'esbuild';
import { copyFile, mkdir, readdir, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

// The one list of what is built. A page NAME is src/NAME.html with the script src/NAME.ts; a module is a script that
// others may import from /NAME.js too. Every style sheet in src/ is taken as it is.
const PAGES = ['dashboard', 'publish', 'wall', 'watch'];
const MODULES = ['weft-publisher', 'weft-reader'];

const web = dirname(fileURLToPath(import.meta.url));
const dist = process.argv[2] ?? join(web, '../dist');
const source = (name) => join(web, 'src', name);

await rm(dist, { recursive: true, force: true });
await mkdir(dist, { recursive: true });
await build({
  entryPoints: [...MODULES, ...PAGES].map((name) => source(`${name}.ts`)),
  outdir: dist,
  bundle: true,
  // Pages import the modules as anybody else does, so what is served to others is what we use.
  plugins: [{
    name: 'modules-stay-apart',
    setup: ({ onResolve }) =>
      onResolve({ filter: new RegExp(`^\\./(${MODULES.join('|')})(\\.js)?$`) }, ({ path, kind }) =>
        kind === 'entry-point' ? undefined : { path: `${path.replace(/\.js$/, '')}.js`, external: true }),
  }],
  format: 'esm',
  target: 'es2022',
  charset: 'utf8',
  legalComments: 'none',
  logLevel: 'warning',
});
const styles = (await readdir(join(web, 'src'))).filter((name) => name.endsWith('.css'));
for (const name of [...styles, ...PAGES.map((name) => `${name}.html`)]) {
  await copyFile(source(name), join(dist, name));
}
