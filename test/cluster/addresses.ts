import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { clustersDirectory } from './cache.ts';
import { run } from './command.ts';

/** Addresses of one cluster. All that it listens on is its own, so clusters side by side share no port. */
export type Addresses = {
  slot: number;
  /** Host's end of the link to the node, and its name there. */
  host: string;
  link: string;
  node: string;
  nodeCidr: string;
  podCidr: string;
  serviceCidr: string;
  /** The Service `kubernetes`: always the first address of the range. */
  apiService: string;
};

/** Slots run from 0 to 199. */
export function addressesOf(slot: number): Addresses {
  return {
    slot,
    host: `10.245.${slot}.1`,
    link: `finetune${slot}`,
    node: `10.245.${slot}.2`,
    nodeCidr: `10.245.${slot}.0/24`,
    podCidr: `10.244.${slot}.0/24`,
    serviceCidr: `10.96.${slot}.0/24`,
    apiService: `10.96.${slot}.1`,
  };
}

/** The slot a cluster holds, or undefined. */
export function slotOf(directory: string): number | undefined {
  try {
    return (JSON.parse(readFileSync(join(directory, 'cluster.json'), 'utf8')) as { slot: number }).slot;
  } catch {
    return undefined;
  }
}

/** Smallest slot that no other cluster holds and whose networks the host does not know. Call under the clusters' lock. */
export async function freeSlot(): Promise<number> {
  const held = new Set(
    readdirSync(clustersDirectory()).map((name) => slotOf(join(clustersDirectory(), name))),
  );
  const routes = JSON.parse(await run('ip', ['-json', '-4', 'route', 'show', 'table', 'all'])) as {
    dst: string;
  }[];
  // Very wide routes (a company's 10.0.0.0/8) lose against our /24 and may stay.
  const taken = routes.map(({ dst }) => dst).filter((dst) => /^[\d.]+(\/\d+)?$/.test(dst) && prefix(dst) > 8);
  for (let slot = 0; slot < 200; slot++) {
    const { nodeCidr, podCidr, serviceCidr } = addressesOf(slot);
    const clash = [nodeCidr, podCidr, serviceCidr].some((mine) =>
      taken.some((theirs) => overlap(mine, theirs)),
    );
    if (!clash && !held.has(slot)) return slot;
  }
  throw new Error('no free addresses: all of 10.245.0.0/16, 10.244.0.0/16 or 10.96.0.0/16 is routed already');
}

/** Whether two IPv4 networks in CIDR form share an address. */
export function overlap(a: string, b: string): boolean {
  const mask = maskOf(Math.min(prefix(a), prefix(b)));
  return (number(a) & mask) === (number(b) & mask);
}

function prefix(cidr: string): number {
  return Number(cidr.split('/')[1] ?? 32);
}

function maskOf(bits: number): number {
  return bits === 0 ? 0 : -1 << (32 - bits);
}

function number(cidr: string): number {
  return cidr
    .split('/')[0]!
    .split('.')
    .reduce((sum, part) => (sum << 8) | Number(part), 0);
}
