import { randomBytes } from 'node:crypto';
import test from 'ava';
import { sealDocument } from '../../../src/evidence/dsse.js';
import type { Envelope } from '../../../src/evidence/dsse.js';
import { openHead, sealHead } from '../../../src/evidence/head.js';
import type { Head, HeadOpening } from '../../../src/evidence/head.js';
import { entryLeaf, openEntry, sealEntry } from '../../../src/evidence/log-entry.js';
import type { LogEntry } from '../../../src/evidence/log-entry.js';
import { openManifest, readManifest, sealManifest } from '../../../src/evidence/manifest.js';
import type { Manifest } from '../../../src/evidence/manifest.js';
import { sha256 } from '../../../src/evidence/merkle-tree.js';
import { openReceipt, sealReceipt } from '../../../src/evidence/receipt.js';
import type { Receipt } from '../../../src/evidence/receipt.js';
import { openSessionKey, sealSessionKey } from '../../../src/evidence/session-key.js';
import { createSigner } from '../../../src/evidence/signer.js';
import { makeCamera, makeSegment } from '../../support/sealed-recording.js';

const deviceKey = createSigner(randomBytes(32));
const session = createSigner(randomBytes(32));
const DIGEST = 'ab'.repeat(32);
const time = { source: 'ntp', wall_ms: 1_795_488_000_000, uncertainty_ms: 50 } as const;
const { v: V, type: TYPE, ...manifest } = readManifest(makeSegment(makeCamera()).envelope);

test('the fixture is a version 1 segment manifest', (t) => {
  t.deepEqual([V, TYPE], [1, 'segment']);
});

test('a session certificate opens with the device key only and hands out the session key', (t) => {
  const facts = { device: 'cam-1', boot: 7, issuedMonoMs: 3 };
  const envelope = sealSessionKey(facts, session, deviceKey);
  const { certificate, publicKey } = openSessionKey(envelope, deviceKey.publicKey);
  t.like(certificate, { device: 'cam-1', boot: 7, key: session.keyId, issued_mono: 3 });
  t.deepEqual(publicKey, session.publicKey);
  t.throws(() => openSessionKey(envelope, session.publicKey), { code: 'evidence/bad-signature' });
});

test('a certificate whose key id is not that of its key is refused', (t) => {
  const facts = { device: 'cam-1', boot: 7, issuedMonoMs: 3 };
  const { certificate } = openSessionKey(
    sealSessionKey(facts, session, deviceKey),
    deviceKey.publicKey,
  );
  const twisted = { ...certificate, key: deviceKey.keyId };
  const envelope = sealDocument(twisted, 'application/vnd.lapel.session-key.v1+json', deviceKey);
  t.throws(() => openSessionKey(envelope, deviceKey.publicKey), { code: 'evidence/malformed' });
});

const opening: HeadOpening = {
  media: { codec: 'avc1.42c01f', width: 640, height: 360, run: 1, start90k: 0, gap_before_ms: 0 },
  pre_event: { asked_ms: 30_000, got_ms: 900, reason: 'boot' },
};
const head: Omit<Head, 'v' | 'type'> = {
  device: 'cam-1',
  boot: 7,
  rec: 1,
  seq: 0,
  n: 3,
  size: 131_386,
  root: DIGEST,
  mono: 9,
  duration90k: 90_000,
  frames: 30,
  opening,
};

test('a head opens to what was sealed, and a shapeless one is a bug of the caller', (t) => {
  const envelope = sealHead(head, session);
  t.deepEqual(openHead(envelope, session.publicKey), { v: 1, type: 'head', ...head });
  for (const wrong of [
    { n: 0 },
    { root: 'AB'.repeat(32) },
    { mono: 0.5 },
    { device: '_rx' },
    { boot: -1 },
  ]) {
    t.throws(() => sealHead({ ...head, ...wrong }, session), { code: 'internal/bug' });
  }
});

test('one kind of document cannot pass as another', (t) => {
  const asEntry: Envelope = sealHead(head, session);
  t.throws(() => openEntry(asEntry, session.publicKey), { code: 'evidence/malformed' });
});

const receipt: Omit<Receipt, 'v' | 'type'> = {
  device: 'cam-1',
  seg: '7/1/0',
  man: DIGEST,
  root: DIGEST,
  size: 131_386,
  log: null,
  stores: [{ id: 'dock-disk', kind: 'fs', durable: true }],
  rx: 'rx1',
  ts: 1_795_488_000_000,
  nonce: '0'.repeat(32),
};

