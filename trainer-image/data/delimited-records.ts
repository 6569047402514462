/**
 * Records of a file whose fields are separated by a delimiter, as RFC 4180 has them for commas: quotes around fields
 * with delimiters, quotes or line breaks, a quote inside doubled. TSV files as pandas and spreadsheets write them follow
 * the same rules with tabs. Written here and not taken from a library because the line on which a record starts must be
 * right after line breaks inside fields, and because one broken or endless record must not spoil the next: csv-parse
 * numbers records by their last line and loses the rows behind a stray quote.
 */
export type Fields = { line: number; fields: Uint8Array[] } | { line: number; error: string };

const quoteMark = 0x22;
const lineFeed = 0x0a;
const carriageReturn = 0x0d;

type State = 'start' | 'plain' | 'quoted' | 'closed';

export class DelimitedRecords {
  readonly #delimiter: number;
  readonly #maxBytes: number;
  /** Content of the record under way without quotes; `#ends` are the ends of its fields. */
  #bytes = new Uint8Array(4096);
  #length = 0;
  #ends: number[] = [];
  #state: State = 'start';
  /** The field under way was quoted: its trailing CR, if any, is content. */
  #quoted = false;
  #closedByReturn = false;
  #error: string | undefined;
  #line = 1;
  #startLine = 1;

  /** @param options `delimiter` is an ASCII character; records of more than `maxBytes` are refused. */
  constructor({ delimiter, maxBytes }: { delimiter: number; maxBytes: number }) {
    this.#delimiter = delimiter;
    this.#maxBytes = maxBytes;
  }

  *push(chunk: Uint8Array): Generator<Fields> {
    for (let index = 0; index < chunk.length; index++) {
      const byte = chunk[index] as number;
      if (this.#state === 'quoted') this.#insideQuotes(byte);
      else if (byte === lineFeed) {
        const record = this.#endRecord();
        this.#line += 1;
        this.#startLine = this.#line;
        if (record !== undefined) yield record;
      } else this.#outsideQuotes(byte);
    }
  }

  *end(): Generator<Fields> {
    if (this.#state === 'quoted') this.#fail('a quote is opened and never closed');
    const record = this.#endRecord();
    if (record !== undefined) yield record;
  }

  #insideQuotes(byte: number): void {
    if (byte === quoteMark) this.#state = 'closed';
    else {
      if (byte === lineFeed) this.#line += 1;
      this.#keep(byte);
    }
  }

  #outsideQuotes(byte: number): void {
    switch (this.#state) {
      case 'closed':
        if (byte === quoteMark && !this.#closedByReturn) {
          this.#keep(quoteMark);
          this.#state = 'quoted';
        } else if (byte === this.#delimiter && !this.#closedByReturn) this.#endField();
        else if (byte === carriageReturn && !this.#closedByReturn) this.#closedByReturn = true;
        else {
          this.#fail('text follows a closing quote; quotes inside a quoted field are written twice');
          this.#state = 'plain';
        }
        return;
      case 'start':
        if (byte === quoteMark) {
          this.#state = 'quoted';
          this.#quoted = true;
          return;
        }
        this.#state = 'plain';
    }
    if (byte === this.#delimiter) this.#endField();
    else {
      if (byte === quoteMark)
        this.#fail('a quote inside a field that does not start with one; put the whole field in quotes');
      this.#keep(byte);
    }
  }

  #keep(byte: number): void {
    if (this.#length >= this.#maxBytes) {
      this.#fail(`longer than ${this.#maxBytes} bytes; perhaps a closing quote is missing`);
      return;
    }
    if (this.#length === this.#bytes.length) {
      const larger = new Uint8Array(this.#bytes.length * 2);
      larger.set(this.#bytes);
      this.#bytes = larger;
    }
    this.#bytes[this.#length] = byte;
    this.#length += 1;
  }

  #endField(): void {
    // Fields without content cost memory too: a line of delimiters is bounded like any other.
    if (this.#ends.length < this.#maxBytes / 64) this.#ends.push(this.#length);
    else this.#fail('far too many fields');
    this.#state = 'start';
    this.#quoted = false;
    this.#closedByReturn = false;
  }

  #fail(error: string): void {
    this.#error ??= error;
  }

  /** The record that ends here; undefined for a blank line. */
  #endRecord(): Fields | undefined {
    const last = this.#ends.at(-1) ?? 0;
    if (this.#state === 'plain' && this.#length > last && this.#bytes[this.#length - 1] === carriageReturn)
      this.#length -= 1;
    const blank = this.#ends.length === 0 && this.#length === 0 && !this.#quoted;
    const error = this.#error;
    this.#endField();
    const record: Fields =
      error === undefined
        ? { line: this.#startLine, fields: this.#fields() }
        : { line: this.#startLine, error };
    this.#length = 0;
    this.#ends = [];
    this.#error = undefined;
    return blank && error === undefined ? undefined : record;
  }

  #fields(): Uint8Array[] {
    let start = 0;
    return this.#ends.map((end) => {
      const field = this.#bytes.slice(start, end);
      start = end;
      return field;
    });
  }
}
