/** Optional fields and times, as status and the objects of Kubernetes hold them. */

type Present<T> = { [K in keyof T as undefined extends T[K] ? never : K]: T[K] } & {
  [K in keyof T as undefined extends T[K] ? K : never]?: Exclude<T[K], undefined>;
};

/** The same object without the fields that are undefined. */
export function present<T extends object>(fields: T): Present<T> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Present<T>;
}

/** Milliseconds of a time that may be a Date or a string; undefined if it is neither. */
export function millis(time: Date | string | undefined): number | undefined {
  const value = time === undefined ? Number.NaN : new Date(time).getTime();
  return Number.isNaN(value) ? undefined : value;
}

/** A time as status holds it, to the second; undefined for what is no time or has no four-digit year. */
export function timestampOf(time: Date | string | undefined): string | undefined {
  const value = millis(time);
  if (value === undefined) return undefined;
  const text = new Date(value).toISOString();
  return /^\d{4}-/.test(text) ? `${text.slice(0, 19)}Z` : undefined;
}
