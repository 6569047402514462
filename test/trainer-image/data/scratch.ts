/** Folders for encoded rows, removed when the process of the test ends. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

let root: string | undefined;
let count = 0;

/** The name of a folder that is not there yet. */
export function scratchFolder(): string {
  if (root === undefined) {
    const made = mkdtempSync(join(tmpdir(), 'finetune-encoded-'));
    process.once('exit', () => rmSync(made, { recursive: true, force: true }));
    root = made;
  }
  count += 1;
  return join(root, String(count));
}
