/** A value, or one line that says where and why the text is not a JSON document. */
export type JsonResult =
  { readonly ok: true; readonly value: unknown } | { readonly ok: false; readonly fault: string };

/** Longest document read: far above any board file or config, and small enough to check in a blink. */
export const DOCUMENT_LENGTH_MAX = 256 * 1024;
/** Deepest nesting read; our own documents need 4. Keeps the recursion of the scanner bounded. */
export const DOCUMENT_DEPTH_MAX = 32;
/** Longest part of a key quoted in a fault. */
const QUOTED_LENGTH_MAX = 40;

const WHITESPACE = /[ \t\n\r]*/y;
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
// eslint-disable-next-line no-control-regex -- RFC 8259 §7 forbids exactly these inside a string
const STRING = /"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y;
const LITERAL = /true|false|null/y;

const quote = (key: string): string => JSON.stringify(key.slice(0, QUOTED_LENGTH_MAX));

class SyntaxFault extends Error {
  readonly offset: number;

  constructor(offset: number, reason: string) {
    super(reason);
    this.offset = offset;
  }
}

/**
 * Walks RFC 8259 text without building anything. `JSON.parse` alone will not do: on Node 20 it names no position
 * for most faults, and of two equal keys it silently drops the first.
 */
class Scanner {
  readonly #text: string;
  #offset = 0;

  constructor(text: string) {
    this.#text = text;
  }

  /** Throws a SyntaxFault at the first fault. */
  document(): void {
    this.#value(0);
    if (this.#offset < this.#text.length) this.#fail('unexpected text after the end');
  }

  /** `depth`: how many objects and arrays are open around the value. */
  #value(depth: number): void {
    this.#take(WHITESPACE);
    const next = this.#text[this.#offset];
    if ((next === '{' || next === '[') && depth === DOCUMENT_DEPTH_MAX) {
      this.#fail(`nested deeper than ${DOCUMENT_DEPTH_MAX}`);
    }
    if (next === '{') this.#object(depth);
    else if (next === '[') this.#array(depth);
    else if (next === '"') this.#string();
    else if (!this.#take(NUMBER) && !this.#take(LITERAL)) this.#fail('expected a value');
    this.#take(WHITESPACE);
  }

  #object(depth: number): void {
    const keys = new Set<string>();
    this.#items('}', () => {
      this.#take(WHITESPACE);
      const at = this.#offset;
      if (this.#text[at] !== '"') this.#fail('expected a key in double quotes');
      const key = JSON.parse(this.#string()) as string;
      if (keys.has(key)) throw new SyntaxFault(at, `the key ${quote(key)} comes twice`);
      keys.add(key);
      this.#take(WHITESPACE);
      if (!this.#skip(':')) this.#fail('expected ":"');
      this.#value(depth + 1);
    });
  }

  #array(depth: number): void {
    this.#items(']', () => {
      this.#value(depth + 1);
    });
  }

  /** The items between an opening bracket and `end`, separated by commas. */
  #items(end: string, item: () => void): void {
    this.#offset += 1;
    this.#take(WHITESPACE);
    if (this.#skip(end)) return;
    do item();
    while (this.#skip(','));
    if (!this.#skip(end)) this.#fail(`expected "," or "${end}"`);
  }

  #string(): string {
    const string = this.#take(STRING);
    if (string === '') this.#fail('a string with a bad escape, a raw control character or no end');
    return string;
  }

  #take(pattern: RegExp): string {
    pattern.lastIndex = this.#offset;
    const match = pattern.exec(this.#text)?.[0] ?? '';
    this.#offset += match.length;
    return match;
  }

  #skip(character: string): boolean {
    if (this.#text[this.#offset] !== character) return false;
    this.#offset += 1;
    return true;
  }

  #fail(reason: string): never {
    const isAtEnd = this.#offset >= this.#text.length;
    throw new SyntaxFault(this.#offset, isAtEnd ? `${reason}, the text ends here` : reason);
  }
}

/**
 * Reads a JSON document (RFC 8259) of at most `DOCUMENT_LENGTH_MAX` UTF-16 units. Never throws.
 * A fault carries line and column, both from 1. Equal keys in one object are a fault, unlike in `JSON.parse`.
 */
export function readJson(text: string): JsonResult {
  if (text.length > DOCUMENT_LENGTH_MAX) {
    return { ok: false, fault: `longer than ${DOCUMENT_LENGTH_MAX} characters` };
  }
  try {
    new Scanner(text).document();
    return { ok: true, value: JSON.parse(text) };
  } catch (error) {
    if (!(error instanceof SyntaxFault)) throw error;
    const before = text.slice(0, error.offset);
    const line = before.split('\n').length;
    const column = error.offset - before.lastIndexOf('\n');
    return { ok: false, fault: `line ${line}, column ${column}: ${error.message}` };
  }
}
