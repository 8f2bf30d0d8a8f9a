import { randomBytes } from 'node:crypto';
import test from 'ava';
import fc from 'fast-check';
import { decryptWhole, encryptWhole, openAge } from '../../src/evidence/age-container.js';
import { headLength } from '../../src/evidence/age-header.js';
import { parseIdentity, parseRecipient } from '../../src/evidence/age-recipients.js';
import { decodeBech32, encodeBech32 } from '../../src/evidence/bech32.js';
import {
  formatEnvelope,
  openEnvelope,
  parseEnvelope,
  parseEnvelopeFile,
  sealDocument,
} from '../../src/evidence/dsse.js';
import { parseCanonical, toCanonicalBytes } from '../../src/evidence/jcs.js';
import { readManifest } from '../../src/evidence/manifest.js';
import {
  HASH_BYTES,
  consistencyProof,
  inclusionProof,
  leafAt,
  rootOfLeaves,
  verifyConsistency,
  verifyInclusion,
} from '../../src/evidence/merkle-tree.js';
import { fromSpkiBase64 } from '../../src/evidence/public-key.js';
import { SegmentSealer } from '../../src/evidence/segment-sealer.js';
import { createSigner } from '../../src/evidence/signer.js';
import { formatTrust, parseTrust } from '../../src/evidence/trust.js';
import { verifySegment } from '../../src/evidence/verify-segment.js';
import { isCameraError } from '../../src/errors.js';
import { filesOf, flip, flipText, makeCamera, makeSegment } from '../support/sealed-recording.js';

const camera = makeCamera();
const segment = makeSegment(camera, { bytes: 150_000 });
const signer = createSigner(randomBytes(32));

/** Runs `parse`; an error that is not of the table fails the property. */
function survives(parse: () => unknown): boolean {
  try {
    parse();
    return true;
  } catch (error) {
    if (isCameraError(error)) return true;
    throw error;
  }
}

/** A valid input with some bytes replaced, removed or inserted. */
const mutated = (valid: Buffer): fc.Arbitrary<Buffer> =>
  fc
    .array(fc.tuple(fc.nat(valid.length - 1), fc.nat(4), fc.uint8Array({ maxLength: 4 })), {
      minLength: 1,
      maxLength: 4,
    })
    .map((edits) =>
      edits.reduce<Buffer>(
        (bytes, [at, drop, insert]) =>
          Buffer.concat([bytes.subarray(0, at), insert, bytes.subarray(at + drop)]),
        valid,
      ),
    );

/** Random bytes, and what an attacker or a bad card makes of a good file. */
const hostile = (valid: Buffer): fc.Arbitrary<Buffer> =>
  fc.oneof(
    fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
    fc.string({ maxLength: 100 }).map((text) => Buffer.from(text)),
    mutated(valid),
  );

const seeds: Readonly<Record<string, readonly [Buffer, (bytes: Buffer) => unknown]>> = {
  'an envelope': [Buffer.from(segment.manifest), (bytes) => parseEnvelope(bytes.toString())],
  'an envelope file': [
    Buffer.from(segment.manifest),
    (bytes) => parseEnvelopeFile(bytes.toString()),
  ],
  'a manifest payload': [
    Buffer.from(segment.envelope.payload, 'base64'),
    (bytes) => readManifest({ ...segment.envelope, payload: bytes.toString('base64') }),
  ],
  'canonical JSON': [
    Buffer.from(segment.envelope.payload, 'base64'),
    (bytes) => parseCanonical(bytes),
  ],
  'a trust file': [Buffer.from(formatTrust(camera.trust)), (bytes) => parseTrust(bytes.toString())],
  'a recipient': [
    Buffer.from(camera.recipients[0]?.text ?? ''),
    (bytes) => parseRecipient(bytes.toString()),
  ],
  'an identity': [Buffer.from(camera.identity), (bytes) => parseIdentity(bytes.toString())],
  'a public key': [
    Buffer.from(camera.trust.devices[0]?.spki ?? ''),
    (bytes) => fromSpkiBase64(bytes.toString()),
  ],
  'the length of an age header': [segment.ciphertext.subarray(0, 400), headLength],
  'an age header': [
    segment.ciphertext.subarray(0, segment.head),
    (bytes) => openAge(bytes, camera.identity),
  ],
  'an age file': [segment.meta, (bytes) => decryptWhole(bytes, camera.identity)],
};

