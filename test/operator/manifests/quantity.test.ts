import assert from 'node:assert/strict';
import { test } from 'node:test';
import { quantityValue } from '../../../operator/manifests/quantity.ts';

const cases: Record<string, number> = {
  '2': 2,
  '500m': 0.5,
  '1.5': 1.5,
  '8Gi': 8_589_934_592,
  '8192Mi': 8_589_934_592,
  '8G': 8e9,
  '1k': 1000,
  '0.5Ti': 549_755_813_888,
};
for (const [text, want] of Object.entries(cases)) {
  test(`the quantity ${text} is ${want}`, () => assert.equal(quantityValue(text), want));
}

test('a quantity is the same in whatever unit it is written', () => {
  for (let cents = 1; cents <= 10_000; cents++) {
    const plain = (cents / 100).toFixed(2);
    assert.equal(quantityValue(`${cents * 10}m`), quantityValue(plain), plain);
    assert.equal(quantityValue(`${cents * 10}M`), quantityValue(`${plain}G`), plain);
  }
});

for (const text of ['', 'Gi', '-1', '1e3', '8 Gi', '8gi']) {
  test(`"${text}" is no quantity`, () => assert.throws(() => quantityValue(text), /no quantity/));
}
