/** Hands the events of a watch on, line by line, until one of them is where a fault strikes. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createInterface } from 'node:readline';
import type { EventFault } from './faults.ts';

type Options = {
  answer: IncomingMessage;
  response: ServerResponse;
  /** Asked once for each event that is no bookmark. */
  faultOf: (line: string) => EventFault | undefined;
  /** What a delay held has been handed on. */
  released: () => void;
};

/** For how long events are held or hidden. */
const heldMs = 1000;

const errorEvent = (code: number, reason: string) => {
  const object = {
    kind: 'Status',
    apiVersion: 'v1',
    status: 'Failure',
    code,
    reason,
    message: 'by the fault proxy',
  };
  return `${JSON.stringify({ type: 'ERROR', object })}\n`;
};
const gone = errorEvent(410, 'Expired');

export function relay({ answer, response, faultOf, released }: Options): void {
  response.writeHead(answer.statusCode ?? 502, { 'content-type': answer.headers['content-type'] ?? '' });
  response.flushHeaders();
  const lines = createInterface({ input: answer });
  /** What becomes of a line; replaced when a fault strikes. */
  let take = (line: string): void => {
    const isEvent = answer.statusCode === 200 && !line.startsWith('{"type":"BOOKMARK"');
    const how = isEvent ? faultOf(line) : undefined;
    if (how === undefined) response.write(`${line}\n`);
    else take = strike(how, line, { response, released });
  };
  lines.on('line', (line) => take(line));
  lines.on('close', () => response.end());
  // What breaks the answer comes out here.
  lines.on('error', () => response.destroy());
}

/** Misbehaves at `line`; what is returned takes the lines after it. */
function strike(
  how: EventFault,
  line: string,
  { response, released }: Pick<Options, 'response' | 'released'>,
): (line: string) => void {
  const nothing = () => {};
  switch (how) {
    case 'delay': {
      const held = [line];
      let take = (next: string): void => void held.push(next);
      setTimeout(() => {
        for (const each of held) response.write(`${each}\n`);
        take = (next) => response.write(`${next}\n`);
        released();
      }, heldMs);
      return (next) => take(next);
    }
    case 'window':
      setTimeout(() => response.end(gone), heldMs);
      return nothing;
    case 'half-line':
      response.write(line.slice(0, line.length / 2), () => response.destroy());
      return nothing;
    case 'reset':
      response.socket?.resetAndDestroy();
      return nothing;
    case 'close':
      response.end();
      return nothing;
    case 'gone':
      response.end(gone);
      return nothing;
    case 'error':
      response.end(errorEvent(500, 'InternalError'));
      return nothing;
    case 'silence':
      return nothing;
  }
}
