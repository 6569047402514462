/** Kubernetes quantities of the pattern that crds/fields.ts allows. */

const factors: Record<string, number> = {
  '': 1,
  m: 1e-3,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
};

/** "500m" -> 0.5, "8Gi" -> 8589934592: cores or bytes. Throws on what is no quantity. */
export function quantityValue(text: string): number {
  const match = /^([0-9]+(?:\.[0-9]+)?)([A-Za-z]*)$/.exec(text);
  const factor = factors[match?.[2] ?? ''];
  if (match?.[1] === undefined || factor === undefined) throw new Error(`"${text}" is no quantity`);
  // Of sixteen digits the last one may be the rounding of the product: "700m" is as much as "0.7".
  return Number((Number(match[1]) * factor).toPrecision(15));
}
