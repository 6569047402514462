/**
 * Checkpoints as folders of files below `checkpoints/<runId>/step-<n>/` of the output.
 *
 * Guarantees: a checkpoint counts only with its manifest, which is written last and removed first; every file is
 * compared with the digest in the manifest before it is used; those of another job or config are neither used nor removed.
 * What a save that was cut off has left, a folder without manifest, is removed once there is a newer checkpoint.
 */
import { createHash } from 'node:crypto';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import type { CheckpointRecord } from '../../crds/trainer-contract.ts';
import { TrainerError } from '../failure.ts';
import type { Log } from '../log.ts';
import { uploadFolder } from '../sources/folder.ts';
import { isSafePath, type Source } from '../sources/source.ts';

const manifestName = 'manifest.json';
const maxManifestBytes = 65_536;

const manifestSchema = z.object({
  format: z.literal(1),
  configHash: z.string(),
  step: z.int().min(0),
  time: z.string(),
  metric: z.object({ name: z.string(), value: z.number() }).optional(),
  files: z.array(z.object({ path: z.string().refine(isSafePath), bytes: z.int(), sha256: z.string() })),
});
type Manifest = z.infer<typeof manifestSchema>;
type StoredFile = Manifest['files'][number];

type Saved = { step: number; files: StoredFile[]; metric?: CheckpointRecord['metric'] };

export type StoreOptions = { output: Source; runId: string; configHash: string; keep: number; log: Log };

export class CheckpointStore {
  readonly #options: StoreOptions;
  /** Complete checkpoints of this run, newest first. */
  #records: CheckpointRecord[] = [];
  /** Steps whose folders had no manifest when this pod began, or got none from it. */
  readonly #unfinished = new Set<number>();

  private constructor(options: StoreOptions) {
    this.#options = options;
  }

