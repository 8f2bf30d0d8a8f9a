import test from 'ava';
import fc from 'fast-check';
import { openCheckpoint, parseCheckpoint, sealCheckpoint } from '../../src/evidence/checkpoint.js';
import { formatEnvelope } from '../../src/evidence/dsse.js';
import { chainOf, openRotation, sealRotation } from '../../src/evidence/key-rotation.js';
import { readEntry } from '../../src/evidence/log-entry.js';
import {
  formatConsistency,
  formatInclusion,
  openConsistency,
  openInclusion,
  parseConsistency,
  parseInclusion,
} from '../../src/evidence/log-proof.js';
import { HASH_BYTES, leafHash, rootOfLeaves } from '../../src/evidence/merkle-tree.js';
import { formatNote, parseNote } from '../../src/evidence/signed-note.js';
import { decodeBundle, encodeBundle, parseTilePath, tilePath } from '../../src/evidence/tiles.js';
import {
  hashesOfLeaves,
  proveConsistency,
  proveInclusion,
} from '../../src/evidence/tree-hashes.js';
import { parseEnvelope } from '../../src/evidence/dsse.js';
import { isCameraError } from '../../src/errors.js';
import { parseRotations } from '../../src/storage/device-keys.js';
import { LogFixture } from '../support/device-log-fixture.js';
import { fastSigner } from '../support/fast-signer.js';

const key = fastSigner();
const leaves = Buffer.concat(Array.from({ length: 9 }, (_, n) => leafHash(Buffer.from(`${n}`))));
const headOf = (size: number) => ({
  size,
  root: rootOfLeaves(leaves.subarray(0, size * HASH_BYTES)),
});
const note = sealCheckpoint('cam-1', headOf(9), [key]);
const source = hashesOfLeaves(leaves);
const inclusion = formatInclusion({
  ...{ index: 4, proof: proveInclusion(source, 4, 9), checkpoint: note },
  extra: Buffer.from('extra'),
});
const consistency = formatConsistency({
  ...{ oldSize: 5, proof: proveConsistency(source, 5, 9), checkpoint: note },
});

/** Runs `parse`; an error that is not of the table fails the property. Undefined after an error. */
function attempt<T>(parse: () => T): T | undefined {
  try {
    return parse();
  } catch (error) {
    if (isCameraError(error)) return undefined;
    throw error;
  }
}

/** A valid text with some characters replaced, removed or inserted. */
const mutated = (valid: string): fc.Arbitrary<string> =>
  fc
    .array(
      fc.tuple(fc.nat(valid.length - 1), fc.nat(4), fc.string({ unit: 'binary', maxLength: 4 })),
      { minLength: 1, maxLength: 3 },
    )
    .map((edits) =>
      edits.reduce(
        (text, [at, drop, more]) => text.slice(0, at) + more + text.slice(at + drop),
        valid,
      ),
    );
const texts = (valid: string): fc.Arbitrary<string> =>
  fc.oneof(fc.string({ unit: 'binary', maxLength: 300 }), mutated(valid));

test('a note is parsed or refused, and what is parsed has one text form', (t) => {
  fc.assert(
    fc.property(texts(note), (text) => {
      const parsed = attempt(() => parseNote(text));
      return parsed === undefined || formatNote(parsed) === text;
    }),
    { numRuns: 2000 },
  );
  t.pass();
});

test('no change of a checkpoint leaves it open with another head', (t) => {
  const head = headOf(9);
  fc.assert(
    fc.property(texts(note), (text) => {
      attempt(() => parseCheckpoint(text));
      const opened = attempt(() => openCheckpoint(text, 'cam-1', [key.publicKey]));
      return opened === undefined || (opened.size === 9 && opened.root.equals(head.root));
    }),
    { numRuns: 2000 },
  );
  t.pass();
});

test('no change of a proof of inclusion proves another place, or another leaf', (t) => {
  const leaf = leaves.subarray(4 * HASH_BYTES, 5 * HASH_BYTES);
  const keys = [key.publicKey];
  fc.assert(
    fc.property(texts(inclusion), fc.uint8Array({ maxLength: 40 }), (text, other) => {
      const parsed = attempt(() => parseInclusion(text));
      if (parsed !== undefined && formatInclusion(parsed) !== text) return false;
      const proven = attempt(() => openInclusion(text, leaf, 'cam-1', keys));
      const forged = attempt(() => openInclusion(text, leafHash(other), 'cam-1', keys));
      return (proven === undefined || proven.index === 4) && forged === undefined;
    }),
    { numRuns: 2000 },
  );
  t.pass();
});