for (const [name, [valid, parse]] of Object.entries(seeds)) {
  test(`whatever stands in the place of ${name}, only errors of the table come out`, (t) => {
    t.notThrows(() => parse(valid));
    t.notThrows(() => {
      fc.assert(
        fc.property(hostile(valid), (bytes) => survives(() => parse(bytes))),
        { numRuns: 400 },
      );
    });
  });
}

const json = fc.jsonValue({ maxDepth: 4, noUnicodeString: false }).filter((value) => {
  try {
    toCanonicalBytes(value);
    return true;
  } catch {
    return false;
  }
});

test('canonical bytes parse back to the document and are the only bytes that do', (t) => {
  t.notThrows(() => {
    fc.assert(
      fc.property(json, (document) => {
        const bytes = toCanonicalBytes(document);
        const parsed = parseCanonical(bytes);
        return toCanonicalBytes(parsed).equals(bytes);
      }),
    );
  });
});

test('a sealed document opens to what was sealed; any flipped bit of its line is noticed', (t) => {
  t.notThrows(() => {
    fc.assert(
      fc.property(json, fc.nat(), fc.nat(7), (document, position, bit) => {
        const type = 'application/vnd.lapel.test.v1+json';
        const envelope = sealDocument(document, type, signer);
        const keys = [signer.publicKey];
        const line = formatEnvelope(envelope);
        const body = openEnvelope(parseEnvelope(line), type, keys);
        if (!body.equals(toCanonicalBytes(document))) return false;
        const changed = flipText(line, position % line.length, 1 << bit);
        try {
          openEnvelope(parseEnvelope(changed), type, keys);
          return false;
        } catch (error) {
          return isCameraError(error);
        }
      }),
      { numRuns: 60 },
    );
  });
});

test('bech32 brings back any bytes', (t) => {
  t.notThrows(() => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) =>
        decodeBech32('age', encodeBech32('age', bytes))?.equals(Buffer.from(bytes)),
      ),
    );
  });
});

test('however plaintext is split into pushes, it decrypts whole and has the same plain root', (t) => {
  const salt = randomBytes(32);
  const plain = randomBytes(250_000);
  const seal = (cuts: readonly number[]): { file: Buffer; root: string } => {
    const sealer = new SegmentSealer({ recipients: camera.recipients, salt });
    const bounds = [0, ...cuts.toSorted((a, b) => a - b), plain.length];
    const parts = bounds.slice(1).map((end, index) => plain.subarray(bounds[index], end));
    const leaves = [
      ...sealer.start(),
      ...parts.flatMap((part) => sealer.push([part])),
      ...sealer.end(),
    ];
    const file = Buffer.concat(leaves.map(({ bytes }) => bytes));
    return { file, root: sealer.plain().root.toString('hex') };
  };
  const { root } = seal([]);
  const cut = fc.oneof(fc.nat(plain.length), fc.constantFrom(65_535, 65_536, 65_537, 131_072));
  t.notThrows(() => {
    fc.assert(
      fc.property(fc.array(cut, { maxLength: 8 }), (cuts) => {
        const sealed = seal(cuts);
        const { plain: opened, isComplete } = decryptWhole(sealed.file, camera.identity);
        return sealed.root === root && isComplete && opened.equals(plain);
      }),
      { numRuns: 40 },
    );
  });
});

test('a file cut anywhere gives exactly its whole chunks', (t) => {
  const plain = randomBytes(140_000);
  const file = encryptWhole(plain, camera.recipients);
  const head = headLength(file);
  t.notThrows(() => {
    fc.assert(
      fc.property(fc.integer({ min: head, max: file.length - 1 }), (length) => {
        const opened = decryptWhole(file.subarray(0, length), camera.identity);
        const whole = Math.floor((length - head) / 65_552) * 65_536;
        return !opened.isComplete && opened.plain.equals(plain.subarray(0, whole));
      }),
      { numRuns: 60 },
    );
  });
});