  /** Looks for the complete checkpoints of this run. */
  static async open(options: StoreOptions): Promise<CheckpointStore> {
    const store = new CheckpointStore(options);
    const entries = await options.output.list(`checkpoints/${options.runId}`);
    const paths = new Set(entries.map(({ path }) => path));
    for (const step of stepsIn(paths)) {
      if (!paths.has(store.#manifestPath(step))) {
        store.#unfinished.add(step);
        continue;
      }
      const found = await store.#readManifest(step);
      if (typeof found === 'string') store.#ignored(step, found);
      else store.#records.push(store.#record(found.manifest, found.digest));
    }
    store.#records.sort((a, b) => b.step - a.step);
    return store;
  }

  records(): CheckpointRecord[] {
    return [...this.#records];
  }

  /**
   * Downloads the newest checkpoint that is whole into `directory`; a torn or damaged one is logged and passed over.
   * @returns its step, or undefined when there is none
   * @throws TrainerError for all that says nothing about the checkpoint, such as a full disk or a refused key
   */
  async downloadNewest(directory: string): Promise<number | undefined> {
    for (const record of this.#records) {
      const problem = await this.#download(record.step, directory);
      if (problem === undefined) return record.step;
      this.#ignored(record.step, problem);
      this.#records = this.#records.filter((other) => other !== record);
    }
    return undefined;
  }

  /**
   * Uploads the files of `directory` as the checkpoint of a step, then removes the oldest ones beyond `keep` and what
   * older saves have left unfinished.
   */
  async upload(directory: string, { step, files, metric }: Saved): Promise<void> {
    const { output, configHash, keep } = this.#options;
    const time = new Date().toISOString();
    const manifest: Manifest = { format: 1, configHash, step, time, files, ...(metric && { metric }) };
    const text = JSON.stringify(manifest);
    await writeFile(join(directory, manifestName), text);
    this.#unfinished.add(step);
    await output.remove(this.#manifestPath(step));
    await uploadFolder(output, directory, this.#folder(step), { last: manifestName });
    this.#unfinished.delete(step);
    const record = this.#record(manifest, digestOf(text));
    const others = this.#records.filter((other) => other.step !== step);
    this.#records = [record, ...others].sort((a, b) => b.step - a.step);
    for (const { step: old } of this.#records.slice(keep)) await this.#remove(old);
    this.#records = this.#records.slice(0, keep);
    await this.#removeUnfinished(step);
  }

  #record({ step, time, metric }: Manifest, digest: string): CheckpointRecord {
    return { step, time, uri: this.#uri(step), digest, ...(metric && { metric }) };
  }

  /**
   * Only what was begun before this pod, or by it, and lies before `newest`, which is complete: a pod on a lost node may
   * still be writing. What such a pod begins later is left to the next attempt; if it does finish a checkpoint of which
   * files were removed here, that one is torn, but older than one that is whole.
   */
  async #removeUnfinished(newest: number): Promise<void> {
    for (const step of this.#unfinished) {
      if (step >= newest) continue;
      if (!(await this.#options.output.exists(this.#manifestPath(step)))) await this.#remove(step);
      this.#unfinished.delete(step);
    }
  }

  async #remove(step: number): Promise<void> {
    const { output } = this.#options;
    await output.remove(this.#manifestPath(step));
    for (const { path } of await output.list(this.#folder(step))) await output.remove(path);
  }

  /** The reason why the checkpoint cannot be used, if there is one. */
  async #download(step: number, directory: string): Promise<string | undefined> {
    const found = await this.#readManifest(step);
    if (typeof found === 'string') return found;
    await rm(directory, { recursive: true, force: true });
    await mkdir(directory, { recursive: true });
    for (const { path, bytes, sha256 } of found.manifest.files) {
      try {
        const got = await this.#options.output.download(
          `${this.#folder(step)}/${path}`,
          join(directory, path),
        );
        if (got.sha256 !== sha256) return `${path} has ${got.bytes} bytes with another digest, want ${bytes}`;
      } catch (error) {
        return damageIn(error);
      }
    }
    return undefined;
  }

  /** The manifest of a checkpoint of this job and config, or the reason why the checkpoint cannot be used. */
  async #readManifest(step: number): Promise<{ manifest: Manifest; digest: string } | string> {
    const { output, configHash } = this.#options;
    let text: string;
    try {
      const { bytes } = await output.readRange(this.#manifestPath(step), 0, maxManifestBytes);
      text = Buffer.from(bytes).toString();
    } catch (error) {
      // Another pod of this run may remove old checkpoints at any time.
      return `its manifest is gone or cut: ${damageIn(error)}`;
    }
    const parsed = manifestSchema.safeParse(jsonOrUndefined(text));
    if (!parsed.success) return 'its manifest cannot be read';
    if (parsed.data.configHash !== configHash)
      return 'it belongs to another job or to other settings or data';
    return { manifest: parsed.data, digest: digestOf(text) };
  }

  #ignored(step: number, problem: string): void {
    this.#options.log.warn('checkpoint ignored', { uri: this.#uri(step), problem });
  }

  #folder(step: number): string {
    return `checkpoints/${this.#options.runId}/step-${String(step).padStart(8, '0')}`;
  }

  #manifestPath(step: number): string {
    return `${this.#folder(step)}/${manifestName}`;
  }

  #uri(step: number): string {
    return `${this.#options.output.uri}/${this.#folder(step)}`;
  }
}

/** Steps of which there is a file; a folder with another name than ours comes to a step without files. */
function stepsIn(paths: Iterable<string>): Set<number> {
  const matches = [...paths].map((path) => /\/step-(\d+)\//.exec(path)?.[1]);
  return new Set(matches.filter((digits) => digits !== undefined).map(Number));
}

/**
 * What an error proves against the checkpoint itself: a file of it is missing or cut. Any other one is thrown on: a disk
 * without room or a key that is refused would otherwise begin the run anew.
 */
function damageIn(error: unknown): string {
  if (!(error instanceof TrainerError)) throw error;
  if (error.category !== 'SourceNotFound' && error.category !== 'DataError') throw error;
  return error.message;
}

const digestOf = (text: string) => `sha256:${createHash('sha256').update(text).digest('hex')}`;

function jsonOrUndefined(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
