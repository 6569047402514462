/** One folder somewhere, in a bucket or on a volume. Paths are relative to it, with `/` between segments. */
export type FileEntry = { path: string; bytes: number };

/** Every method fails with a TrainerError that names the place; nothing here ever prints a credential. */
export type Source = {
  uri: string;
  /** Whether `place` makes links: then placed files take no room on the local disk and are read where they lie. */
  placesLinks: boolean;
  /** Files below `folder` (the whole source without it), sorted by path. A folder that is not there is empty. */
  list(folder?: string): Promise<FileEntry[]>;
  exists(path: string): Promise<boolean>;
  /** Streams a file to a new file on the disk, in place of whatever is there, and hashes it on the way. */
  download(path: string, file: string): Promise<{ bytes: number; sha256: string }>;
  /**
   * Makes a file readable at the local path `file`, in place of whatever is there: from a bucket a copy, on a volume a
   * link, since a large file that is read once needs no copy. What is behind a link may change while it is read.
   */
  place(path: string, file: string): Promise<void>;
  /** At most `length` bytes from `start`, and the size of the whole file. */
  readRange(path: string, start: number, length: number): Promise<{ bytes: Uint8Array; size: number }>;
  /** Readers see the old file or the whole new one, never a part. */
  upload(file: string, path: string): Promise<void>;
  /** Removing a file that is not there is no error. */
  remove(path: string): Promise<void>;
};

/** More files than this in one listing means that the prefix is wrong, not that the model is large. */
export const maxListedFiles = 100_000;

/** A path that may be joined to a folder: no way up, no empty segment, no control character. */
export function isSafePath(path: string): boolean {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is refused.
  if (path === '' || path.length > 1024 || /[\u0000-\u001f\u007f\\]/.test(path)) return false;
  return path.split('/').every((segment) => segment !== '' && segment !== '.' && segment !== '..');
}