test('proofs of any tree hold, and hold for nothing else', (t) => {
  const sizes = fc
    .integer({ min: 1, max: 200 })
    .chain((size) =>
      fc.tuple(fc.constant(size), fc.nat(size - 1), fc.integer({ min: 1, max: size })),
    );
  t.notThrows(() => {
    fc.assert(
      fc.property(
        sizes,
        fc.uint8Array({ minLength: 32, maxLength: 32 }),
        ([size, index, oldSize], other) => {
          const leaves = randomBytes(size * HASH_BYTES);
          const root = rootOfLeaves(leaves);
          const claim = { index, size, leaf: leafAt(leaves, index), root };
          const proof = inclusionProof(index, leaves);
          const oldRoot = rootOfLeaves(leaves.subarray(0, oldSize * HASH_BYTES));
          const growth = { oldSize, oldRoot, newSize: size, newRoot: root };
          const consistency = consistencyProof(oldSize, leaves);
          return (
            verifyInclusion(claim, proof) &&
            !verifyInclusion({ ...claim, leaf: Buffer.from(other) }, proof) &&
            verifyConsistency(growth, consistency) &&
            !verifyConsistency({ ...growth, oldRoot: Buffer.from(other) }, consistency)
          );
        },
      ),
      { numRuns: 60 },
    );
  });
});

const target = fc.constantFrom('manifest', 'heads', 'session', 'leaves', 'meta', 'ciphertext');

test('one flipped bit anywhere in the files of a segment is never ok, and its file is named', async (t) => {
  const own = camera.sessions.get(segment.ref.boot) ?? '';
  const property = fc.asyncProperty(target, fc.nat(), fc.nat(7), async (file, position, bit) => {
    const mask = 1 << bit;
    const text = (content: string): string => flipText(content, position % content.length, mask);
    const bytes = (content: Buffer): Buffer => flip(content, position % content.length, mask);
    const damage = {
      manifest: () => ({ manifest: text(segment.manifest) }),
      heads: () => ({ heads: text(segment.heads) }),
      session: () => ({ sessions: new Map([[segment.ref.boot, text(own)]]) }),
      leaves: () => ({ leaves: bytes(segment.leaves) }),
      meta: () => ({ meta: bytes(segment.meta) }),
      ciphertext: () => ({ ciphertext: bytes(segment.ciphertext) }),
    }[file]();
    const suffix = {
      manifest: '0.dsse',
      ciphertext: '0.age',
      meta: '0.meta.age',
      session: 'session.dsse',
    };
    const name = file in suffix ? suffix[file as keyof typeof suffix] : `0.${file}`;
    const { state, problems } = await verifySegment(filesOf(camera, segment, damage), camera.trust);
    return state === 'not-ok' && problems.some((problem) => problem.file.endsWith(`/${name}`));
  });
  await t.notThrowsAsync(fc.assert(property, { numRuns: 300 }));
});

test('a flipped byte of the footage names exactly its leaf', async (t) => {
  const property = fc.asyncProperty(fc.nat(segment.ciphertext.length - 1), async (at) => {
    const leaf = at < segment.head ? 0 : 1 + Math.floor((at - segment.head) / 65_552);
    const files = filesOf(camera, segment, { ciphertext: flip(segment.ciphertext, at) });
    const { problems } = await verifySegment(files, camera.trust);
    const [problem] = problems;
    return problems.length === 1 && problem?.leaf === leaf && problem.lastLeaf === leaf;
  });
  await t.notThrowsAsync(fc.assert(property, { numRuns: 100 }));
});

test('whatever stands in the files of a segment, a verdict comes out, and never ok', async (t) => {
  const any = fc.option(hostile(Buffer.from(segment.manifest)), { nil: undefined });
  const record = fc.record({
    manifest: any,
    heads: any,
    session: any,
    leaves: any,
    meta: any,
    ciphertext: any,
  });
  const property = fc.asyncProperty(record, async ({ manifest, heads, session, ...binary }) => {
    const files = filesOf(camera, segment, {
      ...binary,
      manifest: manifest?.toString(),
      heads: heads?.toString(),
      sessions: new Map(session ? [[segment.ref.boot, session.toString()]] : []),
    });
    const { state, problems } = await verifySegment(files, camera.trust);
    return state !== 'ok' && problems.length > 0;
  });
  await t.notThrowsAsync(fc.assert(property, { numRuns: 200 }));
});
