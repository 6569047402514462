/** The tiers of `npm test`, in the order in which they run, and which test file belongs to which. */
import { globSync } from 'node:fs';
import type { StepName } from './preparation.ts';

export type TierName = 'check' | 'unit' | 'contract' | 'faults' | 'trainer' | 'cluster' | 'e2e';

export type Tier = {
  name: TierName;
  title: string;
  /** What must be built or installed before. */
  needs: readonly StepName[];
  /** Files that run side by side. */
  concurrency: number;
  fileTimeoutSeconds: number;
  /** Shows what the files print while they run: for those that take minutes. */
  live: boolean;
};

export const tiers: readonly Tier[] = [
  {
    name: 'check',
    title: 'format, lint, types, generated files, unused code',
    needs: [],
    concurrency: 1,
    fileTimeoutSeconds: 120,
    live: false,
  },
  {
    name: 'unit',
    title: 'code without a cluster',
    needs: [],
    concurrency: 2,
    fileTimeoutSeconds: 300,
    live: false,
  },
  {
    name: 'contract',
    title: 'CRDs and API access on a real API server',
    needs: ['api-server', 'job-controller'],
    concurrency: 3,
    fileTimeoutSeconds: 900,
    live: false,
  },
  {
    name: 'faults',
    title: 'the operator process under faults, on a real API server',
    needs: ['api-server', 'job-controller'],
    concurrency: 1,
    fileTimeoutSeconds: 1800,
    live: false,
  },
  {
    name: 'trainer',
    title: 'the trainer against figures of PyTorch and transformers',
    needs: ['tensorflow', 's3-server', 'minilm', 'python-peers'],
    concurrency: 2,
    fileTimeoutSeconds: 900,
    live: false,
  },
  {
    name: 'cluster',
    title: 'the embedded cluster itself',
    needs: ['cluster-programs', 'images', 'prometheus'],
    concurrency: 1,
    fileTimeoutSeconds: 900,
    live: true,
  },
  {
    name: 'e2e',
    title: 'the product on the cluster',
    needs: ['cluster-programs', 'images', 'prometheus', 'minilm', 'python-peers'],
    concurrency: 1,
    fileTimeoutSeconds: 6000,
    live: true,
  },
];

/** Tier of a test file, by its path from the root of the repository. */
export function tierOf(path: string): TierName {
  if (path.startsWith('test/e2e/')) return 'e2e';
  // The chart is tried with helm, which is built with the other programs of the cluster.
  if (path.startsWith('test/cluster/') || path.startsWith('test/helm/')) return 'cluster';
  if (path.startsWith('test/faults/')) return 'faults';
  if (path.endsWith('.contract.test.ts')) return 'contract';
  if (path.startsWith('test/trainer-image/') || path.startsWith('test/golden/')) return 'trainer';
  return 'unit';
}

/** Test files below `root` by tier, in alphabetical order. */
export function testFiles(root: string): Map<TierName, string[]> {
  const files = new Map<TierName, string[]>(tiers.map(({ name }) => [name, []]));
  for (const path of globSync('test/**/*.test.ts', { cwd: root }).toSorted())
    files.get(tierOf(path))?.push(path);
  return files;
}

/**
 * The tiers that the arguments name; all of them without arguments.
 * @throws Error on a name that is no tier
 */
export function chosenTiers(args: readonly string[]): Tier[] {
  const names = tiers.map(({ name }) => name);
  for (const arg of args)
    if (!names.includes(arg as TierName))
      throw new Error(`"${arg}" is no tier; there are: ${names.join(', ')}`);
  return tiers.filter(({ name }) => args.length === 0 || args.includes(name));
}
