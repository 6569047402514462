// Entry of every npm script. Runs on whatever Node >= 20 the system has: installs the locked dependencies when
// they are missing or stale, then hands over to the Node 24 that the lock file pins.
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const [script, ...args] = process.argv.slice(2);
const stamp = join(root, 'node_modules', '.lock-digest');
const node = join(root, 'node_modules', '.bin', 'node');
const digest = createHash('sha256')
  .update(readFileSync(join(root, 'package-lock.json')))
  .digest('hex');

function npm(why, ...npmArgs) {
  for (let attempt = 1; attempt <= 3; attempt++) {
    const { status } = spawnSync('npm', [...npmArgs, '--loglevel=error'], { cwd: root, stdio: 'inherit' });
    if (status === 0) return;
    console.error(`${why}: npm ${npmArgs.join(' ')} ended with ${status} (attempt ${attempt} of 3)`);
  }
  process.exit(1);
}

if (!existsSync(node) || !existsSync(stamp) || readFileSync(stamp, 'utf8') !== digest) {
  console.error('Installing the locked dependencies (about half a minute)...');
  npm('dependencies', 'ci');
  // The package `node` fetches its platform binary in an install script; scripts are off for all others.
  npm('node binary', 'rebuild', 'node', '--ignore-scripts=false');
  writeFileSync(stamp, digest);
}

const path = `${join(root, 'node_modules', '.bin')}:${process.env.PATH}`;
const child = spawn(node, ['--disable-warning=ExperimentalWarning', join(root, script), ...args], {
  cwd: root,
  stdio: 'inherit',
  env: { ...process.env, PATH: path },
});
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
child.on('exit', (code, signal) => process.exit(code ?? (signal === 'SIGINT' ? 130 : 143)));
