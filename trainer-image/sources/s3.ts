import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import {
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  type S3Client,
} from '@aws-sdk/client-s3';
import { Upload } from '@aws-sdk/lib-storage';
import { TrainerError } from '../failure.ts';
import { localFailure } from './local-failure.ts';
import { createClient, idleTimeoutMs, maxAttempts, type S3Location } from './s3-client.ts';
import { s3Failure } from './s3-failure.ts';
import type { FileEntry, Source } from './source.ts';
import { refuseTooMany, saveFile, truncated, withIdleTimeout } from './transfer.ts';

/** Parts of an upload. S3 allows 10,000 parts, so files may have up to 320 GB; two parts are in memory at a time. */
const partBytes = 32 * 1024 * 1024;
const partsAtOnce = 2;

/** A folder in a bucket. Path-style requests, signed only when a credentials folder is given. */
export async function openS3(location: S3Location): Promise<Source> {
  return new S3Source(location, await createClient(location));
}

class S3Source implements Source {
  readonly uri: string;
  readonly placesLinks = false;
  readonly #location: S3Location;
  readonly #client: S3Client;

  constructor(location: S3Location, client: S3Client) {
    this.uri = location.uri;
    this.#location = location;
    this.#client = client;
  }

  async list(folder?: string): Promise<FileEntry[]> {
    const prefix = [this.#location.prefix, folder ?? ''].filter((part) => part !== '').join('/');
    const start = this.#location.prefix === '' ? 0 : this.#location.prefix.length + 1;
    const entries: FileEntry[] = [];
    let token: string | undefined;
    do {
      const page = await this.#try('list', prefix === '' ? undefined : `${prefix}/`, () =>
        this.#client.send(
          new ListObjectsV2Command({
            Bucket: this.#location.bucket,
            Prefix: prefix === '' ? '' : `${prefix}/`,
            ContinuationToken: token,
          }),
        ),
      );
      for (const { Key: key, Size: bytes } of page.Contents ?? []) {
        if (key !== undefined && !key.endsWith('/'))
          entries.push({ path: key.slice(start), bytes: bytes ?? 0 });
      }
      refuseTooMany(entries.length, this.uri);
      token = page.IsTruncated === true ? page.NextContinuationToken : undefined;
    } while (token !== undefined);
    return entries.sort((a, b) => (a.path < b.path ? -1 : 1));
  }

  /** By listing, not by HEAD: its answers have no body, so a refused key would look like a missing object. */
  async exists(path: string): Promise<boolean> {
    const key = this.#key(path);
    const page = await this.#try('look for', key, () =>
      this.#client.send(new ListObjectsV2Command({ Bucket: this.#location.bucket, Prefix: key, MaxKeys: 1 })),
    );
    return page.Contents?.[0]?.Key === key;
  }

  async download(path: string, file: string): Promise<{ bytes: number; sha256: string }> {
    return saveFile(file, this.#content(path));
  }

  /** A connection that breaks in the middle goes on where it stopped, as long as the object is the same. */
  async *#content(path: string): AsyncGenerator<Buffer> {
    const key = this.#key(path);
    let done = 0;
    let size: number | undefined;
    let etag: string | undefined;
    let breaks = 0;
    while (size === undefined || done < size) {
      const answer = await this.#try('read', key, () =>
        this.#client.send(
          new GetObjectCommand({
            Bucket: this.#location.bucket,
            Key: key,
            ...(done === 0 ? {} : { Range: `bytes=${done}-`, IfMatch: etag }),
          }),
        ),
      );
      size ??= answer.ContentLength ?? 0;
      etag ??= answer.ETag;
      try {
        for await (const chunk of withIdleTimeout(answer.Body as Readable, idleTimeoutMs)) {
          done += chunk.length;
          yield chunk;
        }
        if (done !== size) throw truncated(this.uri, path, done, size);
      } catch (error) {
        breaks += 1;
        if (error instanceof TrainerError) throw error;
        if (breaks === maxAttempts) {
          throw new TrainerError(
            'SourceUnavailable',
            `The connection to ${this.#location.endpoint} broke ${breaks} times while "${key}" was read; ${done} of ${size} bytes arrived.`,
            'Check the network between the pod and the server; the run is tried again within spec.retry.limit.',
            { cause: error },
          );
        }
      }
    }
  }

  async place(path: string, file: string): Promise<void> {
    await this.download(path, file);
  }

  async readRange(path: string, start: number, length: number): Promise<{ bytes: Uint8Array; size: number }> {
    const key = this.#key(path);
    const { bucket: Bucket } = this.#location;
    return this.#try('read', key, async () => {
      try {
        const answer = await this.#client.send(
          new GetObjectCommand({ Bucket, Key: key, Range: `bytes=${start}-${start + length - 1}` }),
        );
        const bytes = (await answer.Body?.transformToByteArray()) ?? new Uint8Array(0);
        const size = Number(answer.ContentRange?.split('/')[1] ?? bytes.length);
        const want = Math.min(length, size - start);
        if (bytes.length !== want) throw truncated(this.uri, path, bytes.length, want);
        return { bytes, size };
      } catch (error) {
        // A range that starts behind the end, in an empty file for example.
        if ((error as Error).name !== 'InvalidRange') throw error;
        const head = await this.#client.send(new HeadObjectCommand({ Bucket, Key: key }));
        return { bytes: new Uint8Array(0), size: head.ContentLength ?? 0 };
      }
    });
  }

  /** In parts where the file is larger than one: no file is ever held in memory. */
  async upload(file: string, path: string): Promise<void> {
    const key = this.#key(path);
    await stat(file).catch((error) => Promise.reject(localFailure(error, 'read', file)));
    await this.#try('write', key, () =>
      new Upload({
        client: this.#client,
        params: { Bucket: this.#location.bucket, Key: key, Body: createReadStream(file) },
        partSize: partBytes,
        queueSize: partsAtOnce,
      }).done(),
    );
  }

  async remove(path: string): Promise<void> {
    const key = this.#key(path);
    await this.#try('remove', key, () =>
      this.#client.send(new DeleteObjectCommand({ Bucket: this.#location.bucket, Key: key })),
    );
  }

  #key(path: string): string {
    return this.#location.prefix === '' ? path : `${this.#location.prefix}/${path}`;
  }

  async #try<T>(action: string, key: string | undefined, request: () => Promise<T>): Promise<T> {
    try {
      return await request();
    } catch (error) {
      throw this.#failure(action, key, error);
    }
  }

  #failure(action: string, key: string | undefined, error: unknown): TrainerError {
    const { endpoint, bucket, region, credentialsDirectory } = this.#location;
    return s3Failure(error, {
      action,
      endpoint,
      bucket,
      region,
      key,
      signed: credentialsDirectory !== undefined,
    });
  }
}
