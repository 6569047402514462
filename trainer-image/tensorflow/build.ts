import { existsSync } from 'node:fs';
import { copyFile, mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { basename, dirname, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { type Log, runCommand } from './command.ts';
import { downloadWheels, unpackWheel, type Variant } from './wheels.ts';

const LIBRARIES = ['libtensorflow_cc.so.2', 'libtensorflow_framework.so.2'];
// Adapters for other programs' interfaces, and cusolver for several GPUs: TensorFlow opens none of them.
const UNUSED_CUDA = /^lib(nvblas|cufftw|cusolverMg)\.so/;
const COMPILE_TIMEOUT_MS = 15 * 60_000;
const require = createRequire(import.meta.url);
const packageDirectory = (name: string) => dirname(require.resolve(`${name}/package.json`));

/** The C++ sources of the unmodified binding and the version of the package that carries them. */
export async function bindingSources(): Promise<{ directory: string; version: string }> {
  const root = packageDirectory('@tensorflow/tfjs-node-gpu');
  const manifest = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as { version: string };
  return { directory: join(root, 'binding'), version: manifest.version };
}

/**
 * Builds the directory that the trainer loads TensorFlow from:
 * `tfjs_binding.node` (finds its libraries in `$ORIGIN/lib`), `lib/`, licences and `VERSION.json`.
 * It appears at `out` complete or not at all; an existing `out` is replaced.
 * @throws Error naming the step (download, unpacking, compilation) and the tool's last output lines
 */
export async function buildTensorflow(variant: Variant, out: string, log: Log): Promise<void> {
  if (process.platform !== 'linux' || process.arch !== 'x64') {
    throw new Error(`TensorFlow is built for linux/x64 only, this is ${process.platform}/${process.arch}`);
  }
  await mkdir(dirname(out), { recursive: true });
  const work = await mkdtemp(join(dirname(out), `.${basename(out)}-`));
  try {
    const result = join(work, 'result');
    await mkdir(join(result, 'lib'), { recursive: true });
    log(`downloading the TensorFlow ${variant} wheels`);
    const wheels = await downloadWheels(variant, join(work, 'wheels'), log);
    const tensorflow = wheels.find((wheel) => basename(wheel).startsWith('tensorflow'));
    if (tensorflow === undefined) throw new Error(`no TensorFlow wheel among ${wheels.join(', ')}`);
    log('unpacking the libraries and headers');
    const unpacked = join(work, 'unpacked');
    await unpackTensorflow(tensorflow, unpacked, result, log);
    for (const wheel of wheels) if (wheel !== tensorflow) await unpackCuda(wheel, unpacked, result, log);
    log('compiling the binding');
    await compileBinding(join(unpacked, 'tensorflow', 'include'), result, log);
    const version = { variant, wheels: wheels.map((wheel) => basename(wheel)).sort() };
    await writeFile(join(result, 'VERSION.json'), `${JSON.stringify(version, null, 2)}\n`);
    await rm(out, { recursive: true, force: true });
    await rename(result, out);
    log(`TensorFlow ${variant} is ready in ${out}`);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

async function unpackTensorflow(wheel: string, unpacked: string, result: string, log: Log): Promise<void> {
  const wanted = [...LIBRARIES, 'include/*', 'THIRD_PARTY_NOTICES.txt'].map((name) => `tensorflow/${name}`);
  await unpackWheel(wheel, wanted, unpacked, log);
  const source = join(unpacked, 'tensorflow');
  for (const library of LIBRARIES) {
    const target = join(result, 'lib', library);
    await rename(join(source, library), target);
    // A quarter of the library is names of local symbols, which only a debugger reads.
    await runCommand('strip', ['--strip-unneeded', target], {
      what: `stripping ${library}`,
      timeoutMs: COMPILE_TIMEOUT_MS,
      log,
    });
  }
  await mkdir(join(result, 'licenses'));
  await copyFile(join(source, 'include', 'LICENSE'), join(result, 'licenses', 'TENSORFLOW'));
  const notices = join(source, 'THIRD_PARTY_NOTICES.txt');
  if (existsSync(notices)) await rename(notices, join(result, 'licenses', 'TENSORFLOW_THIRD_PARTY'));
}

/** Puts the shared libraries of one `nvidia-*-cu12` wheel beside TensorFlow's and keeps its licence. */
async function unpackCuda(wheel: string, unpacked: string, result: string, log: Log): Promise<void> {
  const name = basename(wheel).split('-')[0] as string;
  const target = join(unpacked, name);
  await unpackWheel(wheel, ['nvidia/*/lib/*.so*', '*.dist-info/*License*'], target, log);
  for (const entry of await readdir(target, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile() || UNUSED_CUDA.test(entry.name)) continue;
    const library = entry.name.includes('.so');
    const destination = library ? join('lib', entry.name) : join('licenses', name.toUpperCase());
    await rename(join(entry.parentPath, entry.name), join(result, destination));
  }
  await rm(wheel);
}

async function compileBinding(include: string, result: string, log: Log): Promise<void> {
  const { directory } = await bindingSources();
  const sources = (await readdir(directory)).filter((name) => name.endsWith('.cc')).sort();
  const args = ['-std=c++17', '-O2', '-fPIC', '-shared', '-s', '-DNAPI_VERSION=8'];
  args.push('-I', include, '-I', join(packageDirectory('node-api-headers'), 'include'));
  args.push('-o', join(result, 'tfjs_binding.node'), ...sources.map((name) => join(directory, name)));
  args.push(...LIBRARIES.map((name) => join(result, 'lib', name)), '-Wl,-rpath,$ORIGIN/lib');
  await runCommand('g++', args, { what: 'compiling the binding', timeoutMs: COMPILE_TIMEOUT_MS, log });
}

if (import.meta.main) {
  const { values } = parseArgs({ options: { variant: { type: 'string' }, out: { type: 'string' } } });
  const { variant, out } = values;
  if ((variant !== 'cpu' && variant !== 'gpu') || out === undefined) {
    console.error('usage: node trainer-image/tensorflow/build.ts --variant cpu|gpu --out DIRECTORY');
    process.exit(2);
  }
  await buildTensorflow(variant, resolve(out), console.log);
}
