import test from 'ava';
import { sealReceipt } from '../../../../src/evidence/receipt.js';
import type { Receipt } from '../../../../src/evidence/receipt.js';
import { OfferBook } from '../../../../src/sync/device/offer-book.js';
import { checkReceipt } from '../../../../src/sync/device/receipt-check.js';
import {
  digestOf,
  makeDevice,
  makeSigner,
  sealSegment,
} from '../../../support/sync/sealed-segment.js';

const owner = makeDevice('cam-1', 17);
const segment = sealSegment(owner, { plainBytes: 10 });
const other = sealSegment(owner, { seq: 1, plainBytes: 10 });
const rx1 = makeSigner();
const rx2 = makeSigner();
const pinned = [
  { rx: 'rx1', publicKey: rx1.publicKey },
  { rx: 'rx2', publicKey: rx2.publicKey },
];

const book = new OfferBook();
book.pack(
  's1',
  [segment, other].map(({ ref, manifest, content, ciphertext }) => ({
    ref,
    manifest,
    content,
    bytes: ciphertext.length,
  })),
  new Map(),
);

const good: Omit<Receipt, 'v' | 'type'> = {
  device: 'cam-1',
  seg: '17/1/0',
  man: digestOf(segment),
  root: segment.content.file.root,
  size: segment.content.file.size,
  log: null,
  stores: [{ id: 'rx2', kind: 'fs', durable: true }],
  rx: 'rx2',
  ts: 1,
  nonce: '0'.repeat(32),
};
const judge = (change: Partial<typeof good>, signer = rx2) =>
  checkReceipt(sealReceipt({ ...good, ...change }, signer), 'cam-1', pinned, book);

test('a receipt by any pinned receiver counts for the segment it names', (t) => {
  t.like(judge({}), { segment: { key: 1 } });
  t.like(judge({ rx: 'rx1' }, rx1), { segment: { key: 1 } });
});

test('a forged receipt frees nothing: wrong key, root, size, manifest, segment, device or name', (t) => {
  t.deepEqual(judge({}, makeSigner()), { fault: 'wrong-key' });
  t.deepEqual(judge({ root: other.content.file.root }), { fault: 'other-root' });
  t.deepEqual(judge({ size: good.size + 1 }), { fault: 'other-root' });
  t.deepEqual(judge({ man: digestOf(other) }), { fault: 'other-manifest' });
  t.deepEqual(judge({ seg: '17/1/1' }), { fault: 'other-manifest' });
  t.deepEqual(judge({ seg: '17/1/2' }), { fault: 'not-offered' });
  t.deepEqual(judge({ device: 'cam-2' }), { fault: 'other-device' });
  t.deepEqual(judge({ rx: 'rx1' }), { fault: 'wrong-key' });
});

test('a receipt whose bytes were changed after signing is by no key', (t) => {
  const envelope = sealReceipt(good, rx2);
  const changed = Buffer.from(envelope.payload, 'base64');
  changed.write('9', changed.length - 2);
  const forged = { ...envelope, payload: changed.toString('base64') };
  t.deepEqual(checkReceipt(forged, 'cam-1', pinned, book), { fault: 'wrong-key' });
});

test('another signed document is no receipt', (t) => {
  t.deepEqual(checkReceipt(segment.manifest, 'cam-1', pinned, book), { fault: 'malformed' });
});

test('a receipt said again after it counted is no forgery', (t) => {
  const closed = new OfferBook();
  const { ref, manifest, content } = segment;
  closed.pack('s1', [{ ref, manifest, content, bytes: 1 }], new Map());
  closed.close(1);
  const verdict = checkReceipt(sealReceipt(good, rx2), 'cam-1', pinned, closed);
  t.deepEqual(verdict, { fault: 'repeated' });
});

test('nobody pinned, nothing believed', (t) => {
  t.deepEqual(checkReceipt(sealReceipt(good, rx2), 'cam-1', [], book), { fault: 'wrong-key' });
});
