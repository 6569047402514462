/** The cache outside the checkout: everything that is slow to make is made once and keyed by what made it. */
import { homedir } from 'node:os';
import { join } from 'node:path';

/** Root of the cache; FINETUNE_CACHE overrides it. */
export function cacheDirectory(...parts: string[]): string {
  return join(process.env['FINETUNE_CACHE'] ?? join(homedir(), '.cache', 'finetune-operator'), ...parts);
}
