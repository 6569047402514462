import type { Random } from '../../../trainer-image/data/random.ts';

const values = [
  null,
  true,
  -1,
  0,
  0.5,
  1,
  1e6,
  1e308,
  2 ** 53,
  '',
  'x',
  '\0',
  [],
  {},
  ['a', 'a'],
  { uid: {} },
];

/** A JSON value with some values, at any depth, replaced, removed or put where none belongs. */
export function altered(whole: unknown, source: Random): unknown {
  const config: unknown = structuredClone(whole);
  for (let changes = 1 + source.below(3); changes > 0; changes--) {
    let at = config as Record<string, unknown>;
    for (;;) {
      const keys = Object.keys(at);
      const key = keys.length === 0 || source.below(12) === 0 ? '__proto__' : keys[source.below(keys.length)];
      const inner = at[key as string];
      if (typeof inner === 'object' && inner !== null && key !== '__proto__' && source.below(4) > 0) {
        at = inner as Record<string, unknown>;
        continue;
      }
      if (source.below(4) === 0) delete at[key as string];
      else {
        const value = structuredClone(values[source.below(values.length)]);
        Object.defineProperty(at, key as string, {
          value,
          enumerable: true,
          writable: true,
          configurable: true,
        });
      }
      break;
    }
  }
  return config;
}
