/**
 * Scores of tagged words by whole entities, as seqeval 1.2.2 computes them (`zero_division=0`);
 * test/golden/entities.py makes the reference. A tag is a prefix and a type, such as B-PER; O stands outside.
 */

/** Words from `start` to `end`, the latter not included, are one entity. */
export type Entity = { type: string; start: number; end: number };

type Tag = { prefix: string; type: string };

const outside: Tag = { prefix: 'O', type: '' };

/** Prefix letter and type; a tag without a type has the type "_". */
function split(tag: string): Tag {
  const rest = tag.slice(1);
  const dash = rest.indexOf('-');
  return { prefix: tag.charAt(0), type: (dash === -1 ? rest : rest.slice(dash + 1)) || '_' };
}

/** Entities as conlleval finds them, seqeval's default: an I- tag after anything else also begins one. */
export function entitiesOf(tags: readonly string[]): Entity[] {
  const entities: Entity[] = [];
  let before = outside;
  let start = 0;
  for (let word = 0; word <= tags.length; word++) {
    const tag = word === tags.length ? { prefix: 'O', type: '_' } : split(tags[word]!);
    if (endsBetween(before, tag)) entities.push({ type: before.type, start, end: word });
    if (startsBetween(before, tag)) start = word;
    before = tag;
  }
  return entities;
}

const isOutside = ({ prefix }: Tag) => prefix === 'O' || prefix === '.';

function endsBetween(before: Tag, tag: Tag): boolean {
  if (before.prefix === 'E' || before.prefix === 'S') return true;
  if ((before.prefix === 'B' || before.prefix === 'I') && 'BSO'.includes(tag.prefix)) return true;
  return !isOutside(before) && before.type !== tag.type;
}

function startsBetween(before: Tag, tag: Tag): boolean {
  if (tag.prefix === 'B' || tag.prefix === 'S') return true;
  if ('ESO'.includes(before.prefix) && 'EI'.includes(tag.prefix)) return true;
  return !isOutside(tag) && before.type !== tag.type;
}

/** Entities in strict IOB2: a B- tag and the I- tags of its type that follow it. Other prefixes count as outside. */
export function strictEntitiesOf(tags: readonly string[]): Entity[] {
  const entities: Entity[] = [];
  let open: Entity | undefined;
  for (const [word, tag] of tags.entries()) {
    const type = tag.slice(1).replace(/^-+|-+$/g, '') || '_';
    if (tag.startsWith('I') && open?.type === type) {
      open.end = word + 1;
      continue;
    }
    open = tag.startsWith('B') ? { type, start: word, end: word + 1 } : undefined;
    if (open !== undefined) entities.push(open);
  }
  return entities;
}

/** How many entities are right, were predicted and are there: what every score is made of. */
export type EntityCounts = { hits: number; predicted: number; actual: number };

/** Counts of one row by type; an entity is right when its type, start and end are. */
export function countEntities(
  actual: readonly Entity[],
  predicted: readonly Entity[],
): Map<string, EntityCounts> {
  const counts = new Map<string, EntityCounts>();
  const of = (type: string): EntityCounts => {
    const found = counts.get(type) ?? { hits: 0, predicted: 0, actual: 0 };
    counts.set(type, found);
    return found;
  };
  const keys = new Set(actual.map(keyOf));
  for (const { type } of actual) of(type).actual++;
  for (const entity of predicted) {
    of(entity.type).predicted++;
    if (keys.has(keyOf(entity))) of(entity.type).hits++;
  }
  return counts;
}

const keyOf = ({ type, start, end }: Entity) => `${start} ${end} ${type}`;

/** Zero where a quotient has a zero denominator. */
export function entityScores({ hits, predicted, actual }: EntityCounts) {
  const ratio = (part: number, whole: number) => (whole === 0 ? 0 : part / whole);
  return {
    precision: ratio(hits, predicted),
    recall: ratio(hits, actual),
    f1: ratio(2 * hits, predicted + actual),
  };
}

/** The sum of some counts. */
export function addCounts(counts: Iterable<EntityCounts>): EntityCounts {
  const total = { hits: 0, predicted: 0, actual: 0 };
  for (const { hits, predicted, actual } of counts) {
    total.hits += hits;
    total.predicted += predicted;
    total.actual += actual;
  }
  return total;
}
