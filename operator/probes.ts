/** The HTTP server for the kubelet and for Prometheus. It never asks the API server. */
import { createServer, type Server } from 'node:http';
import { pipeline } from 'node:stream/promises';

export type ProbeAnswers = {
  /** What is stuck; empty = healthy. */
  stuck: () => string[];
  /** What is not ready yet; empty = ready. */
  missing: () => string[];
  /** Text for Prometheus, in pieces. */
  metrics: () => AsyncIterable<string>;
};

async function answer(path: string, answers: ProbeAnswers): Promise<{ status: number; body: string }> {
  const probes: Record<string, () => string[]> = { '/healthz': answers.stuck, '/readyz': answers.missing };
  const problems = probes[path]?.();
  if (problems === undefined) return { status: 404, body: 'not found\n' };
  return problems.length === 0
    ? { status: 200, body: 'ok\n' }
    : { status: 503, body: `${problems.join('\n')}\n` };
}

/** Resolves when the server listens. Port 0 = any free one. */
export function serveProbes(port: number, answers: ProbeAnswers): Promise<Server> {
  const server = createServer((request, response) => {
    const path = (request.url ?? '/').split('?')[0] ?? '/';
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      response.writeHead(405).end();
      return;
    }
    if (path === '/metrics') {
      response.writeHead(200, { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' });
      // Who hangs up in the middle, or meets an error, gets no end: half a scrape is none.
      pipeline(answers.metrics(), response).catch(() => response.destroy());
      return;
    }
    answer(path, answers).then(
      ({ status, body }) =>
        response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8' }).end(body),
      (error) => response.writeHead(500).end(`${error}\n`),
    );
  });
  server.requestTimeout = 10_000;
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, () => resolve(server));
  });
}
