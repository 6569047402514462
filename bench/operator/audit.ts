/** Requests as the API server counts them: its audit log, of the operator's account alone. */
import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';

/** @param user name of the account whose requests are logged */
export function auditPolicy(user: string): string {
  return JSON.stringify({
    apiVersion: 'audit.k8s.io/v1',
    kind: 'Policy',
    omitStages: ['RequestReceived'],
    rules: [{ level: 'Metadata', users: [user] }, { level: 'None' }],
  });
}

type Entry = {
  auditID: string;
  verb: string;
  objectRef?: { resource?: string; subresource?: string };
  responseStatus?: { code?: number };
};

/** "verb resource" -> requests. Reviews of its own rights, discovery and the like have no resource and the path stays out. */
export async function requestsOf(file: string): Promise<Map<string, number>> {
  const counted = new Set<string>();
  const counts = new Map<string, number>();
  for await (const line of createInterface({ input: createReadStream(file) })) {
    const { auditID, verb, objectRef } = JSON.parse(line) as Entry;
    // A watch is logged at its start and at its end.
    if (counted.has(auditID)) continue;
    counted.add(auditID);
    const { resource = 'other', subresource } = objectRef ?? {};
    const what = `${verb} ${resource}${subresource === undefined ? '' : `/${subresource}`}`;
    counts.set(what, (counts.get(what) ?? 0) + 1);
  }
  return counts;
}
