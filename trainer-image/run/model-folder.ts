import { readdir } from 'node:fs/promises';
import { exportedFiles } from '../model/export.ts';
import { uploadFolder } from '../sources/folder.ts';
import type { Source } from '../sources/source.ts';

/** Without it nothing loads the folder, so it is there only while all other files are of one model. */
const opensModel = 'config.json';

/**
 * Puts the exported model in `directory` into `folder` of the output, in place of the one of an earlier run: what only
 * that one had, such as added_tokens.json, would be read with the new weights. Files of others stay.
 */
export async function replaceModel(output: Source, directory: string, folder: string): Promise<void> {
  const present = await readdir(directory);
  await output.remove(`${folder}/${opensModel}`);
  for (const name of exportedFiles) {
    if (!present.includes(name)) await output.remove(`${folder}/${name}`);
  }
  await uploadFolder(output, directory, folder, { last: opensModel });
}
