import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { TrainerError } from '../failure.ts';

export type Credentials = { accessKeyId: string; secretAccessKey: string; sessionToken?: string };

/** Reads the mounted Secret: one file per key. A line break at the end, as `echo` leaves it, is dropped. */
export async function readCredentials(directory: string, uri: string): Promise<Credentials> {
  const accessKeyId = await readKey(directory, 'accessKeyId');
  const secretAccessKey = await readKey(directory, 'secretAccessKey');
  const sessionToken = await readKey(directory, 'sessionToken');
  const missing = [
    ...(accessKeyId === undefined ? ['accessKeyId'] : []),
    ...(secretAccessKey === undefined ? ['secretAccessKey'] : []),
  ];
  if (accessKeyId === undefined || secretAccessKey === undefined) {
    throw new TrainerError(
      'SourceForbidden',
      `The Secret with the credentials for ${uri} has no ${missing.join(' and no ')}.`,
      'Give the Secret in credentialsSecretRef the keys accessKeyId and secretAccessKey (and sessionToken where used), not empty.',
    );
  }
  return { accessKeyId, secretAccessKey, ...(sessionToken === undefined ? {} : { sessionToken }) };
}

async function readKey(directory: string, key: string): Promise<string | undefined> {
  try {
    const text = (await readFile(join(directory, key), 'utf8')).trim();
    return text === '' ? undefined : text;
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw new TrainerError(
      'SourceForbidden',
      `The file ${join(directory, key)} with the credentials cannot be read: ${code ?? 'unknown error'}.`,
      'Check how the Secret in credentialsSecretRef is mounted.',
    );
  }
}
