/** Answers to the operator: whole, in part, or made up. */
import type { ServerResponse } from 'node:http';
import type { OpenFault, WriteFault } from './faults.ts';

export type Answer = { status: number; headers: NodeJS.Dict<string | string[]>; body: Buffer };

export function reply(response: ServerResponse, { status, headers, body }: Answer): void {
  const { connection: _, 'transfer-encoding': __, ...kept } = headers;
  response.writeHead(status, { ...kept, 'content-length': body.length }).end(body);
}

/** The head of the answer promises more than comes. */
export function half(response: ServerResponse, { status, headers, body }: Answer): void {
  const { connection: _, 'transfer-encoding': __, ...kept } = headers;
  response.writeHead(status, { ...kept, 'content-length': body.length + 1 });
  response.write(body.subarray(0, Math.ceil(body.length / 2)), () => response.socket?.resetAndDestroy());
}

const reasons: Record<string, string> = {
  '409': 'Conflict',
  '410': 'Expired',
  '429': 'TooManyRequests',
  '500': 'InternalError',
  '503': 'ServiceUnavailable',
};

/** Answers without having asked the API server. */
export function misbehave(how: WriteFault | OpenFault, response: ServerResponse): void {
  const reason = reasons[how];
  if (reason !== undefined) {
    const code = Number(how);
    const status = {
      kind: 'Status',
      apiVersion: 'v1',
      status: 'Failure',
      reason,
      code,
      message: 'by the fault proxy',
    };
    const retry = code === 429 || code === 503 ? { 'retry-after': '1' } : {};
    response.writeHead(code, { 'content-type': 'application/json', ...retry }).end(JSON.stringify(status));
  } else if (how === 'reset') response.socket?.resetAndDestroy();
  else if (how === 'close') response.socket?.end();
}
