/** The HTTP server for the kubelet and for Prometheus. It never asks the API server. */
import { createServer, type Server } from 'node:http';

export type ProbeAnswers = {
  /** What is stuck; empty = healthy. */
  stuck: () => string[];
  /** What is not ready yet; empty = ready. */
  missing: () => string[];
  metrics: () => Promise<string>;
};

async function answer(path: string, answers: ProbeAnswers): Promise<{ status: number; body: string }> {
  if (path === '/metrics') return { status: 200, body: await answers.metrics() };
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
    answer(path, answers).then(
      ({ status, body }) => {
        const type =
          path === '/metrics' ? 'text/plain; version=0.0.4; charset=utf-8' : 'text/plain; charset=utf-8';
        response.writeHead(status, { 'content-type': type }).end(body);
      },
      (error) => response.writeHead(500).end(`${error}\n`),
    );
  });
  server.requestTimeout = 10_000;
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, () => resolve(server));
  });
}
