import { randomUUID } from 'node:crypto';
import { constants, createReadStream } from 'node:fs';
import {
  access,
  copyFile,
  mkdir,
  open,
  readdir,
  realpath,
  rename,
  rm,
  rmdir,
  stat,
  symlink,
} from 'node:fs/promises';
import { dirname, join, relative, sep } from 'node:path';
import { type Location, paths } from '../../crds/trainer-contract.ts';
import { TrainerError } from '../failure.ts';
import { localFailure } from './local-failure.ts';
import { type FileEntry, isSafePath, type Source } from './source.ts';
import { refuseTooMany, saveFile, truncated } from './transfer.ts';

type VolumeLocation = Extract<Location, { kind: 'volume' }>;

/** Read at a time when a file is copied. */
const chunkBytes = 1024 * 1024;

/**
 * A folder on a mounted volume. Symbolic links are followed as long as they stay on the volume: the cache of the
 * Hugging Face hub is made of such links.
 */
export function openVolume(location: VolumeLocation): Source {
  return new VolumeSource(location);
}

class VolumeSource implements Source {
  readonly uri: string;
  readonly placesLinks = true;
  readonly #root: string;

  constructor({ uri, directory }: VolumeLocation) {
    this.uri = uri;
    this.#root = directory;
  }

  async list(folder?: string): Promise<FileEntry[]> {
    const top = folder === undefined ? this.#root : join(this.#root, folder);
    const entries: FileEntry[] = [];
    const visit = async (directory: string): Promise<void> => {
      const names = await readdir(directory, { withFileTypes: true }).catch((error) => {
        if (error.code === 'ENOENT' && folder !== undefined) return [];
        throw this.#failure(error, 'list', relative(this.#root, directory));
      });
      for (const name of names) {
        const path = join(directory, name.name);
        // A link to a folder is not followed: it could lead in a circle.
        if (name.isDirectory()) await visit(path);
        else if (name.isFile() || name.isSymbolicLink()) {
          const info = await stat(path).catch(() => undefined);
          if (info?.isFile() === true)
            entries.push({ path: relative(this.#root, path).split(sep).join('/'), bytes: info.size });
        }
        refuseTooMany(entries.length, this.uri);
      }
    };
    await visit(top);
    return entries.sort((a, b) => (a.path < b.path ? -1 : 1));
  }

  async exists(path: string): Promise<boolean> {
    try {
      return (await stat(await this.#inside(path))).isFile();
    } catch (error) {
      const failure = this.#failure(error, 'look for', path);
      if (failure.category === 'SourceNotFound') return false;
      throw failure;
    }
  }

  async download(path: string, file: string): Promise<{ bytes: number; sha256: string }> {
    const source = await this.#inside(path);
    const size = (await this.#try('read', path, () => this.#statFile(source))).size;
    const saved = await this.#try('read', path, () =>
      saveFile(file, createReadStream(source, { highWaterMark: chunkBytes })),
    );
    if (saved.bytes !== size) throw truncated(this.uri, path, saved.bytes, size);
    return saved;
  }

  async place(path: string, file: string): Promise<void> {
    const source = await this.#inside(path);
    await this.#try('read', path, async () => {
      await this.#statFile(source);
      await access(source, constants.R_OK);
    });
    try {
      // What an earlier run left in the same folder, as `download` removes it.
      await rm(file, { force: true });
      await symlink(source, file);
    } catch (error) {
      throw localFailure(error, 'write', file);
    }
  }

  async readRange(path: string, start: number, length: number): Promise<{ bytes: Uint8Array; size: number }> {
    const source = await this.#inside(path);
    return this.#try('read', path, async () => {
      const { size } = await this.#statFile(source);
      const bytes = new Uint8Array(Math.max(0, Math.min(length, size - start)));
      const file = await open(source);
      try {
        let done = 0;
        while (done < bytes.length) {
          const { bytesRead } = await file.read(bytes, done, bytes.length - done, start + done);
          if (bytesRead === 0) throw truncated(this.uri, path, done, bytes.length);
          done += bytesRead;
        }
      } finally {
        await file.close();
      }
      return { bytes, size };
    });
  }

  /** Written beside the target, synced and renamed. */
  async upload(file: string, path: string): Promise<void> {
    await this.#try('write', path, async () => {
      const target = await this.#insideParent(path);
      const part = join(dirname(target), `.${randomUUID()}.part`);
      try {
        await copyFile(file, part, constants.COPYFILE_EXCL);
        const handle = await open(part, 'r+');
        await handle.sync().finally(() => handle.close());
        await rename(part, target);
      } catch (error) {
        await rm(part, { force: true });
        throw error;
      }
    });
  }

  /** Also removes the folders that are empty afterwards, up to the root. */
  async remove(path: string): Promise<void> {
    await this.#try('remove', path, async () => {
      const target = this.#join(path);
      if (!(await this.exists(path))) return;
      await this.#insideParent(path);
      await rm(target, { force: true });
      for (let folder = dirname(target); folder !== this.#root; folder = dirname(folder)) {
        const gone = await rmdir(folder).then(
          () => true,
          () => false,
        );
        if (!gone) break;
      }
    });
  }

  async #statFile(file: string) {
    const info = await stat(file);
    if (!info.isFile()) throw Object.assign(new Error('not a file'), { code: 'EISDIR' });
    return info;
  }

  #join(path: string): string {
    if (!isSafePath(path)) {
      throw new TrainerError(
        'SourceForbidden',
        `The path ${JSON.stringify(path)} leads out of ${this.uri} or is not a usable file name.`,
        'Use plain relative paths.',
      );
    }
    return join(this.#root, path);
  }

  /** Real path of an existing file, which must lie on the volume. */
  async #inside(path: string): Promise<string> {
    const joined = this.#join(path);
    return this.#try('read', path, async () => this.#checked(path, await realpath(joined)));
  }

  /** Makes the folder of a file that will be written, and checks that it really lies on the volume. */
  async #insideParent(path: string): Promise<string> {
    const joined = this.#join(path);
    await mkdir(this.#root, { recursive: true });
    // Checked from the top down before anything is made: a link on the way may lead outside.
    let folder = this.#root;
    for (const segment of relative(this.#root, dirname(joined)).split(sep).filter(Boolean)) {
      folder = join(folder, segment);
      await mkdir(folder).catch((error) => {
        if (error.code !== 'EEXIST') throw error;
      });
      await this.#checked(path, await realpath(folder));
    }
    return joined;
  }

  async #checked(path: string, real: string): Promise<string> {
    const boundary = await realpath(boundaryOf(this.#root));
    if (real === boundary || real.startsWith(boundary + sep)) return real;
    throw new TrainerError(
      'SourceForbidden',
      `${path} in ${this.uri} is a link that leads out of the volume.`,
      'Replace the link by the file itself.',
    );
  }

  async #try<T>(action: string, path: string, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      throw this.#failure(error, action, path);
    }
  }

  #failure(error: unknown, action: string, path: string): TrainerError {
    if (error instanceof TrainerError) return error;
    const code = (error as NodeJS.ErrnoException).code ?? 'unknown error';
    const what = path === '' ? this.uri : `${path} in ${this.uri}`;
    const [category, hint] = meaning(code, action);
    return new TrainerError(category, `Cannot ${action} ${what}: ${code}.`, hint, { cause: error });
  }
}

/** Links may lead anywhere on the volume that holds the folder, not out of it. */
function boundaryOf(directory: string): string {
  if (!directory.startsWith(`${paths.volumes}/`)) return directory;
  return directory
    .split('/')
    .slice(0, paths.volumes.split('/').length + 1)
    .join('/');
}

function meaning(code: string, action: string): [TrainerError['category'], string] {
  if (action === 'write' || action === 'remove') {
    if (code === 'EACCES' || code === 'EPERM')
      return ['OutputError', 'Let the group of the pod (fsGroup) write to the folder.'];
    return ['OutputError', 'Check that the volume is mounted for writing and has room.'];
  }
  switch (code) {
    case 'ENOENT':
    case 'ENOTDIR':
    case 'EISDIR':
      return ['SourceNotFound', 'Correct the path or the file name, or copy the file to the volume.'];
    case 'EACCES':
    case 'EPERM':
      return ['SourceForbidden', 'Let the user or group of the pod (fsGroup) read the file.'];
    default:
      return ['SourceUnavailable', 'Check the volume and the storage behind it.'];
  }
}
