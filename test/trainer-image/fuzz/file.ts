import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const directory = mkdtempSync(join(tmpdir(), 'fuzz-'));
process.once('exit', () => rmSync(directory, { recursive: true, force: true }));

/**
 * What `read` makes of a folder that has this one file. The file is a new one each time: ext4 waits for the disk when a
 * file is written over.
 */
export function withFile<T>(name: string, content: string | Buffer, read: (directory: string) => T): T {
  const path = join(directory, name);
  writeFileSync(path, content);
  try {
    return read(directory);
  } finally {
    rmSync(path);
  }
}
