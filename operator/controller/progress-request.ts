/** Asks one trainer for its progress. The answer is a stranger's: bounded in time and size, and checked. */
import { isIPv6 } from 'node:net';
import { type Dispatcher, request } from 'undici';
import { httpPort, maxProgressBytes, type Progress, progress } from '../../crds/trainer-contract.ts';

export type PollTarget = { jobUid: string; runId: string; podUid: string; ip: string };

/**
 * unreachable: no answer in time. refused: another status than 200. toolarge: more bytes than the contract allows.
 * invalid: not JSON or not the schema. stranger: another job, run or pod speaks, for example on a re-used address.
 */
export type PollFailure = 'unreachable' | 'refused' | 'toolarge' | 'invalid' | 'stranger';
export type PollAnswer = { ok: true; value: Progress } | { ok: false; why: PollFailure; detail: string };

export type RequestOptions = { dispatcher: Dispatcher; timeoutMs?: number; port?: number };

const failed = (why: PollFailure, detail: string): PollAnswer => ({ ok: false, why, detail });

/** Never throws. */
export async function askProgress(
  { jobUid, runId, podUid, ip }: PollTarget,
  { dispatcher, timeoutMs = 3000, port = httpPort }: RequestOptions,
): Promise<PollAnswer> {
  const url = `http://${isIPv6(ip) ? `[${ip}]` : ip}:${port}/progress`;
  let text: string | undefined;
  try {
    const signal = AbortSignal.timeout(timeoutMs);
    const { statusCode, body } = await request(url, {
      dispatcher,
      signal,
      headers: { accept: 'application/json' },
    });
    if (statusCode !== 200) {
      body.destroy();
      body.on('error', () => {});
      return failed('refused', `status ${statusCode}`);
    }
    text = await readBounded(body, maxProgressBytes);
  } catch (error) {
    return failed('unreachable', error instanceof Error ? error.message : String(error));
  }
  if (text === undefined) return failed('toolarge', `more than ${maxProgressBytes} bytes`);
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return failed('invalid', 'not JSON');
  }
  const parsed = progress.safeParse(json);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    return failed('invalid', `${issue?.path.join('.')}: ${issue?.message}`.slice(0, 200));
  }
  const { data } = parsed;
  if (data.jobUid !== jobUid || data.runId !== runId || data.podUid !== podUid) {
    return failed('stranger', 'another job, run or pod answered');
  }
  return { ok: true, value: data };
}

/** The body as text; undefined = it is longer than `maxBytes`. */
async function readBounded(body: AsyncIterable<Uint8Array>, maxBytes: number): Promise<string | undefined> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of body) {
    bytes += chunk.length;
    if (bytes > maxBytes) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}