test('a receipt opens to what was sealed; one without a durable store cannot be made', (t) => {
  const envelope = sealReceipt(receipt, deviceKey);
  t.deepEqual(openReceipt(envelope, deviceKey.publicKey), { v: 1, type: 'receipt', ...receipt });
  const witnessed = { ...receipt, log: { index: 4, size: 9, root: DIGEST } };
  t.deepEqual(
    openReceipt(sealReceipt(witnessed, deviceKey), deviceKey.publicKey).log,
    witnessed.log,
  );
  const empty = { ...receipt, stores: [] };
  t.throws(() => sealReceipt(empty, deviceKey), { code: 'internal/bug' });
  t.throws(() => sealReceipt({ ...receipt, seg: '7/1' }, deviceKey), { code: 'internal/bug' });
});

const common = { v: 1, device: 'cam-1', boot: 7, mono: 1234 } as const;
const entries: readonly LogEntry[] = [
  { ...common, type: 'boot', fw: DIGEST, cfg: DIGEST, time },
  { ...common, type: 'session-key', key: session.keyId, spki: 'MCow', cert: DIGEST },
  {
    ...common,
    type: 'press',
    edge: 1,
    button: 'record',
    pressed: true,
    at: 1230,
    outcome: null,
    latency_ms: null,
  },
  {
    ...common,
    type: 'press',
    edge: 1,
    button: 'record',
    pressed: true,
    at: 1230,
    outcome: 'started',
    latency_ms: 4,
  },
  { ...common, type: 'mode', mode: 'recording', reason: 'press' },
  { ...common, type: 'segment', seg: '7/1/0', man: DIGEST, size: 5, root: DIGEST, last: false },
  { ...common, type: 'recovered', seg: '6/1/0', man: DIGEST, signed: 3, tail: 1, head: DIGEST },
  { ...common, type: 'config-applied', version: 2, cfg: DIGEST, by: 'fleet' },
  { ...common, type: 'receipt', seg: '7/1/0', man: DIGEST, rx: 'rx1', receipt: DIGEST },
  { ...common, type: 'fault', code: 'capture/no-video', detail: 'no frame for 2 s' },
  { ...common, type: 'gap', rec: null, gap_ms: 900, cause: 'pipeline-restart' },
  { ...common, type: 'clock-set', at: 1230, from: time, time, step_ms: -3000, believed: false },
  { ...common, type: 'time-correction', at: 1230, before: time, after: time, step_ms: 0 },
  { ...common, type: 'offered', seg: '7/1/0', man: DIGEST },
  {
    ...common,
    type: 'deletable',
    seg: '7/1/0',
    man: DIGEST,
    receipt: DIGEST,
    cause: 'space',
  },
  { ...common, type: 'deleted', seg: '7/1/0', man: DIGEST, receipt: DIGEST, bytes: 5 },
  { ...common, type: 'hold', target: '7/1', by: 'local', key: null, nonce: null, reason: 'asked' },
  {
    ...common,
    type: 'release',
    target: '7/1/0',
    by: 'fleet-1',
    key: session.keyId,
    nonce: 'ab'.repeat(16),
    reason: 'case closed',
  },
  {
    ...common,
    type: 'witnessed',
    witness: 'dock.example/rx1',
    key: session.keyId,
    size: 7,
    root: DIGEST,
    time: 1_795_000_000,
    note: DIGEST,
  },
  {
    ...common,
    type: 'key-rotate',
    old: session.keyId,
    new: deviceKey.keyId,
    from_boot: 7,
    doc: '{}',
  },
  { ...common, type: 'wearer', commitment: DIGEST },
  { ...common, type: 'heartbeat', beat: 1, mode: 'idle', docked: true, free_bytes: 12_000_000_000 },
  { ...common, type: 'heartbeat', beat: 2, mode: 'fault', docked: false, free_bytes: null },
  { ...common, type: 'end', reason: 'stopped' },
];

test('every kind of log entry opens to what was sealed and has a leaf of its own', (t) => {
  const envelopes = entries.map((entry) => sealEntry(entry, session));
  t.deepEqual(
    envelopes.map((envelope) => openEntry(envelope, session.publicKey)),
    [...entries],
  );
  t.is(
    new Set(envelopes.map((envelope) => entryLeaf(envelope).toString('hex'))).size,
    entries.length,
  );
});

