/** The wire format, against the examples of its specification (protobuf.dev). */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bytes, double, float, integer, message, string } from '../../trainer-image/protobuf.ts';

const cases: readonly (readonly [what: string, field: Uint8Array, hex: string])[] = [
  ['150 in field 1', integer(1, 150), '089601'],
  ['zero', integer(2, 0), '1000'],
  ['a negative number, as 64 bits', integer(1, -1), '08ffffffffffffffffff01'],
  ['the lowest int32', integer(3, -(2 ** 31)), '1880808080f8ffffffff01'],
  ['more than 32 bits', integer(1, 2 ** 40), '08808080808020'],
  ['a field number of two bytes', integer(16, 1), '800101'],
  ['"testing" in field 2', string(2, 'testing'), '120774657374696e67'],
  ['a message in a message', bytes(3, integer(1, 150)), '1a03089601'],
  ['a message of two fields', message(integer(1, 1), string(2, 'é')), '08011202c3a9'],
  ['a float', float(5, 1.5), '2d0000c03f'],
  ['a double', double(4, -0.1), '219a9999999999b9bf'],
];

for (const [what, field, hex] of cases) {
  test(`${what} is ${hex}`, () => assert.equal(Buffer.from(field).toString('hex'), hex));
}

test('a field of more than 127 bytes has a length of two bytes', () => {
  assert.equal(Buffer.from(bytes(1, new Uint8Array(300))).toString('hex', 0, 3), '0aac02');
});
