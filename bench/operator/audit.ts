/** Requests as the API server counts them: its audit log, of some accounts alone. */
import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';

export type Account = { name: string; namespace: string };

const userOf = ({ name, namespace }: Account) => `system:serviceaccount:${namespace}:${name}`;

/** @param accounts whose requests are logged */
export function auditPolicy(accounts: readonly Account[]): string {
  return JSON.stringify({
    apiVersion: 'audit.k8s.io/v1',
    kind: 'Policy',
    omitStages: ['RequestReceived'],
    rules: [{ level: 'Metadata', users: accounts.map(userOf) }, { level: 'None' }],
  });
}

type Entry = {
  auditID: string;
  verb: string;
  user: { username: string };
  objectRef?: { resource?: string; subresource?: string };
  responseStatus?: { code?: number };
};

/** "verb resource" -> requests. Reviews of its own rights, discovery and the like have no resource and the path stays out. */
export async function requestsOf(file: string, account: Account): Promise<Map<string, number>> {
  const username = userOf(account);
  const counted = new Set<string>();
  const counts = new Map<string, number>();
  for await (const line of createInterface({ input: createReadStream(file) })) {
    const { auditID, verb, user, objectRef } = JSON.parse(line) as Entry;
    // A watch is logged at its start and at its end.
    if (user.username !== username || counted.has(auditID)) continue;
    counted.add(auditID);
    const { resource = 'other', subresource } = objectRef ?? {};
    const what = `${verb} ${resource}${subresource === undefined ? '' : `/${subresource}`}`;
    counts.set(what, (counts.get(what) ?? 0) + 1);
  }
  return counts;
}