test('no change of a proof of consistency proves it of another old head', (t) => {
  const keys = [key.publicKey];
  fc.assert(
    fc.property(texts(consistency), fc.constantFrom(4, 6, 7), (text, size) => {
      const parsed = attempt(() => parseConsistency(text));
      if (parsed !== undefined && formatConsistency(parsed) !== text) return false;
      attempt(() => openConsistency(text, headOf(5), 'cam-1', keys));
      const other = { size: 5, root: headOf(size).root };
      return attempt(() => openConsistency(text, other, 'cam-1', keys)) === undefined;
    }),
    { numRuns: 2000 },
  );
  t.pass();
});

test('a path of a tile is read back as the tile it was written for, and has one form', (t) => {
  const level = fc.oneof(fc.nat(63), fc.constant('entries' as const));
  const tiles = fc.record({
    level,
    index: fc.nat(999_999_999_999),
    width: fc.integer({ min: 1, max: 256 }),
  });
  fc.assert(
    fc.property(tiles, (tile) => {
      const parsed = parseTilePath(tilePath(tile));
      return JSON.stringify(parsed) === JSON.stringify(tile);
    }),
  );
  fc.assert(
    fc.property(texts('tile/0/x001/x234/067.p/17'), (path) => {
      const parsed = parseTilePath(path);
      return parsed === undefined || tilePath(parsed) === path;
    }),
    { numRuns: 2000 },
  );
  t.pass();
});

test('a bundle gives back what was bundled; other bytes are read in one way or refused', (t) => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 20 }), (entries) => {
      const buffers = entries.map((entry) => Buffer.from(entry));
      return Buffer.concat(decodeBundle(encodeBundle(buffers))).equals(Buffer.concat(buffers));
    }),
  );
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 600 }), (bytes) => {
      const entries = attempt(() => decodeBundle(Buffer.from(bytes)));
      return entries === undefined || encodeBundle(entries).equals(Buffer.from(bytes));
    }),
    { numRuns: 1000 },
  );
  t.pass();
});

test('no change of a rotation leads to another key', (t) => {
  const fresh = fastSigner();
  const envelope = sealRotation('cam-1', 7, key, fresh);
  fc.assert(
    fc.property(texts(formatEnvelope(envelope)), (text) => {
      attempt(() => parseRotations(text));
      const parsed = attempt(() => parseEnvelope(text));
      if (parsed === undefined) return true;
      attempt(() => openRotation(parsed));
      const chain = attempt(() => chainOf('cam-1', key.publicKey, [parsed]));
      return chain === undefined || chain.at(-1)?.publicKey.equals(fresh.publicKey) === true;
    }),
    { numRuns: 500 },
  );
  t.pass();
});

test('a log in which any entry, certificate or checkpoint was changed is never ok, and never an exception', (t) => {
  const log = new LogFixture().start().beats(3).segment('1/1/0', true).start().beats(2);
  const checkpoint = log.checkpoint();
  t.is(log.verify().state, 'ok');
  const entries = fc
    .nat(log.texts.length - 1)
    .chain((index) => mutated(log.texts[index] ?? '').map((text) => log.texts.with(index, text)));
  fc.assert(
    fc.property(entries, (changed) => {
      const isSame = changed.every((text, n) => text.replace(/\n$/, '') === log.texts[n]);
      attempt(() => readEntry(parseEnvelope(changed[2] ?? '')));
      return (
        isSame ||
        log.verify({ texts: changed, checkpoints: [{ name: 'c', note: checkpoint }] }).state !==
          'ok'
      );
    }),
    { numRuns: 300 },
  );
  fc.assert(
    fc.property(mutated(log.sessions.get(1) ?? ''), (text) => {
      const sessions = new Map(log.sessions).set(1, text);
      return text === log.sessions.get(1) || log.verify({ sessions }).state !== 'ok';
    }),
    { numRuns: 200 },
  );
  fc.assert(
    fc.property(texts(checkpoint), (changed) => {
      const { state, held } = log.verify({ checkpoints: [{ name: 'c', note: changed }] });
      return state !== 'ok' || held[0]?.size === log.texts.length;
    }),
    { numRuns: 200 },
  );
});
