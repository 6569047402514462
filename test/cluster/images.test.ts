import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { failures } from '../../crds/failures.ts';
import { buildImages } from './images.ts';
import { type UnpackedImage, unpackImage } from './unpacked-image.ts';

const silent = () => {};
const images: Record<string, UnpackedImage> = {};

before(async () => {
  for (const [name, { archive }] of Object.entries(await buildImages()))
    images[name] = await unpackImage(archive);
});

after(async () => {
  for (const { directory } of Object.values(images)) await rm(directory, { recursive: true, force: true });
});

/** Runs a command as the image's user with its environment; its root file system is read-only, /tmp is not. */
function runIn(image: UnpackedImage, command: readonly string[], env: readonly string[] = []) {
  const script = `
    set -e
    mount --bind "$1" "$1"
    mount -o remount,bind,ro "$1"
    mount -t tmpfs tmpfs "$1/tmp"
    mount -t proc proc "$1/proc"
    mount --rbind /dev "$1/dev"
    root="$1" user="$2"; shift 2
    exec chroot --userspec="$user" "$root" env -i "$@"`;
  const inOwnMounts = 'exec unshare --mount --propagation private sh -c "$0" sh "$@"';
  const environment = [...(image.config.Env ?? []), ...env];
  const args = ['-c', inOwnMounts, script, image.root, image.config.User ?? '', ...environment, ...command];
  return spawnSync('sh', args, { encoding: 'utf8', timeout: 60_000 });
}

for (const name of ['operator', 'trainer']) {
  describe(`the ${name} image`, () => {
    test('runs as a numeric user that is not root', () => {
      assert.equal(images[name]?.config.User, '65532:65532');
      const { stdout } = runIn(images[name]!, ['node', '-p', 'process.getuid()']);
      assert.equal(stdout.trim(), '65532');
    });

    test('starts its own program with readable stack traces', () => {
      const [node, ...flags] = images[name]?.config.Entrypoint ?? [];
      assert.equal(node, 'node');
      assert.equal(flags.pop(), `/app/${name}.mjs`);
      assert.ok(flags.includes('--enable-source-maps'));
      // Nothing but flags of Node stands between.
      for (const flag of flags) assert.match(flag, /^--[a-z-]+(=\d+)?$/);
    });

    test('says what it is and carries nothing of the machine that built it in its environment', () => {
      const { Labels, Env } = images[name]!.config;
      assert.ok(Labels?.['org.opencontainers.image.title']);
      assert.equal(Labels?.['org.opencontainers.image.licenses'], 'Apache-2.0');
      const known = [
        'PATH',
        'NODE_ENV',
        'NODE_VERSION',
        'YARN_VERSION',
        'FINETUNE_TENSORFLOW',
        'LD_LIBRARY_PATH',
        'MALLOC_ARENA_MAX',
        'MALLOC_TRIM_THRESHOLD_',
      ];
      assert.deepEqual(
        (Env ?? []).map((entry) => entry.split('=')[0] as string).filter((entry) => !known.includes(entry)),
        [],
      );
    });

    test('has no package manager of npm, no compiler and no Python', async () => {
      const programs = /^(npm|npx|corepack|yarn|yarnpkg|gcc.*|g\+\+.*|c\+\+|cc|ld|make|python.*|pip.*)$/;
      for (const folder of ['usr/bin', 'usr/local/bin', 'usr/sbin', 'usr/local/sbin']) {
        const entries = await readdir(join(images[name]!.root, folder));
        assert.deepEqual(
          entries.filter((entry) => programs.test(entry)),
          [],
          folder,
        );
      }
      assert.ok((await readdir(join(images[name]!.root, 'usr/local/bin'))).includes('node'));
    });

    test('holds no settings of the machine that built it', async () => {
      const { root } = images[name]!;
      assert.deepEqual(await readdir(join(root, 'mnt')), []);
      assert.ok(!(await readdir(join(root, 'root'))).includes('.npmrc'));
      assert.ok(!(await readdir(join(root, 'etc'))).includes('pip.conf'));
    });
  });
}

test('the operator without a cluster says so and ends with 1', () => {
  const { status, stderr } = runIn(images['operator']!, images['operator']!.config.Entrypoint ?? []);
  assert.equal(status, 1, stderr);
  assert.match(stderr, /no cluster found/);
});

test('the trainer without a run config names the file and ends with the code of a config error', () => {
  const entrypoint = images['trainer']!.config.Entrypoint ?? [];
  const termination = 'FINETUNE_TERMINATION_LOG=/tmp/termination';
  const { status, stdout, stderr } = runIn(images['trainer']!, [...entrypoint, 'preflight'], [termination]);
  assert.equal(status, failures.ConfigError.exitCode, stdout + stderr);
  assert.match(stdout + stderr, /run.*\.json: cannot be read/);
});

test('TensorFlow and the tokenizer load in the trainer image', () => {
  const script = `const { createRequire } = require('node:module');
    const { TF_Version } = require('/opt/tensorflow/tfjs_binding.node');
    const { Tokenizer } = require('/app/tokenizers.linux-x64-gnu.node');
    console.log(TF_Version, typeof Tokenizer);`;
  const { stdout, stderr } = runIn(images['trainer']!, ['node', '-e', script]);
  assert.equal(stdout.trim(), '2.21.0 function', stderr);
});

test('unchanged sources build nothing', async () => {
  const first = await buildImages(silent);
  const lines: string[] = [];
  assert.deepEqual(await buildImages((line) => lines.push(line)), first);
  assert.deepEqual(lines, []);
});
