import test from 'ava';
import { formatEnvelopeFile } from '../../../src/evidence/dsse.js';
import { sealSessionKey } from '../../../src/evidence/session-key.js';
import { emptyTrust, withRotations } from '../../../src/evidence/trust.js';
import type { LogVerdict } from '../../../src/evidence/verify-log.js';
import { LOG_PROBLEMS_MAX } from '../../../src/evidence/verify-log.js';
import { DIGEST, LogFixture } from '../../support/device-log-fixture.js';
import { fastSigner } from '../../support/fast-signer.js';

/** State, and what is wrong with which entry. */
const told = ({ state, problems }: LogVerdict): readonly string[] => [
  state,
  ...problems.map(({ what, entry }) => (entry === undefined ? what : `${what} ${entry}`)),
];
const swapped = (texts: readonly string[], a: number, b: number): readonly string[] =>
  texts.map((text, n) => (n === a ? texts[b] : n === b ? texts[a] : text) ?? '');
const without = (texts: readonly string[], index: number): readonly string[] =>
  texts.filter((_, n) => n !== index);

/** Two boots: an hour with a recording of two segments that reached a receiver, then ten minutes. */
const day = (): LogFixture =>
  new LogFixture()
    .start()
    .beats(30)
    .segment('1/1/0')
    .segment('1/1/1', true)
    .add({ type: 'offered', seg: '1/1/0', man: DIGEST })
    .add({ type: 'receipt', seg: '1/1/0', man: DIGEST, rx: 'rx1', receipt: DIGEST })
    .add({ type: 'deletable', seg: '1/1/0', man: DIGEST, receipt: DIGEST, cause: 'age' })
    .add({ type: 'deleted', seg: '1/1/0', man: DIGEST, receipt: DIGEST, bytes: 5 })
    .beats(30)
    .add({ type: 'end', reason: 'stopped' })
    .start()
    .beats(10);

test('a log as it was written is ok, and says what it claims of boots and segments', (t) => {
  const log = day();
  const verdict = log.verify();
  t.deepEqual(told(verdict), ['ok']);
  t.is(verdict.size, log.texts.length);
  t.is(verdict.vouched, log.texts.length);
  t.like(verdict.boots, [
    { boot: 1, first: 0, beats: 60, hasEnded: true, silences: [] },
    { boot: 2, beats: 10, hasEnded: false, to: 601_020 },
  ]);
  t.like(verdict.segments, [
    {
      ...{ seg: '1/1/0', man: DIGEST, how: 'sealed', last: false, index: 32 },
      ...{ offered: 34, receipt: { index: 35, rx: 'rx1' }, deletable: 36, deleted: 37 },
    },
    { seg: '1/1/1', last: true, receipt: null, deleted: null, isHeld: false },
  ]);
});

