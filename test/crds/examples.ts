/** The objects in examples/. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import type { KubeObject } from './objects.ts';

const folder = join(import.meta.dirname, '../../examples');

/** File name -> its documents. Throws on anything that is not YAML. */
export function exampleObjects(): Map<string, KubeObject[]> {
  const files = readdirSync(folder).filter((file) => file.endsWith('.yaml'));
  return new Map(
    files.map((file) => [
      file,
      parseAllDocuments(readFileSync(join(folder, file), 'utf8')).map((document) => {
        if (document.errors[0]) throw document.errors[0];
        return document.toJS() as KubeObject;
      }),
    ]),
  );
}
