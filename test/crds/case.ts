/** One row of a table: the changes to the smallest valid object, and what the API server answers. */
import type { Changes } from './objects.ts';

export type Case = {
  changes: Changes;
  /** Field and part of the message of the refusal; without it the object is accepted. */
  want?: { field: string; message: string };
};

export const refused = (field: string, message: string, changes: Changes): Case => ({
  changes,
  want: { field, message },
});
export const accepted = (changes: Changes): Case => ({ changes });

/** Part of the message for a string that does not match its pattern. */
export const pattern = 'should match';
