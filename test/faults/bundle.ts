/** The operator as one file, perhaps with a defect planted in it. */
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { promisify } from 'node:util';
import type { Plugin } from 'esbuild';
import { bundle } from '../../trainer-image/bundle.ts';

const root = join(import.meta.dirname, '../..');

/** Source text to be found exactly once, and what takes its place. */
export type Patch = { file: string; find: string; replace: string };

/** @returns path of the program */
export async function bundleOperator(directory: string, patches: readonly Patch[] = []): Promise<string> {
  await bundle(directory, { operator: 'operator/main.ts' }, patches.length === 0 ? [] : [patching(patches)]);
  const program = join(directory, 'operator.mjs');
  // A process that ends in order leaves its compiled code for the next ones; one that is killed does not.
  const env = { ...process.env, NODE_COMPILE_CACHE: `${program}.cache` };
  await promisify(execFile)(process.execPath, [program, '--no-such-flag'], { env }).catch(() => {});
  return program;
}

/** @throws where the text to be found is not there exactly once */
export function patched(source: string, { file, find, replace }: Patch): string {
  const count = source.split(find).length - 1;
  if (count !== 1) throw new Error(`${file}: "${find}" is there ${count} times, not once`);
  return source.replace(find, () => replace);
}

function patching(patches: readonly Patch[]): Plugin {
  return {
    name: 'patches',
    setup(build) {
      const unused = new Set(patches);
      build.onLoad({ filter: /\/operator\/.*\.ts$/ }, async ({ path }) => {
        const file = relative(root, path);
        let contents = await readFile(path, 'utf8');
        for (const patch of patches.filter((each) => each.file === file)) {
          contents = patched(contents, patch);
          unused.delete(patch);
        }
        return { contents, loader: 'ts' };
      });
      build.onEnd(() => {
        const [left] = unused;
        if (left !== undefined) throw new Error(`${left.file} was not part of the bundle`);
      });
    },
  };
}
