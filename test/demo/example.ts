/** The examples as a user would adapt them: only the address of the S3 server changes. */
import { readFileSync } from 'node:fs';
import { parse } from 'yaml';

/** A FineTuneJob of examples/, as an object. */
export function readExample(file: string): object {
  return parse(readFileSync(new URL(`../../examples/${file}`, import.meta.url), 'utf8')) as object;
}

/** The manifest with `endpoint` in place of every endpoint. */
export function withEndpoint<T extends object>(manifest: T, endpoint: string): T {
  return JSON.parse(
    JSON.stringify(manifest, (key, value: unknown) => (key === 'endpoint' ? endpoint : value)),
  ) as T;
}