test('a changed byte, a dropped, swapped, doubled or foreign entry is found, and the tree contradicts its checkpoint', (t) => {
  const log = day();
  const foreign = new LogFixture('cam-2').start().beats(1).texts[2] ?? '';
  const text = log.texts[5] ?? '';
  const cases: readonly (readonly [string, readonly string[], string])[] = [
    [
      'a byte',
      log.texts.with(5, text.replace('"sig":"A', '"sig":"B').replace(/"sig":"[^A]/, '"sig":"A')),
      'bad-signature 5',
    ],
    ['no JSON', log.texts.with(5, '{}'), 'malformed 5'],
    ['dropped', without(log.texts, 5), 'silence 5'],
    ['swapped', swapped(log.texts, 5, 6), 'contradiction 6'],
    ['doubled', log.texts.toSpliced(5, 0, text), 'contradiction 6'],
    ['another device', log.texts.toSpliced(5, 0, foreign), 'bad-signature 5'],
  ];
  for (const [name, texts, problem] of cases) {
    const verdict = log.verify({ texts });
    const found = told(verdict);
    t.is(verdict.state, 'not-ok', name);
    t.true(found.includes(problem), `${name}: ${found.join(', ')}`);
    const end = name === 'dropped' ? /^rolled-back/ : /^forked|^bad-signature/;
    t.true(
      found.some((it) => end.test(it)),
      `${name}: ${found.join(', ')}`,
    );
  }
});

test('an entry of another device is in the wrong place, whoever signed it', (t) => {
  const log = new LogFixture().start();
  const other = new LogFixture('cam-2');
  other.key = log.key;
  other.start();
  const verdict = log.verify({
    texts: [...log.texts, ...other.texts],
    sessions: other.sessions,
    device: 'cam-1',
  });
  t.true(told(verdict).includes('wrong-place 2'));
});

test('entries signed by another key, and a certificate of another, are told with their boot', (t) => {
  const log = day();
  const impostor = fastSigner();
  const facts = { device: log.device, boot: 2, issuedMonoMs: 1000 };
  const forged = formatEnvelopeFile(sealSessionKey(facts, impostor, log.key));
  const verdict = log.verify({ sessions: new Map(log.sessions).set(2, forged) });
  t.is(verdict.state, 'not-ok');
  t.is(verdict.problems.filter(({ what }) => what === 'bad-signature').length, 12);
  const stranger = formatEnvelopeFile(sealSessionKey(facts, impostor, fastSigner()));
  const other = log.verify({ sessions: new Map(log.sessions).set(2, stranger) });
  t.is(other.problems.filter(({ what }) => what === 'bad-signature').length, 1, 'the boot, once');
});

test('an older state of the log is a rollback, told with how much is missing, also to whoever kept an older checkpoint', (t) => {
  const log = day();
  const kept = { name: 'kept by the auditor', note: log.checkpoint(60) };
  t.is(log.verify({ checkpoints: [kept] }).state, 'ok');
  const verdict = log.verify({ texts: log.texts.slice(0, 50), checkpoints: [kept] });
  t.deepEqual(told(verdict), ['not-ok', 'rolled-back 50', 'missing']);
  t.regex(
    verdict.problems[0]?.message ?? '',
    /^kept by the auditor vouches for 60 .* 10 were dropped/,
  );
});

test('a log that was written anew behind a checkpoint that somebody kept is a fork', (t) => {
  const log = day();
  const kept = { name: 'kept', note: log.checkpoint(60) };
  // Whoever has the device key can sign everything anew, except what others keep.
  const fake = new LogFixture();
  fake.key = log.key;
  fake.start().beats(80);
  const own = { name: 'newest', note: fake.checkpoint() };
  const verdict = log.verify({
    ...{ texts: fake.texts, sessions: fake.sessions, checkpoints: [kept, own] },
  });
  t.is(verdict.state, 'not-ok');
  t.like(verdict.problems[0], { what: 'forked', lastEntry: 59 });
  t.deepEqual(verdict.held, [{ name: 'newest', size: fake.texts.length }]);
});

test('an hour without entries is named with its length; so are heartbeats that the log did not take', (t) => {
  const log = new LogFixture().start().beats(5).beats(1, 3_600_000).beats(2);
  const verdict = log.verify();
  t.deepEqual(told(verdict), ['ok-with-missing', 'silence 7']);
  t.regex(verdict.problems[0]?.message ?? '', /3600 s of silence, from 301 s of boot 1/);
  t.deepEqual(verdict.boots[0]?.silences, [{ from: 301_020, to: 3_901_020 }]);
  const beat = { type: 'heartbeat', mode: 'idle', docked: true, free_bytes: null } as const;
  const missed = new LogFixture()
    .start()
    .beats(2)
    .add({ ...beat, beat: 5 }, 140_000);
  t.deepEqual(told(missed.verify()), ['ok-with-missing', 'silence 4']);
  const again = new LogFixture()
    .start()
    .beats(2)
    .add({ ...beat, beat: 2 }, 140_000);
  t.deepEqual(told(again.verify()), ['not-ok', 'contradiction 4']);
});

test('boots that are missing, that go back, or that do not begin as a boot does are told', (t) => {
  const gap = new LogFixture().start().start(5);
  t.deepEqual(told(gap.verify()), ['ok-with-missing', 'missing 2']);
  t.regex(gap.verify().problems[0]?.message ?? '', /of boots 2 to 4 there is no entry/);
  t.deepEqual(told(new LogFixture().start(3).verify()), ['ok-with-missing', 'missing 0']);
  const log = new LogFixture().start().start();
  const back = [...log.texts.slice(2), ...log.texts.slice(0, 2)];
  t.true(told(log.verify({ texts: back })).includes('broken-chain 2'));
  const headless = log.verify({ texts: log.texts.toSpliced(2, 1) });
  t.true(told(headless).includes('broken-chain 2'));
  const keyless = log.verify({ texts: log.texts.toSpliced(3, 1) });
  t.deepEqual(told(keyless), ['not-ok', 'rolled-back 3']);
  const twice = new LogFixture()
    .start()
    .add({ type: 'end', reason: 'x' })
    .add({ type: 'wearer', commitment: null });
  t.deepEqual(told(twice.verify()), ['not-ok', 'contradiction 3']);
});

test('a certificate whose boot has no entry shows that the newest boots were cut off', (t) => {
  const log = new LogFixture().start().start();
  const checkpoints = [{ name: 'old', note: log.checkpoint(2) }];
  const verdict = log.verify({ texts: log.texts.slice(0, 2), checkpoints });
  t.deepEqual(told(verdict), ['ok-with-missing', 'missing']);
  t.regex(verdict.problems[0]?.message ?? '', /boot 2 has a certificate and no entry/);
});

test('time that goes back within a boot is a contradiction', (t) => {
  const log = new LogFixture().start().beats(1).add({ type: 'wearer', commitment: null }, -5);
  t.deepEqual(told(log.verify()), ['not-ok', 'contradiction 3']);
});

test('without trust, a certificate or a checkpoint the answer is not-feasible', (t) => {
  const log = day();
  t.is(log.verify({ trust: emptyTrust() }).state, 'not-feasible');
  t.is(log.verify({ sessions: new Map() }).state, 'not-feasible');
  t.deepEqual(told(log.verify({ checkpoints: [] })), ['not-feasible', 'unproven']);
});

test('a checkpoint of another log, or one that the device did not sign, vouches for nothing', (t) => {
  const log = day();
  const forged = { name: 'forged', note: log.checkpoint(10, [fastSigner()]) };
  t.true(told(log.verify({ checkpoints: [forged] })).includes('bad-signature'));
  const other = { name: 'other', note: new LogFixture('cam-2').start().checkpoint() };
  t.is(log.verify({ checkpoints: [other], device: 'cam-1' }).state, 'not-ok');
  const shapeless = { name: 'shapeless', note: 'x' };
  t.true(told(log.verify({ checkpoints: [shapeless] })).includes('malformed'));
});

test('what the log says of segments must fit together', (t) => {
  const receipt = {
    type: 'receipt',
    seg: '1/1/0',
    man: DIGEST,
    rx: 'rx1',
    receipt: DIGEST,
  } as const;
  const deletable = {
    type: 'deletable',
    seg: '1/1/0',
    man: DIGEST,
    receipt: DIGEST,
    cause: 'age',
  } as const;
  const deleted = {
    type: 'deleted',
    seg: '1/1/0',
    man: DIGEST,
    receipt: DIGEST,
    bytes: 1,
  } as const;
  const kept = { type: 'kept', seg: '1/1/0', man: DIGEST, receipt: DIGEST, why: 'hold' } as const;
  const hold = { target: '1/1', by: 'fleet-1', key: null, nonce: null, reason: 'case' } as const;
  const other = { man: 'cd'.repeat(32) };
  const start = (): LogFixture => new LogFixture().start().segment('1/1/0');
  const logs: readonly (readonly [LogFixture, RegExp])[] = [
    [start().add(deleted), /deletes 1\/1\/0 without its receipt/],
    [start().add(receipt).add(deleted), /was not freed before/],
    [
      start()
        .add(receipt)
        .add({ ...deletable, receipt: other.man }),
      /without its receipt/,
    ],
    [
      start()
        .add(receipt)
        .add({ type: 'hold', ...hold })
        .add(deletable),
      /which is held/,
    ],
    [start().add({ ...receipt, ...other }), /tells of another 1\/1\/0/],
    [start().add({ ...receipt, seg: '1/1/7' }), /never sealed/],
    [start().add(receipt).add(deletable).add(deleted).add(deleted), /a second time/],
    [start().add(receipt).add(deletable).add(kept).add(deleted), /was not freed before/],
    [
      start().add(receipt).add(deletable).add(deleted).add(kept),
      /keeps 1\/1\/0, which was deleted/,
    ],
    [start().add({ type: 'release', ...hold }), /ends a hold .* that there was not/],
    [
      start().add({ type: 'segment', seg: '1/1/0', ...other, size: 5, root: DIGEST, last: true }),
      /seals 1\/1\/0 as something else/,
    ],
  ];
  for (const [log, words] of logs) {
    const verdict = log.verify();
    t.is(verdict.state, 'not-ok');
    t.regex(verdict.problems.at(-1)?.message ?? '', words);
  }
  const held = start()
    .add({ type: 'hold', ...hold })
    .verify();
  t.is(held.segments[0]?.isHeld, true);
  const released = start()
    .add({ type: 'hold', ...hold })
    .add({ type: 'release', ...hold });
  t.is(released.verify().segments[0]?.isHeld, false);
});

test('after a rotation of the device key whoever trusts the old one follows its chain', (t) => {
  const log = new LogFixture().start().beats(1).rotate(2).start().beats(1);
  t.is(log.verify().state, 'not-ok', 'the new key is that of a stranger');
  const trust = withRotations(log.trust, log.device, log.rotations);
  t.deepEqual(told(log.verify({ trust })), ['ok']);
  // The old key, stolen, certifies nothing from boot 2 on.
  const facts = { device: log.device, boot: 2, issuedMonoMs: 1000 };
  const stolen = formatEnvelopeFile(sealSessionKey(facts, log.session, log.firstKey));
  const verdict = log.verify({ trust, sessions: new Map(log.sessions).set(2, stolen) });
  t.true(told(verdict).includes('bad-signature'));
});

test('a log that is wrong in every line says so of the first thousand', (t) => {
  const log = new LogFixture().start();
  const verdict = log.verify({ texts: Array.from({ length: LOG_PROBLEMS_MAX + 7 }, () => '{}') });
  t.is(verdict.problems.length, LOG_PROBLEMS_MAX);
  t.true(verdict.unlisted >= 7);
  t.is(verdict.state, 'not-ok');
});
