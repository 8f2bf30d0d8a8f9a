import test from 'ava';
import { readManifest } from '../../../../src/evidence/manifest.js';
import { OfferBook } from '../../../../src/sync/device/offer-book.js';
import type { ReadableSegment } from '../../../../src/sync/device/offer-book.js';
import { PAYLOAD_BYTES_MAX, decodeOffer, encodeOffer } from '../../../../src/sync/messages.js';
import { digestOf, makeDevice, sealSegment } from '../../../support/sync/sealed-segment.js';

const owner = makeDevice('cam-1', 17);
const certificates = new Map([[17, owner.certificate]]);
const pending = (count: number, from = 0): ReadableSegment[] =>
  Array.from({ length: count }, (_, index) => {
    const { ref, manifest, ciphertext } = sealSegment(owner, { seq: from + index, plainBytes: 10 });
    return { ref, manifest, bytes: ciphertext.length, content: readManifest(manifest) };
  });

test('segments get keys that can be looked up by key and by reference', (t) => {
  const book = new OfferBook();
  const segments = pending(2);
  const offer = book.pack('s1', segments, certificates);
  t.deepEqual(
    offer.items.map(({ key, ref }) => [key, ref.seq]),
    [
      [1, 0],
      [2, 1],
    ],
  );
  t.is(offer.certificates.get(17), owner.certificate);
  t.like(book.find(2), { key: 2, ref: { seq: 1 } });
  t.like(book.findRef({ boot: 17, rec: 1, seq: 1 }), { key: 2 });
  t.is(book.find(3), undefined);
  t.is(book.findRef({ boot: 17, rec: 1, seq: 9 }), undefined);
});

test('a repeated offer keeps its keys; a key that is closed is never given again', (t) => {
  const book = new OfferBook();
  const segments = pending(3);
  book.pack('s1', segments, certificates);
  book.close(1);
  t.is(book.size, 2);
  const again = book.pack('s1', [...segments.slice(1), ...pending(1, 7)], certificates);
  t.deepEqual(
    again.items.map(({ key, ref }) => [key, ref.seq]),
    [
      [2, 1],
      [3, 2],
      [4, 7],
    ],
  );
  t.is(book.find(1), undefined);
  t.deepEqual(book.pack('s1', segments.slice(0, 1), certificates).items[0]?.key, 5);
});

test('an offer takes the oldest as far as one message holds them', (t) => {
  const book = new OfferBook();
  const segments = pending(64);
  const offer = book.pack('s1', segments, certificates);
  const payload = encodeOffer(offer);
  t.true(payload.length <= PAYLOAD_BYTES_MAX);
  t.is(offer.items.length, decodeOffer(payload).items.length);
  t.true(offer.items.length > 20);
  const bulky = segments.map((segment) => ({
    ...segment,
    manifest: { ...segment.manifest, payload: 'A'.repeat(40_000) },
  }));
  const few = book.pack('s1', bulky, certificates);
  t.is(few.items.length, 3);
  t.true(encodeOffer(few).length <= PAYLOAD_BYTES_MAX);
  t.is(book.size, 3);
});

test('what recovery sealed goes with the certificates of both boots', (t) => {
  const later = makeDevice('cam-1', 18, owner.deviceKey);
  const [segment] = pending(1);
  t.truthy(segment);
  if (segment === undefined) return;
  const recovered = { ...segment, content: { ...segment.content, sealed_by: 18 } };
  const both = new Map([...certificates, [18, later.certificate] as const]);
  const book = new OfferBook();
  t.deepEqual([...book.pack('s1', [recovered], both).certificates.keys()], [18, 17]);
  t.deepEqual([...book.pack('s1', [recovered], certificates).certificates.keys()], [17]);
});

test('the book knows the digest and the layout that a receipt and a want are judged by', (t) => {
  const book = new OfferBook();
  const segment = sealSegment(owner, { seq: 5, plainBytes: 100_000 });
  const { ref, manifest, ciphertext, content } = segment;
  book.pack('s1', [{ ref, manifest, bytes: ciphertext.length, content }], certificates);
  t.deepEqual(book.find(1), {
    key: 1,
    ref,
    file: content.file,
    digest: digestOf(segment),
    bytes: ciphertext.length,
  });
});
