import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test from 'ava';
import fc from 'fast-check';
import { DecryptedSegment } from '../../../src/cli/decrypted-segment.js';
import { CHUNK_BYTES, LEAF_BYTES, encryptWhole } from '../../../src/evidence/age-container.js';
import { headLength } from '../../../src/evidence/age-header.js';
import { generateIdentity, parseRecipient } from '../../../src/evidence/age-recipients.js';
import { NodeFileSystem } from '../../../src/hal/linux/node-file-system.js';
import { rejectsWith } from '../../support/reject-code.js';

const fs = new NodeFileSystem();
const { identity, recipient } = generateIdentity();
const directory = await mkdtemp(path.join(tmpdir(), 'lapel-decrypted-'));
test.after.always(() => rm(directory, { recursive: true }));

let files = 0;

async function segmentOf(bytes: Buffer): Promise<string> {
  files += 1;
  const file = path.join(directory, `${files}.age`);
  await writeFile(file, bytes);
  return file;
}

/** Sizes around the seams of the chunks, and any other. */
const size = fc.oneof(
  fc.constantFrom(0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 2 * CHUNK_BYTES),
  fc.nat(3 * CHUNK_BYTES),
);

test('any part read on its own equals that part of the whole', async (t) => {
  await fc.assert(
    fc.asyncProperty(
      size,
      fc.array(fc.tuple(fc.nat(), fc.nat()), { minLength: 1, maxLength: 8 }),
      async (bytes, parts) => {
        const plain = randomBytes(bytes);
        const file = await segmentOf(encryptWhole(plain, [parseRecipient(recipient)]));
        const segment = await DecryptedSegment.open(fs, file, identity);
        t.is(segment.size, bytes);
        t.true((await segment.read(0, bytes)).equals(plain));
        for (const [a, b] of parts) {
          const [start = 0, end = 0] = [a % (bytes + 1), b % (bytes + 1)].sort((x, y) => x - y);
          t.true((await segment.read(start, end)).equals(plain.subarray(start, end)));
        }
        await segment.close();
      },
    ),
    { numRuns: 40 },
  );
});

test('a file that was cut anywhere gives its whole chunks and no byte more', async (t) => {
  await fc.assert(
    fc.asyncProperty(fc.nat(), async (at) => {
      const plain = randomBytes(2 * CHUNK_BYTES + 1000);
      const cipher = encryptWhole(plain, [parseRecipient(recipient)]);
      const head = headLength(cipher);
      const cut = head + (at % (cipher.length - head));
      const file = await segmentOf(cipher.subarray(0, cut));
      const segment = await DecryptedSegment.open(fs, file, identity);
      const whole = Math.floor((cut - head) / LEAF_BYTES) * CHUNK_BYTES;
      t.is(segment.size, whole);
      t.true((await segment.read(0, whole)).equals(plain.subarray(0, whole)));
      await segment.close();
    }),
    { numRuns: 25 },
  );
});

test('the size in the manifest rules: bytes behind it do not count, and a cut within it shows', async (t) => {
  const plain = randomBytes(CHUNK_BYTES + 500);
  const cipher = encryptWhole(plain, [parseRecipient(recipient)]);
  const head = headLength(cipher);
  const file = await segmentOf(Buffer.concat([cipher, Buffer.alloc(300)]));
  const whole = await DecryptedSegment.open(fs, file, identity, cipher.length);
  t.true((await whole.read(0, whole.size)).equals(plain));
  await whole.close();
  const first = await DecryptedSegment.open(fs, file, identity, head + LEAF_BYTES);
  t.is(first.size, CHUNK_BYTES);
  await first.close();
  const cut = await segmentOf(cipher.subarray(0, cipher.length - 1));
  const short = await DecryptedSegment.open(fs, cut, identity, cipher.length);
  await rejectsWith(t, 'evidence/malformed', () => short.read(CHUNK_BYTES, short.size));
  await short.close();
});

test('a changed chunk is refused, the others stay readable', async (t) => {
  const plain = randomBytes(3 * CHUNK_BYTES);
  const cipher = encryptWhole(plain, [parseRecipient(recipient)]);
  const at = headLength(cipher) + LEAF_BYTES + 7;
  cipher[at] = (cipher[at] ?? 0) ^ 1;
  const segment = await DecryptedSegment.open(fs, await segmentOf(cipher), identity);
  t.true((await segment.read(0, CHUNK_BYTES)).equals(plain.subarray(0, CHUNK_BYTES)));
  t.true(
    (await segment.read(2 * CHUNK_BYTES, 3 * CHUNK_BYTES)).equals(plain.subarray(2 * CHUNK_BYTES)),
  );
  await rejectsWith(t, 'evidence/malformed', () => segment.read(CHUNK_BYTES - 1, CHUNK_BYTES + 1));
  await segment.close();
});

test('the wrong identity and what is no age file are told apart', async (t) => {
  const file = await segmentOf(encryptWhole(randomBytes(10), [parseRecipient(recipient)]));
  const other = generateIdentity().identity;
  await rejectsWith(t, 'evidence/wrong-key', () => DecryptedSegment.open(fs, file, other));
  const junk = await segmentOf(Buffer.from('no age file at all\n'));
  await rejectsWith(t, 'evidence/malformed', () => DecryptedSegment.open(fs, junk, identity));
  const gone = path.join(directory, 'gone.age');
  await rejectsWith(t, 'storage/not-found', () => DecryptedSegment.open(fs, gone, identity));
});
