/** Entry of the operator image. */
import { KubeConfig } from '@kubernetes/client-node';
import packageJson from '../package.json' with { type: 'json' };
import { type Config, readConfig } from './config.ts';
import { Operator } from './controller/operator.ts';
import { decide } from './decide/decide.ts';
import { createLog } from './log.ts';

function fail(message: string): never {
  process.stderr.write(
    `${JSON.stringify({ level: 'error', message: 'the operator cannot start', error: message })}\n`,
  );
  process.exit(1);
}

function start(): { config: Config; kubeConfig: KubeConfig } {
  try {
    const config = readConfig(process.argv.slice(2));
    const kubeConfig = new KubeConfig();
    kubeConfig.loadFromDefault();
    // What client-node falls back to when it finds no configuration at all.
    if (kubeConfig.getCurrentCluster()?.server === 'http://localhost:8080') {
      throw new Error('no cluster found: run in a pod with a service account, or set KUBECONFIG');
    }
    return { config, kubeConfig };
  } catch (error) {
    return fail(error instanceof Error ? error.message : String(error));
  }
}

const { version } = packageJson;
const { config, kubeConfig } = start();
const log = createLog(config.logLevel);
log.info('starting', {
  version,
  node: process.version,
  config,
  server: kubeConfig.getCurrentCluster()?.server,
});

const operator = new Operator({ config, kubeConfig, log, version, decide });
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => operator.stop());
for (const event of ['uncaughtException', 'unhandledRejection'] as const) {
  process.on(event, (error: unknown) => {
    log.error('defect: an error that nobody handled', {
      error: error instanceof Error ? error.stack : String(error),
    });
    process.exit(1);
  });
}

try {
  const ended = await operator.run();
  if (ended) log.info('stopped');
  process.exit(ended ? 0 : 1);
} catch (error) {
  log.error('the operator failed', { error: error instanceof Error ? error.stack : String(error) });
  process.exit(1);
}
