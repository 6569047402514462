/** Model and data of the demo on an S3 server. */
import type { Buckets } from '../e2e/platform.ts';
import { miniLmDirectory } from '../golden/minilm.ts';
import { asJsonLines, emailSplits } from './emails.ts';

/** E-mails of each split; enough to pass 96 % with room to spare in the few minutes of a demo on two cores. */
export const demoCounts = { train: 2400, validation: 160, test: 320 };

/** Uploads MiniLM to models/minilm and the e-mails to datasets/emails. */
export async function demoEmails(buckets: Buckets): Promise<void> {
  for (const bucket of ['models', 'datasets', 'results']) await buckets.create(bucket);
  await buckets.putFolder('models', 'minilm', await miniLmDirectory());
  for (const [split, rows] of Object.entries(await emailSplits(demoCounts))) {
    await buckets.put('datasets', `emails/${split}.jsonl`, asJsonLines(rows));
  }
}
