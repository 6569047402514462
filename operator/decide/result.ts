/** Reads a termination message, which anything may have written. */
import { maxTerminationBytes, type Result, result } from '../../crds/trainer-contract.ts';
import { fitsStatus } from './report.ts';

export type Identity = { jobUid: string; runId: string; podUid: string };

/** A result that this pod gave for this run, or why the message is none; `text` is what it said instead. */
export type Reading = { result: Result } | { problem: string; text: string };

export function readResult(message: string | undefined, identity: Identity): Reading {
  const text = message ?? '';
  if (text.trim() === '') return { problem: 'it left no message', text: '' };
  if (Buffer.byteLength(text) > maxTerminationBytes) {
    return { problem: `its message is longer than ${maxTerminationBytes} bytes`, text };
  }
  const parsed = result.safeParse(parseJson(text));
  if (!parsed.success) return { problem: 'its message is no result', text };
  const { jobUid, runId, podUid } = parsed.data;
  if (jobUid !== identity.jobUid || runId !== identity.runId || podUid !== identity.podUid) {
    return { problem: 'its message belongs to another run or pod', text };
  }
  if (!fitsStatus(parsed.data)) return { problem: 'its message holds impossible values', text };
  return { result: parsed.data };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
