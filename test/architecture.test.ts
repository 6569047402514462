/** The rules of ARCHITECTURE.md that a machine can check, and that the linter's import rules really fire. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { suite, test } from 'node:test';
import { codePaths, treePaths } from './support/document-paths.ts';

const root = dirname(import.meta.dirname);
const read = (path: string) => readFileSync(join(root, path), 'utf8');
const sources = globSync('{operator,trainer-image,crds,test}/**/*.{ts,mjs}', { cwd: root }).toSorted();
const documents = globSync('{*.md,docs/**/*.md}', { cwd: root }).toSorted();

suite('documents', () => {
  test('the tree in ARCHITECTURE.md names only what exists, and each folder of code', () => {
    const paths = treePaths(read('ARCHITECTURE.md'));
    assert.deepEqual(
      paths.filter((path) => !existsSync(join(root, path))),
      [],
    );
    const folders = ['operator', 'trainer-image', 'crds', 'helm', 'test', 'docs', 'examples'];
    assert.deepEqual(
      folders.filter(
        (folder) => !paths.some((path) => path === `${folder}/` || path.startsWith(`${folder}/`)),
      ),
      [],
    );
  });

  for (const document of documents) {
    test(`paths in ${document} exist`, () => {
      const missing = codePaths(read(document)).filter((path) => !existsSync(join(root, path)));
      assert.deepEqual(missing, []);
    });
  }
});

suite('imports that the linter refuses', () => {
  const kube = "import { x } from '../kube/client.ts';";
  const cases: Record<string, { file: string; code: string; rule: string; message: string }> = {
    'the operator does not know the trainer': {
      file: 'operator/decide.ts',
      code: "import { x } from '../trainer-image/train.ts';",
      rule: 'noRestrictedImports',
      message: 'meets the trainer only in crds/trainer-contract.ts',
    },
    'nobody imports main.ts': {
      file: 'operator/other.ts',
      code: "import { x } from './main.ts';",
      rule: 'noRestrictedImports',
      message: 'nobody imports main.ts',
    },
    'the trainer does not know the operator': {
      file: 'trainer-image/other.ts',
      code: "import { x } from '../operator/metrics.ts';",
      rule: 'noRestrictedImports',
      message: 'meets the operator only in crds/trainer-contract.ts',
    },
    'decisions do not call the API server': {
      file: 'operator/decide/calls.ts',
      code: kube,
      rule: 'noRestrictedImports',
      message: 'are pure',
    },
    'decisions do not read files': {
      file: 'operator/decide/reads.ts',
      code: "import { readFileSync as x } from 'node:fs';",
      rule: 'noRestrictedImports',
      message: 'are pure',
    },
    'manifests do not call the API server': {
      file: 'operator/manifests/calls.ts',
      code: kube,
      rule: 'noRestrictedImports',
      message: 'are pure',
    },
    'kube/ knows nothing about fine-tuning': {
      file: 'operator/kube/knows.ts',
      code: "import { x } from '../../crds/conditions.ts';",
      rule: 'noRestrictedImports',
      message: 'knows nothing about fine-tuning',
    },
    'graph/ knows nothing about text': {
      file: 'trainer-image/graph/knows.ts',
      code: "import { x } from '../data/tokenizer.ts';",
      rule: 'noRestrictedImports',
      message: 'knows nothing about text',
    },
    'products do not import tests': {
      file: 'trainer-image/tests.ts',
      code: "import { x } from '../test/golden/minilm.ts';",
      rule: 'noRestrictedImports',
      message: 'nobody imports main.ts',
    },
    'no two files import each other': {
      file: 'crds/a.ts',
      code: "import { x } from './b.ts';",
      rule: 'noImportCycles',
      message: 'cycle',
    },
    'a promise is waited for': {
      file: 'operator/promise.ts',
      code: 'const x = async () => 1;\nx();',
      rule: 'noFloatingPromises',
      message: 'floating',
    },
  };
  const allowed: Record<string, string> = {
    'crds/b.ts': "import { y } from './a.ts';\nexport const x = y;\n",
    'operator/decide/digest.ts': "import { createHash as x } from 'node:crypto';\nexport const y = x;\n",
    'operator/controller/all.ts': `${kube}\nexport const y = x;\n`,
    'trainer-image/run.ts': "import { x } from '../crds/trainer-contract.ts';\nexport const y = x;\n",
  };
  const diagnostics = lint({
    ...Object.fromEntries(
      Object.values(cases).map(({ file, code }) => [file, `${code}\nexport const y = x;\n`]),
    ),
    ...allowed,
  });

  for (const [name, { file, rule, message }] of Object.entries(cases)) {
    test(name, () => {
      const found = diagnostics.filter((one) => one.file === file && one.rule === rule);
      assert.ok(
        found.some((one) => one.message.includes(message)),
        `${file}: wanted ${rule} "${message}", got ${JSON.stringify(diagnostics.filter((one) => one.file === file))}`,
      );
    });
  }

  test('what is allowed is not refused', () => {
    const files = Object.keys(allowed).filter((file) => file !== 'crds/b.ts');
    assert.deepEqual(
      diagnostics.filter(({ file }) => files.includes(file)),
      [],
    );
  });
});

