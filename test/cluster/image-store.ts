import { existsSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from './command.ts';
import { withLock } from './lock.ts';
import { waitFor } from './wait.ts';

/** Runs containerd's `ctr` on the node, in the namespace that Kubernetes uses. */
export type Ctr = (args: string[], timeoutMs?: number) => Promise<string>;

type StoreOptions = {
  /** Where the order of loading is kept. */
  directory: string;
  snapshotter: string;
  /** Makes the archive visible to `ctr` for the time of `work`, when the node does not see the machine's files. */
  withArchive?: (archive: string, work: (path: string) => Promise<void>) => Promise<void>;
};

const KEPT_PER_REPOSITORY = 3;

/** The images of one node's containerd. */
export class ImageStore {
  readonly #ctr: Ctr;
  readonly #options: StoreOptions;

  constructor(ctr: Ctr, options: StoreOptions) {
    this.#ctr = ctr;
    this.#options = options;
  }

  /**
   * Loads an image from an OCI archive under one reference. Does nothing when the reference has this very image.
   * Of one repository only the images loaded last are kept: a tag per build would fill the disk.
   * Throws when the archive is not an OCI archive of exactly one image.
   */
  async load(archive: string, reference: string): Promise<void> {
    const digest = await archiveDigest(archive);
    const name = canonicalReference(reference);
    if ((await this.#images()).get(name) === digest) return;
    await mkdir(this.#options.directory, { recursive: true });
    const lock = join(this.#options.directory, 'load.lock');
    await withLock(
      lock,
      () => {},
      async () => {
        await this.#import(archive, name, digest);
        await this.#forgetOld(name);
      },
    );
  }

  async #import(archive: string, name: string, digest: string): Promise<void> {
    const before = await this.#images();
    const options = [
      '--base-name',
      'finetune-import',
      '--digests',
      '--snapshotter',
      this.#options.snapshotter,
    ];
    const place = this.#options.withArchive ?? ((path, work) => work(path));
    await place(archive, async (path) => {
      await this.#ctr(['images', 'import', ...options, path], 900_000);
    });
    // What name the archive gave itself does not matter; only the digest and the name we were told do.
    const added = [...(await this.#images())].filter(([key]) => !before.has(key));
    const source = added.find(([, found]) => found === digest)?.[0];
    if (!source) throw new Error(`${archive}: containerd did not import ${digest}`);
    if (source !== name) await this.#ctr(['images', 'tag', '--force', source, name]);
    const unwanted = added.map(([key]) => key).filter((key) => key !== name && !isIdentity(key));
    if (unwanted.length > 0) await this.#ctr(['images', 'rm', ...unwanted]);
    // The kubelet asks containerd's CRI half, which learns of a new image a moment after it is there.
    await waitFor(
      `label of image ${name}`,
      async () => (await this.#ctr(['images', 'ls', `name==${name}`])).includes('io.cri-containerd'),
      { timeoutMs: 10_000 },
    );
  }

  async #forgetOld(name: string): Promise<void> {
    const file = join(this.#options.directory, 'load-order.json');
    const loaded = existsSync(file) ? (JSON.parse(await readFile(file, 'utf8')) as string[]) : [];
    const order = [...loaded.filter((entry) => entry !== name), name];
    const repository = repositoryOf(name);
    const old = order.filter((entry) => repositoryOf(entry) === repository).slice(0, -KEPT_PER_REPOSITORY);
    if (old.length > 0) await this.#remove(old);
    await writeFile(file, JSON.stringify(order.filter((entry) => !old.includes(entry))));
  }

  /** Removes names, and the runtime's own entries for images that then have no name: those would keep the content. */
  async #remove(names: string[]): Promise<void> {
    const rest = new Map([...(await this.#images())].filter(([key]) => !names.includes(key)));
    const named = new Set([...rest].filter(([key]) => !isIdentity(key)).map(([, digest]) => digest));
    const nameless = [...rest].filter(([, digest]) => !named.has(digest)).map(([key]) => key);
    await this.#ctr(['images', 'rm', ...names, ...nameless]);
  }

  /** Image names and the digests they stand for. */
  async #images(): Promise<Map<string, string>> {
    const lines = (await this.#ctr(['images', 'ls'])).trim().split('\n').slice(1);
    return new Map(lines.map((line) => line.split(/\s+/)).map(([name, , digest]) => [name!, digest!]));
  }
}

/** containerd's CRI half keeps every image a second time, under the digest of its configuration. */
function isIdentity(name: string): boolean {
  return name.startsWith('sha256:');
}

async function archiveDigest(archive: string): Promise<string> {
  // The name in the archive depends on the program that wrote it.
  const text =
    (await run('tar', ['-xOf', archive, 'index.json'], { allowFailure: true })) ||
    (await run('tar', ['-xOf', archive, './index.json']));
  const { manifests } = JSON.parse(text) as { manifests: { digest: string }[] };
  if (manifests.length !== 1) throw new Error(`${archive} holds ${manifests.length} images, not one`);
  return manifests[0]!.digest;
}

/** The full form of an image reference, under which containerd looks it up: `a:1` means docker.io/library/a:1. */
export function canonicalReference(reference: string): string {
  const first = reference.split('/')[0]!;
  const slashes = reference.includes('/');
  const hasHost = slashes && (first.includes('.') || first.includes(':') || first === 'localhost');
  const named = hasHost ? reference : `docker.io/${slashes ? '' : 'library/'}${reference}`;
  return repositoryOf(named) === named ? `${named}:latest` : named;
}

/** A reference without its tag or digest. The port of a registry's host looks like a tag but stands before a slash. */
function repositoryOf(reference: string): string {
  const slash = reference.lastIndexOf('/');
  return reference.slice(0, slash + 1) + reference.slice(slash + 1).split(/[:@]/)[0];
}
