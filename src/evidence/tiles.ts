import { CameraError } from '../errors.js';
import { TREE_SIZE_MAX } from './merkle-tree.js';
import { TILE_WIDTH } from './tree-hashes.js';

/** Paths and bundles of C2SP tlog-tiles, below the prefix of a log. */

/** One file of a tiled log: hashes of a level, or with `entries` what was hashed. */
export interface Tile {
  readonly level: number | 'entries';
  /** Place within its level, from 0. */
  readonly index: number;
  /** Hashes or entries in it: 256 when it is full. */
  readonly width: number;
}

const LEVEL_MAX = 63;
/** 64 levels of a tree of 2^30 leaves: no index of ours is longer, and four groups hold it exactly as a number. */
const GROUPS_MAX = 4;
const PATH = /^tile\/(entries|0|[1-9]\d?)\/((?:x\d{3}\/)*)(\d{3})(?:\.p\/([1-9]\d{0,2}))?$/;
/** A length takes two bytes. */
const LENGTH_BYTES = 2;
export const BUNDLED_BYTES_MAX = 0xffff;

/** `tile/0/x001/x234/067`, `tile/entries/000.p/17`. */
export function tilePath({ level, index, width }: Tile): string {
  const digits = String(index);
  const padded = digits.padStart(Math.ceil(digits.length / 3) * 3, '0');
  const groups = padded.match(/\d{3}/g) ?? [];
  const name = [...groups.slice(0, -1).map((group) => `x${group}`), ...groups.slice(-1)].join('/');
  const partial = width === TILE_WIDTH ? '' : `.p/${width}`;
  return `tile/${level}/${name}${partial}`;
}

/** The tile that a path names; undefined when it is none, or not in its one form. */
export function parseTilePath(path: string): Tile | undefined {
  const [, level, groups = '', last = '', width] = PATH.exec(path) ?? [];
  if (level === undefined || groups.length > (GROUPS_MAX - 1) * 5) return undefined;
  const index = Number(groups.replace(/[x/]/g, '') + last);
  const tile: Tile = {
    level: level === 'entries' ? level : Number(level),
    index,
    width: width === undefined ? TILE_WIDTH : Number(width),
  };
  if (typeof tile.level === 'number' && tile.level > LEVEL_MAX) return undefined;
  const isPartial = width !== undefined;
  if (isPartial && tile.width >= TILE_WIDTH) return undefined;
  return tilePath(tile) === path ? tile : undefined;
}

/** Every tile of a tree of that size, bundles of entries last; the last of each level may be a partial one. */
export function* tilesOf(size: number): Generator<Tile, void, undefined> {
  if (!Number.isInteger(size) || size < 0 || size > TREE_SIZE_MAX) throw new RangeError('no size');
  for (let level = 0, hashes = size; hashes > 0; level += 1) {
    yield* tilesOfLevel(level, hashes);
    hashes = Math.floor(hashes / TILE_WIDTH);
  }
  yield* tilesOfLevel('entries', size);
}

function* tilesOfLevel(level: Tile['level'], hashes: number): Generator<Tile, void, undefined> {
  const full = Math.floor(hashes / TILE_WIDTH);
  for (let index = 0; index < full; index += 1) yield { level, index, width: TILE_WIDTH };
  const width = hashes % TILE_WIDTH;
  if (width > 0) yield { level, index: full, width };
}

/** A bundle of entries: each behind its length in two bytes. Throws `evidence/malformed` for one that is too long. */
export function encodeBundle(entries: readonly Buffer[]): Buffer {
  return Buffer.concat(
    entries.flatMap((entry) => {
      if (entry.length > BUNDLED_BYTES_MAX) {
        throw new CameraError('evidence/malformed', 'an entry is too long for a bundle');
      }
      const length = Buffer.alloc(LENGTH_BYTES);
      length.writeUInt16BE(entry.length);
      return [length, entry];
    }),
  );
}

/** The entries of a bundle, as views. Throws `evidence/malformed` when it is cut or holds more than 256. */
export function decodeBundle(bytes: Buffer): Buffer[] {
  const entries: Buffer[] = [];
  for (let at = 0; at < bytes.length;) {
    const begin = at + LENGTH_BYTES;
    const end = begin <= bytes.length ? begin + bytes.readUInt16BE(at) : Infinity;
    if (end > bytes.length || entries.length === TILE_WIDTH) {
      throw new CameraError('evidence/malformed', 'not a bundle of log entries');
    }
    entries.push(bytes.subarray(begin, end));
    at = end;
  }
  return entries;
}
