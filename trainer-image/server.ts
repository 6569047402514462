import { once } from 'node:events';
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { ProgressBoard } from './progress.ts';
import type { TrainerMetrics } from './series.ts';

const REQUEST_TIMEOUT_MS = 10_000;
const MAX_CONNECTIONS = 64;

/**
 * Serves `/progress` (JSON), `/metrics` (Prometheus) and `/healthz` on `port`. It runs on the main thread, which never
 * computes, so that it answers while a training step is under way. Reading only: nothing can be changed through it.
 */
export async function startServer(
  port: number,
  board: ProgressBoard,
  metrics: TrainerMetrics,
): Promise<Server> {
  const server = createServer((request, response) => {
    request.resume();
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      return send(response, 405, 'text/plain', 'only GET is served\n');
    }
    const path = request.url?.split('?')[0];
    if (path === '/progress') return send(response, 200, 'application/json', board.json());
    if (path === '/healthz') return send(response, 200, 'text/plain', 'ok\n');
    if (path !== '/metrics')
      return send(response, 404, 'text/plain', 'try /progress, /metrics or /healthz\n');
    metrics.render().then(
      ({ contentType, body }) => send(response, 200, contentType, body),
      (error: unknown) => send(response, 500, 'text/plain', `${error}\n`),
    );
  });
  server.requestTimeout = REQUEST_TIMEOUT_MS;
  server.headersTimeout = REQUEST_TIMEOUT_MS;
  server.maxConnections = MAX_CONNECTIONS;
  server.listen(port);
  await once(server, 'listening');
  return server;
}

function send(response: ServerResponse, status: number, contentType: string, body: string): void {
  response.writeHead(status, { 'content-type': contentType, 'content-length': Buffer.byteLength(body) });
  response.end(body);
}
