import { existsSync, readFileSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Addresses } from './addresses.ts';
import { clustersDirectory } from './cache.ts';
import { run } from './command.ts';
import { mountPoints } from './namespaces.ts';

/** Settings of the whole machine that a cluster needs: forwarding, and those the kubelet sets for itself. */
const settings = [
  'net/ipv4/ip_forward',
  'vm/overcommit_memory',
  'vm/panic_on_oom',
  'kernel/panic',
  'kernel/panic_on_oops',
  'kernel/keys/root_maxkeys',
  'kernel/keys/root_maxbytes',
];

function savedSettings(): string {
  return join(clustersDirectory(), 'host-settings.json');
}

/** Notes the machine's settings before the first cluster changes them. Call under the clusters' lock. */
export function saveHostSettings(): void {
  if (existsSync(savedSettings())) return;
  const values = settings.map((name) => [name, readFileSync(`/proc/sys/${name}`, 'utf8').trim()]);
  writeFileSync(savedSettings(), JSON.stringify(Object.fromEntries(values)));
}

/**
 * After the last cluster: puts the settings back and removes the empty mount points. Not earlier: removing a folder on
 * which another cluster has mounted something would take that mount away. Call under the clusters' lock.
 */
export function restoreHost(): void {
  if (!existsSync(savedSettings())) return;
  const values = JSON.parse(readFileSync(savedSettings(), 'utf8')) as Record<string, string>;
  for (const [name, value] of Object.entries(values)) writeFileSync(`/proc/sys/${name}`, value);
  for (const directory of mountPoints) removeIfEmpty(directory);
  rmSync(savedSettings());
}

function removeIfEmpty(directory: string): void {
  try {
    rmdirSync(directory);
  } catch (error) {
    if (!['ENOTEMPTY', 'ENOENT', 'EBUSY'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
  }
}

/**
 * Joins the node's network to the host's: one link, routes to pods and services, and address translation for what
 * leaves the machine. All of it but the nftables table goes away with the node's namespace.
 */
export async function connectNode(addresses: Addresses, nodePid: number): Promise<void> {
  const { link, host, node, podCidr, serviceCidr } = addresses;
  await run('ip', ['link', 'add', link, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', String(nodePid)]);
  await run('ip', ['address', 'add', `${host}/24`, 'dev', link]);
  await run('ip', ['link', 'set', link, 'up']);
  const inside = ['--net', '--target', String(nodePid)];
  const commands = [
    'link set lo up',
    `address add ${node}/24 dev eth0`,
    'link set eth0 up',
    `route add default via ${host}`,
  ];
  await run('nsenter', [...inside, 'ip', '-batch', '-'], { input: commands.join('\n') });
  await run('nsenter', [...inside, 'sh', '-c', 'echo 1 > /proc/sys/net/ipv4/ip_forward']);
  await run('ip', ['route', 'replace', podCidr, 'via', node]);
  await run('ip', ['route', 'replace', serviceCidr, 'via', node]);
  writeFileSync('/proc/sys/net/ipv4/ip_forward', '1');
  await translateOutgoing(addresses);
}

async function translateOutgoing({ link, nodeCidr, podCidr }: Addresses): Promise<void> {
  const table = `ip ${link}`;
  const rules = `
    add table ${table}
    delete table ${table}
    add table ${table}
    add chain ${table} outgoing { type nat hook postrouting priority srcnat; }
    add rule ${table} outgoing ip saddr { ${nodeCidr}, ${podCidr} } oifname != "${link}" masquerade
  `;
  await run('nft', ['-f', '-'], { input: rules });
}

/** Removes what `connectNode` made; what is gone already is fine. */
export async function disconnectNode({ link }: Addresses): Promise<void> {
  await run('ip', ['link', 'delete', link], { allowFailure: true });
  await run('nft', ['delete', 'table', 'ip', link], { allowFailure: true });
}
