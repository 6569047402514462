import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Progress } from '../../../crds/trainer-contract.ts';

/** An HTTP server where a trainer should be; `answer` may do what it likes. */
export class TrainerStub {
  #answer: RequestListener = (_, response) => response.end();
  readonly #server = createServer((request, response) => {
    this.asked++;
    this.#answer(request, response);
  });
  asked = 0;
  /** So many were opened. */
  connections = 0;

  async start(host = '127.0.0.1'): Promise<number> {
    this.#server.on('connection', () => this.connections++);
    await new Promise<void>((resolve) => this.#server.listen(0, host, resolve));
    return (this.#server.address() as AddressInfo).port;
  }

  set answer(answer: RequestListener) {
    this.#answer = answer;
  }

  set body(body: string) {
    this.#answer = (_, response) => response.end(body);
  }

  stop(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }
}

export const identity = { jobUid: 'job-uid', runId: '1', podUid: 'pod-uid' };

export function progressAt(step: number, changes: Partial<Progress> = {}): Progress {
  return {
    contractVersion: 1,
    ...identity,
    phase: 'Training',
    step,
    totalSteps: 100,
    epoch: step / 50,
    trainLoss: 2 - step / 100,
    trainSeconds: step,
    trainedTokens: step * 1000,
    history: [[step, 2, null]],
    checkpoints: [],
    ...changes,
  };
}
