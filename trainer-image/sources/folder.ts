import { mkdir, readdir } from 'node:fs/promises';
import { dirname, join, relative, sep } from 'node:path';
import { TrainerError } from '../failure.ts';
import { isSafePath, type Source } from './source.ts';

export type TransferredFile = { path: string; bytes: number; sha256: string };
export type TransferProgress = { files: number; totalFiles: number; bytes: number; totalBytes: number };

/** Transfers at a time: enough to hide latency, few enough to be polite. */
const transfersAtOnce = 4;

/**
 * Copies the files below `folder` ('' = the whole source) into `directory`; paths in the result are relative to `folder`.
 * @throws TrainerError SourceNotFound when there is no file to copy.
 */
export async function downloadFolder(
  source: Source,
  folder: string,
  directory: string,
  options: { only?: (path: string) => boolean; onProgress?: (progress: TransferProgress) => void } = {},
): Promise<TransferredFile[]> {
  const start = folder === '' ? 0 : folder.length + 1;
  const entries = (await source.list(folder === '' ? undefined : folder))
    .map((entry) => ({ ...entry, source: entry.path, path: entry.path.slice(start) }))
    .filter(({ path }) => options.only?.(path) ?? true);
  if (entries.length === 0) {
    throw new TrainerError(
      'SourceNotFound',
      `${source.uri}${folder === '' ? '' : `/${folder}`} holds no file that is needed.`,
      'Correct the bucket, prefix or path, or upload the files.',
    );
  }
  const unsafe = entries.find(({ path }) => !isSafePath(path));
  if (unsafe !== undefined) {
    throw new TrainerError(
      'SourceForbidden',
      `${source.uri} holds a file with the unusable name ${JSON.stringify(unsafe.path)}.`,
      'Rename or remove it.',
    );
  }
  const totalBytes = entries.reduce((sum, entry) => sum + entry.bytes, 0);
  const done: TransferredFile[] = [];
  await forEachAtOnce(entries, async (entry) => {
    const file = join(directory, entry.path);
    await mkdir(dirname(file), { recursive: true });
    done.push({ path: entry.path, ...(await source.download(entry.source, file)) });
    const bytes = done.reduce((sum, { bytes }) => sum + bytes, 0);
    options.onProgress?.({ files: done.length, totalFiles: entries.length, bytes, totalBytes });
  });
  return done.sort((a, b) => (a.path < b.path ? -1 : 1));
}

/**
 * Copies all files of `directory` below `folder` of the source. The file named by `last` (a manifest) goes up after
 * all others, so that readers who see it can rely on the rest.
 */
export async function uploadFolder(
  source: Source,
  directory: string,
  folder: string,
  options: { last?: string } = {},
): Promise<void> {
  const names = await readdir(directory, { recursive: true, withFileTypes: true });
  const files = names
    .filter((entry) => entry.isFile())
    .map((entry) => relative(directory, join(entry.parentPath, entry.name)).split(sep).join('/'))
    .sort();
  const upload = (path: string) =>
    source.upload(join(directory, path), folder === '' ? path : `${folder}/${path}`);
  await forEachAtOnce(
    files.filter((path) => path !== options.last),
    upload,
  );
  if (options.last !== undefined) await upload(options.last);
}

/** Runs `work` on all items, a few at a time; after the first failure nothing new is started. */
export async function forEachAtOnce<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  let next = 0;
  let failed = false;
  const lane = async (): Promise<void> => {
    while (next < items.length && !failed) {
      const item = items[next] as T;
      next += 1;
      try {
        await work(item);
      } catch (error) {
        failed = true;
        throw error;
      }
    }
  };
  const lanes = await Promise.allSettled(Array.from({ length: transfersAtOnce }, lane));
  const failure = lanes.find((result) => result.status === 'rejected');
  if (failure !== undefined) throw failure.reason;
}
