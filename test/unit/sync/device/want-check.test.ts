import test from 'ava';
import { OfferBook } from '../../../../src/sync/device/offer-book.js';
import { EPOCH_JUMP_MAX, checkWant } from '../../../../src/sync/device/want-check.js';
import type { Want } from '../../../../src/sync/messages.js';
import { makeDevice, makeSigner, sealSegment } from '../../../support/sync/sealed-segment.js';

const segment = sealSegment(makeDevice('cam-1', 17), { plainBytes: 10 });
const offers = new OfferBook();
const { ref, manifest, content } = segment;
offers.pack('s1', [{ ref, manifest, content, bytes: 1 }], new Map());

const context = {
  device: 'cam-1',
  sid: 's1',
  receivers: [{ rx: 'rx1', publicKey: makeSigner().publicKey }],
  offers,
  epochs: new Map([['rx1', 7]]),
};
const good: Want = {
  sid: 's1',
  rx: 'rx1',
  key: 1,
  epoch: 8,
  to: 'lapel/v1/_rx/rx1/in/cam-1',
  leaves: true,
  meta: false,
  heads: false,
  have: Buffer.alloc(0),
  creditEnd: 0,
};
const judge = (change: Partial<Want>) => checkWant({ ...good, ...change }, context);

test('a want for a segment on offer, to an inbox of this device, is answered', (t) => {
  t.like(judge({}), { segment: { key: 1 } });
});

test('chunks go nowhere but to the inbox of the receiver that asks, for this device', (t) => {
  for (const to of [
    'lapel/v1/_rx/rx1/in/cam-2',
    'lapel/v1/_rx/rx9/in/cam-1',
    'lapel/v1/cam-1/dn/config',
    'lapel/v1/_rx/rx1/state',
    'elsewhere',
    'https://example.org/in/cam-1',
  ]) {
    t.deepEqual(judge({ to }), { fault: 'foreign-inbox' }, to);
  }
});

test('a want of another session, receiver or segment is not answered', (t) => {
  t.deepEqual(judge({ sid: 's0' }), { fault: 'other-session' });
  t.deepEqual(judge({ rx: 'rx2' }), { fault: 'unknown-receiver' });
  t.deepEqual(judge({ key: 2 }), { fault: 'unknown-key' });
});

test('the newest want of a receiver stands; the same or an older one is stale', (t) => {
  t.deepEqual(judge({ epoch: 7 }), { fault: 'stale-want' });
  t.deepEqual(judge({ epoch: 6 }), { fault: 'stale-want' });
  t.like(checkWant({ ...good, epoch: 1 }, { ...context, epochs: new Map() }), {
    segment: { key: 1 },
  });
});

test('an epoch far above the newest one is refused, so that it cannot make the wants after it stale', (t) => {
  t.deepEqual(judge({ epoch: 2 ** 32 - 1 }), { fault: 'epoch-jump' });
  t.deepEqual(judge({ epoch: 7 + EPOCH_JUMP_MAX + 1 }), { fault: 'epoch-jump' });
  t.like(judge({ epoch: 7 + EPOCH_JUMP_MAX }), { segment: { key: 1 } });
});
