/** Sees what happens on the API server, with no code of the operator in it: times, phases and writes are counted from here. */
import { createInterface } from 'node:readline';
import { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { Agent, request } from 'undici';
import type { DirectApi } from '../../test/faults/direct-api.ts';

export type Sighting<T> = { type: string; object: T };

export type WitnessOptions = {
  /** Path of the collection, with a selector where one is wanted. */
  path: string;
  /** Only names, labels and times: most of an object is of no interest. */
  metadataOnly?: boolean;
};

/** Passes on each event of a collection that is empty at first, until the signal fires. */
export async function witness<T>(
  { access: { server, ca, cert, key } }: Pick<DirectApi, 'access'>,
  { path, metadataOnly = false }: WitnessOptions,
  onSighting: (sighting: Sighting<T>) => void,
  signal: AbortSignal,
): Promise<void> {
  const dispatcher = new Agent({ connect: { ca, cert, key }, headersTimeout: 0, bodyTimeout: 0 });
  const accept = metadataOnly
    ? 'application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1'
    : 'application/json';
  let version = '0';
  while (!signal.aborted) {
    try {
      const query = `watch=true&allowWatchBookmarks=true&resourceVersion=${version}`;
      const url = `${server}${path}${path.includes('?') ? '&' : '?'}${query}`;
      const { statusCode, body } = await request(url, { dispatcher, signal, headers: { accept } });
      // The server is not ready for watches of this kind yet.
      if (statusCode === 429) {
        await body.dump();
        await sleep(500);
        continue;
      }
      if (statusCode !== 200) throw new Error(`watch ${path}: ${statusCode} ${await body.text()}`);
      for await (const line of createInterface({ input: Readable.from(body) })) {
        const sighting = JSON.parse(line) as Sighting<T & { metadata: { resourceVersion: string } }>;
        if (sighting.type === 'ERROR') throw new Error(`watch ${path}: ${line}`);
        version = sighting.object.metadata.resourceVersion;
        if (sighting.type !== 'BOOKMARK') onSighting(sighting);
      }
    } catch (error) {
      if (!signal.aborted) throw error;
    }
    if (!signal.aborted) await sleep(50);
  }
  await dispatcher.destroy();
}