test('the leaf of an entry is over its PAE bytes', (t) => {
  const [entry] = entries;
  if (entry === undefined) return t.fail();
  const envelope = sealEntry(entry, session);
  const body = Buffer.from(envelope.payload, 'base64');
  const head = `DSSEv1 35 application/vnd.lapel.entry.v1+json ${body.length} `;
  const signed = Buffer.concat([Buffer.from(head), body]);
  t.deepEqual(entryLeaf(envelope), sha256(Buffer.from([0]), signed));
});

test('an entry with a field too many, too few or of another kind is not sealed', (t) => {
  const [boot, , press] = entries;
  const wrong: unknown[] = [
    { ...boot, extra: 1 },
    { ...boot, type: 'deleted' },
    { ...boot, v: 2 },
    { ...press, outcome: 'maybe' },
    { ...press, at: 0.5 },
    { ...common, type: 'fault', code: 'x'.repeat(501), detail: '' },
    { ...common, type: 'mode' },
    { ...common, type: 'heartbeat', beat: 0, mode: 'idle', docked: true, free_bytes: 1 },
    { ...common, type: 'hold', target: '7', by: 'x', key: null, nonce: null, reason: '' },
    { ...common, type: 'deletable', seg: '7/1/0', man: DIGEST, receipt: DIGEST, cause: 'whim' },
  ];
  for (const entry of wrong) {
    t.throws(() => sealEntry(entry as LogEntry, session), { code: 'internal/bug' });
  }
});

test('a manifest opens to what was sealed, signed by whoever seals it', (t) => {
  const envelope = sealManifest(manifest, session);
  t.deepEqual(openManifest(envelope, session.publicKey), { v: 1, type: 'segment', ...manifest });
  t.throws(() => openManifest(envelope, deviceKey.publicKey), { code: 'evidence/bad-signature' });
  t.deepEqual(readManifest(envelope), openManifest(envelope, session.publicKey));
});

type Facts = Omit<Manifest, 'v' | 'type'>;
const { file, media } = manifest;
const cut = { signed: file.n, tail: 0, head: DIGEST };
const contradictions: readonly (readonly [RegExp, Partial<Facts>])[] = [
  [/sealed_by/, { sealed_by: 18 }],
  [/size, head and n/, { file: { ...file, size: file.size + 65_552 } }],
  [/size, head and n/, { file: { ...file, n: file.n - 1 } }],
  [/size, head and n/, { file: { ...file, n: 1 } }],
  [/size, head and n/, { file: { ...file, size: file.head + (file.n - 2) * file.leaf + 15 } }],
  [/recovered: belongs/, { recovered: cut }],
  [/recovered: belongs/, { end: 'power-loss' }],
  [/not all leaves/, { end: 'power-loss', recovered: { ...cut, tail: 1 } }],
  [/by a head or not at all/, { end: 'power-loss', recovered: { ...cut, head: null } }],
  [/plain: missing/, { plain: null }],
  [/no chunk/, { file: { ...file, n: 1, size: file.head } }],
  [/width, height or run/, { media: { ...media, run: 0 } }],
  [/prev: the first/, { prev: DIGEST }],
  [/pre_event: only/, { seq: 1 }],
  [
    /times do not rise/,
    {
      fragments: [
        [0, 1],
        [0, 2],
      ],
    },
  ],
  [
    /offsets do not rise/,
    {
      fragments: [
        [0, 2],
        [1, 2],
      ],
    },
  ],
  [/ends before/, { mono: [2, 1] }],
];

test('a manifest that contradicts itself is not sealed, and says how it does', (t) => {
  for (const [message, change] of contradictions) {
    const act = (): unknown => sealManifest({ ...manifest, ...change }, session);
    t.throws(act, { code: 'internal/bug', message });
  }
});

test('a manifest after a power cut may know little about its media', (t) => {
  const recovered = {
    ...manifest,
    end: 'power-loss' as const,
    recovered: cut,
    plain: null,
    meta: null,
    fragments: [],
    media: { ...media, width: 0, height: 0, run: 0, frames: 0, duration90k: 0 },
  };
  t.notThrows(() => sealManifest(recovered, session));
  const onlyHead = { ...file, n: 1, size: file.head };
  const bare = { ...recovered, file: onlyHead, recovered: { signed: 0, tail: 1, head: null } };
  t.notThrows(() => sealManifest(bare, session));
});

test('a signed manifest that contradicts itself is malformed, whoever signed it', (t) => {
  const document = { v: 1, type: 'segment', ...manifest, plain: null };
  const envelope = sealDocument(document, 'application/vnd.lapel.segment.v1+json', session);
  const act = (): unknown => openManifest(envelope, session.publicKey);
  t.throws(act, { code: 'evidence/malformed', message: /plain: missing/ });
});
