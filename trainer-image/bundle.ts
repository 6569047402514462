/** Bundles both programs for the images: `node trainer-image/bundle.ts OUT` writes OUT/operator and OUT/trainer. */
import { copyFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { build, type Plugin } from 'esbuild';

const root = dirname(import.meta.dirname);
const require = createRequire(import.meta.url);

/** CommonJS packages ask for require and their own place, which an ES module does not have by itself. */
const banner = `import { createRequire as __createRequire } from 'node:module';
import { dirname as __directoryOf } from 'node:path';
const require = __createRequire(import.meta.url);
const __filename = import.meta.filename;
const __dirname = __directoryOf(__filename);`;

/** Writes `out/<name>.mjs` with its source map for each entry. */
export async function bundle(
  out: string,
  entries: Record<string, string>,
  plugins: Plugin[] = [],
): Promise<void> {
  await build({
    entryPoints: Object.entries(entries).map(([name, file]) => ({ in: join(root, file), out: name })),
    outdir: out,
    outExtension: { '.js': '.mjs' },
    bundle: true,
    platform: 'node',
    target: 'node24',
    format: 'esm',
    sourcemap: true,
    sourcesContent: false,
    // Native code lies beside the bundle, or is found through the environment.
    external: ['*.node'],
    banner: { js: banner },
    logLevel: 'warning',
    plugins,
  });
}

/** Writes the trainer as its image holds it: `out/trainer.mjs` and what it loads. */
export async function bundleTrainer(out: string): Promise<void> {
  await bundle(out, {
    trainer: 'trainer-image/main.ts',
    worker: 'trainer-image/worker.ts',
    'parquet-thread': 'trainer-image/data/parquet-thread.ts',
  });
  const addon = 'tokenizers.linux-x64-gnu.node';
  await copyFile(join(dirname(require.resolve('tokenizers/package.json')), addon), join(out, addon));
}

if (import.meta.main) {
  const out = process.argv[2];
  if (out === undefined) throw new Error('usage: node trainer-image/bundle.ts OUT');
  await bundle(join(out, 'operator'), { operator: 'operator/main.ts' });
  await bundleTrainer(join(out, 'trainer'));
}