type Diagnostic = { file: string; rule: string; message: string };

/** Lints these files with our configuration, in a folder of their own. */
function lint(files: Record<string, string>): Diagnostic[] {
  const folder = mkdtempSync(join(tmpdir(), 'finetune-lint-'));
  try {
    cpSync(join(root, 'biome.json'), join(folder, 'biome.json'));
    for (const [file, code] of Object.entries(files)) {
      mkdirSync(dirname(join(folder, file)), { recursive: true });
      writeFileSync(join(folder, file), code);
    }
    const args = ['lint', '--vcs-enabled=false', '--reporter=json', '--max-diagnostics=200', '.'];
    const { stdout, stderr } = spawnSync(join(root, 'node_modules/.bin/biome'), args, {
      cwd: folder,
      encoding: 'utf8',
    });
    assert.match(stdout, /^\{/, stderr);
    type Entry = { category: string; location: { path: string }; message: string };
    const { diagnostics } = JSON.parse(stdout) as { diagnostics: Entry[] };
    return diagnostics.map(({ category, location, message }) => ({
      file: location.path,
      rule: category.split('/').at(-1) ?? '',
      message,
    }));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

suite('sources', () => {
  test('only the configuration of a program reads its environment', () => {
    const readers = ['operator/config.ts', 'trainer-image/config.ts'];
    // Hands the whole environment to the configuration, and sets what TensorFlow reads when it is loaded.
    const passesOn = ['trainer-image/main.ts'];
    // Builds the native library for development and tests; no part of the trainer.
    const tools = ['trainer-image/tensorflow/directory.ts'];
    const found = sources.filter(
      (path) =>
        !path.startsWith('test/') && /\bprocess\s*\.\s*env\b|\benv\b.*from 'node:process'/.test(read(path)),
    );
    assert.deepEqual(
      found.filter((path) => ![...readers, ...passesOn, ...tools].includes(path)),
      [],
    );
    for (const path of passesOn) assert.doesNotMatch(read(path), /process\.env[.[]/, path);
  });

  test('nothing is left out or left for later', () => {
    // The runner's own tests are about files that leave something out.
    const about = ['test/runner/run-file.test.ts', 'test/architecture.test.ts'];
    const patterns = [
      /\b(?:test|it|suite|describe)\.(?:skip|todo|only)\b/,
      /\b(?:skip|todo|only):\s*(?:true|['"`])/,
      /\bt\.(?:skip|todo)\(/,
      /\b(?:TODO|FIXME|XXX)\b/,
    ];
    const found = sources
      .filter((path) => !about.includes(path))
      .flatMap((path) =>
        read(path)
          .split('\n')
          .flatMap((line, index) =>
            patterns.some((pattern) => pattern.test(line)) ? `${path}:${index + 1}` : [],
          ),
      );
    assert.deepEqual(found, []);
  });

  test('files are short: below 250 lines as a rule, 400 at most', (t) => {
    const sizes = sources.map((path) => ({ path, lines: read(path).split('\n').length - 1 }));
    const long = sizes.filter(({ lines }) => lines > 250).toSorted((a, b) => b.lines - a.lines);
    for (const { path, lines } of long) t.diagnostic(`${lines} lines: ${path}`);
    assert.deepEqual(
      long.filter(({ lines }) => lines > 400),
      [],
    );
  });
});
