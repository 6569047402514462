/** What a structural schema may say: the part of OpenAPI v3 that the generator writes. */
import type { CelRule } from './fields.ts';

export type StructuralSchema = {
  description?: string;
  default?: unknown;
  type: 'object' | 'array' | 'string' | 'integer' | 'boolean';
  format?: 'int32' | 'int64' | 'date-time';
  enum?: string[];
  minLength?: number;
  maxLength?: number;
  pattern?: string;
  minimum?: number;
  maximum?: number;
  minItems?: number;
  maxItems?: number;
  items?: StructuralSchema;
  maxProperties?: number;
  additionalProperties?: StructuralSchema;
  required?: string[];
  properties?: Record<string, StructuralSchema>;
  'x-kubernetes-map-type'?: 'atomic';
  'x-kubernetes-list-type'?: 'atomic' | 'set' | 'map';
  'x-kubernetes-list-map-keys'?: string[];
  'x-kubernetes-validations'?: CelRule[];
};

/** A schema that a CRD cannot hold; the message starts with the path of the field. */
export class UnsupportedSchema extends Error {
  constructor(path: string, problem: string) {
    super(`${path}: ${problem}`);
    this.name = 'UnsupportedSchema';
  }
}
