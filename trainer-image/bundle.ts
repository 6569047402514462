/** Bundles both programs for the images: `node trainer-image/bundle.ts OUT` writes OUT/operator and OUT/trainer. */
import { copyFile, readFile } from 'node:fs/promises';
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

/**
 * Source maps are for our own code: Node keeps each position of a map as an array of its own, and those of the packages
 * would take 60 MB from the first error on whose stack somebody looks at.
 */
const withoutMapsOfPackages: Plugin = {
  name: 'without-maps-of-packages',
  setup({ onLoad }) {
    const nowhere = Buffer.from(
      '{"version":3,"sources":["package"],"sourcesContent":[null],"mappings":"AAAA"}',
    ).toString('base64');
    const comment = `\n//# sourceMappingURL=data:application/json;base64,${nowhere}`;
    onLoad({ filter: /node_modules.*\.[cm]?js$/ }, async ({ path }) => ({
      contents: (await readFile(path, 'utf8')) + comment,
      loader: 'js',
    }));
  },
};

/**
 * The client has a class for each kind of object and each call of the API, and does not say that its files do nothing by
 * themselves: all 675 kB of them would be loaded for the reading of a kubeconfig.
 */
const clientInParts: Plugin = {
  name: 'client-in-parts',
  setup({ onResolve, resolve }) {
    const client = '@kubernetes/client-node';
    onResolve({ filter: /^\.|client-node/ }, async ({ path, pluginData, ...from }) => {
      const isOfClient = path === client || from.importer.includes(`node_modules/${client}/`);
      if (!isOfClient || pluginData === client) return undefined;
      const found = await resolve(path, { ...from, pluginData: client });
      return { ...found, sideEffects: false };
    });
  },
};

/** Writes `out/<name>.mjs` with its source map, and the licenses of what is in it, for each entry. */
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
    // Node keeps the text of a program, and one letter beyond ASCII doubles it: the comments are where names of people stand.
    minifyWhitespace: true,
    legalComments: 'external',
    // Native code lies beside the bundle, or is found through the environment.
    external: ['*.node'],
    banner: { js: banner },
    logLevel: 'warning',
    plugins: [...plugins, clientInParts, withoutMapsOfPackages],
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
