import test from 'ava';
import { formatEnvelopeFile, parseEnvelope, payloadDigest } from '../../../src/evidence/dsse.js';
import { sealHead } from '../../../src/evidence/head.js';
import { readManifest, sealManifest } from '../../../src/evidence/manifest.js';
import { rootOfLeaves, sha256Hex } from '../../../src/evidence/merkle-tree.js';
import { toSpkiBase64 } from '../../../src/evidence/public-key.js';
import { emptyTrust, withDevice } from '../../../src/evidence/trust.js';
import type { Problem } from '../../../src/evidence/verdict.js';
import { verifySegment } from '../../../src/evidence/verify-segment.js';
import type { SegmentVerdict } from '../../../src/evidence/verify-segment.js';
import {
  filesOf,
  flip,
  flipText,
  inPieces,
  makeCamera,
  makeSegment,
  sessionOf,
} from '../../support/sealed-recording.js';
import type { TestSegment } from '../../support/sealed-recording.js';

const LEAF = 65_552;
const camera = makeCamera();
const segment = makeSegment(camera);
const small = makeSegment(camera, { bytes: 1000 });

type Damage = Parameters<typeof filesOf>[2];
const verify = (damage: Damage = {}, of: TestSegment = segment): Promise<SegmentVerdict> =>
  verifySegment(filesOf(camera, of, damage), camera.trust);

/** State, and per problem its file, kind and leaves: what a verdict says without its prose. */
const summary = ({ state, problems }: SegmentVerdict): unknown[] => [
  state,
  ...problems.map(({ file, what, leaf, lastLeaf }) =>
    leaf === undefined ? [file, what] : [file, what, leaf, lastLeaf],
  ),
];

/** The manifest that recovery in boot 18 writes over the first `signed` + `tail` leaves of a segment. */
function recover(of: TestSegment, signed: number, tail: number, head: string | null): TestSegment {
  const n = signed + tail;
  const leaves = of.leaves.subarray(0, n * 32);
  const session = sessionOf(camera, 18);
  const rest = readManifest(of.envelope);
  const envelope = sealManifest(
    {
      ...rest,
      key: session.keyId,
      sealed_by: 18,
      file: {
        ...rest.file,
        n,
        size: of.head + (n - 1) * LEAF,
        root: rootOfLeaves(leaves).toString('hex'),
      },
      plain: null,
      end: 'power-loss',
      recovered: { signed, tail, head },
    },
    session,
  );
  return { ...of, leaves, envelope, manifest: formatEnvelopeFile(envelope) };
}

const headLine = (of: TestSegment, index: number): string => of.heads.split('\n')[index] ?? '';
const digestOfHead = (line: string): string => payloadDigest(parseEnvelope(line));

test('an untouched segment is ok and hands out its manifest', async (t) => {
  const verdict = await verify();
  t.deepEqual(summary(verdict), ['ok']);
  t.is(verdict.manifest?.file.n, 5);
  t.is(verdict.manifestDigest, payloadDigest(segment.envelope));
});

test('a segment without its heads is ok: the manifest says all they said', async (t) => {
  t.deepEqual(summary(await verify({ heads: undefined })), ['ok']);
});

test('a changed byte of the footage names its leaf and the seconds of its fragments', async (t) => {
  const at = segment.head + 2 * LEAF + 77;
  const verdict = await verify({ ciphertext: flip(segment.ciphertext, at) });
  t.deepEqual(summary(verdict), ['not-ok', ['17/3/0.age', 'changed', 3, 3]]);
  const [problem] = verdict.problems;
  // Leaf 3 holds plaintext 131,072 to 196,607: the end of fragment 1 (second 2) and most of fragment 2 (to second 6).
  t.is(problem?.second, 2);
  t.is(problem?.lastSecond, 6);
  t.is(problem?.message, '17/3/0.age was changed in leaf 3, second 2 to 6');
});

test('a changed age header touches the whole segment', async (t) => {
  const { state, problems } = await verify({ ciphertext: flip(segment.ciphertext, 30) });
  t.is(state, 'not-ok');
  const { leaf, lastLeaf, second, lastSecond } = problems[0] ?? {};
  t.deepEqual(
    { leaf, lastLeaf, second, lastSecond },
    { leaf: 0, lastLeaf: 0, second: 0, lastSecond: 10 },
  );
});

test('several changed leaves are named by the first and the last', async (t) => {
  const once = flip(segment.ciphertext, segment.head + 5);
  const verdict = await verify({ ciphertext: flip(once, segment.ciphertext.length - 1) });
  t.deepEqual(summary(verdict), ['not-ok', ['17/3/0.age', 'changed', 1, 4]]);
  t.regex(verdict.problems[0]?.message ?? '', /leaves 1 to 4.*\(2 leaves\)/);
});

test('a changed leaf list names its leaf and clears the footage', async (t) => {
  const verdict = await verify({ leaves: flip(segment.leaves, 2 * 32 + 9) });
  t.deepEqual(summary(verdict), ['not-ok', ['17/3/0.leaves', 'changed', 2, 2]]);
  t.regex(verdict.problems[0]?.message ?? '', /leaf 2, second 0 to 4; the footage itself is/);
});

test('footage and leaf list changed in different leaves: both are named, and where they differ', async (t) => {
  const verdict = await verify({
    leaves: flip(segment.leaves, 4 * 32),
    ciphertext: flip(segment.ciphertext, segment.head + 1),
  });
  t.deepEqual(summary(verdict), [
    'not-ok',
    ['17/3/0.leaves', 'changed'],
    ['17/3/0.age', 'changed', 1, 4],
  ]);
});

test('a leaf list that is cut, too long or missing', async (t) => {
  const cut = await verify({ leaves: segment.leaves.subarray(0, 70) });
  t.deepEqual(summary(cut), ['ok-with-missing', ['17/3/0.leaves', 'cut']]);
  const long = await verify({ leaves: Buffer.concat([segment.leaves, Buffer.alloc(5)]) });
  t.deepEqual(summary(long), ['not-ok', ['17/3/0.leaves', 'extra']]);
  const missing = await verify({ leaves: undefined });
  t.deepEqual(summary(missing), ['ok-with-missing', ['17/3/0.leaves', 'missing']]);
});

test('changed footage without a leaf list is not ok, though nothing tells where', async (t) => {
  const verdict = await verify({ leaves: undefined, ciphertext: flip(segment.ciphertext, 9999) });
  t.deepEqual(summary(verdict), [
    'not-ok',
    ['17/3/0.leaves', 'missing'],
    ['17/3/0.age', 'changed'],
  ]);
});

test('cut footage names the missing leaves; what is there is still judged', async (t) => {
  const cut = segment.ciphertext.subarray(0, segment.head + LEAF + 100);
  t.deepEqual(summary(await verify({ ciphertext: cut })), [
    'ok-with-missing',
    ['17/3/0.age', 'cut', 2, 4],
  ]);
  const byOne = segment.ciphertext.subarray(0, -1);
  t.deepEqual(summary(await verify({ ciphertext: byOne })), [
    'ok-with-missing',
    ['17/3/0.age', 'cut', 4, 4],
  ]);
  t.deepEqual(summary(await verify({ ciphertext: flip(cut, 400) })), [
    'not-ok',
    ['17/3/0.age', 'changed', 1, 1],
    ['17/3/0.age', 'cut', 2, 4],
  ]);
  t.deepEqual(summary(await verify({ ciphertext: cut, leaves: undefined })), [
    'not-feasible',
    ['17/3/0.leaves', 'missing'],
    ['17/3/0.age', 'cut', 2, 4],
    ['17/3/0.age', 'unproven'],
  ]);
});

test('missing or empty footage is not feasible', async (t) => {
  for (const ciphertext of [undefined, Buffer.alloc(0)]) {
    t.deepEqual(summary(await verify({ ciphertext })), ['not-feasible', ['17/3/0.age', 'missing']]);
  }
});

test('bytes after the end of a whole segment are not ok', async (t) => {
  const ciphertext = Buffer.concat([segment.ciphertext, Buffer.from('x')]);
  t.deepEqual(summary(await verify({ ciphertext })), ['not-ok', ['17/3/0.age', 'extra']]);
});

test('metadata changed, missing, or there without being known', async (t) => {
  t.deepEqual(summary(await verify({ meta: flip(segment.meta, 200) })), [
    'not-ok',
    ['17/3/0.meta.age', 'changed'],
  ]);
  t.deepEqual(summary(await verify({ meta: undefined })), [
    'ok-with-missing',
    ['17/3/0.meta.age', 'missing'],
  ]);
  const bare = makeSegment(camera, { bytes: 10, change: (m) => ({ ...m, meta: null }) });
  t.deepEqual(summary(await verify({}, bare)), ['not-ok', ['17/3/0.meta.age', 'extra']]);
  t.deepEqual(summary(await verify({ meta: undefined }, bare)), ['ok']);
});

/** Every byte, one bit each; and all eight bits where base64 has spare ones: before a padding sign. */
const flipsOf = (text: string): string[] =>
  Array.from(text, (_, at) => {
    const nearPadding = text.slice(at, at + 3).includes('=');
    const masks = nearPadding ? [1, 2, 4, 8, 16, 32, 64, 128] : [1 << (at % 8)];
    return masks.map((mask) => flipText(text, at, mask));
  }).flat();

test('a flip of any byte of the manifest file is not ok and names it', async (t) => {
  for (const manifest of flipsOf(small.manifest)) {
    const { state, problems } = await verify({ manifest }, small);
    t.is(state, 'not-ok');
    t.true(problems.some(({ file, state: of }) => file === '17/3/0.dsse' && of === 'not-ok'));
  }
});

test('a flip of any byte of the session certificate is not ok and names it', async (t) => {
  for (const text of flipsOf(camera.sessions.get(17) ?? '')) {
    const { state, problems } = await verify({ sessions: new Map([[17, text]]) }, small);
    t.is(state, 'not-ok');
    t.true(problems.some(({ file, state: of }) => file === '17/session.dsse' && of === 'not-ok'));
  }
});

test('a flip of any byte of the heads is not ok and names them', async (t) => {
  for (const heads of flipsOf(small.heads)) {
    const { state, problems } = await verify({ heads }, small);
    t.is(state, 'not-ok');
    t.true(problems.some(({ file, state: of }) => file === '17/3/0.heads' && of === 'not-ok'));
  }
});

test('documents that a lenient parser would take for the same are not ok', async (t) => {
  const { manifest } = small;
  const variants = [
    manifest.slice(0, -1),
    `${manifest}\n`,
    ` ${manifest}`,
    manifest.replace('{', '{ '),
    manifest.replace('"payloadType"', '"x":1,"payloadType"'),
    manifest.replace('"payload":', '"payload":"","payload":'),
    manifest.replace('"signatures":[', '"signatures":[ '),
    manifest.replace(/"keyid":"[0-9a-f]+"/, (id) => id.toUpperCase().replace('KEYID', 'keyid')),
  ];
  for (const variant of variants) {
    t.not(variant, manifest);
    const { state, problems } = await verify({ manifest: variant }, small);
    t.is(state, 'not-ok');
    t.like(problems[0], { file: '17/3/0.dsse', what: 'malformed' });
  }
});

test('a stranger is not feasible; a known device signed by a foreign key is not ok', async (t) => {
  const stranger = await verifySegment(filesOf(camera, segment), emptyTrust());
  t.deepEqual(summary(stranger), ['not-feasible', ['17/session.dsse', 'unknown-device']]);
  const other = makeCamera();
  const key = toSpkiBase64(other.deviceKey.publicKey);
  const replaced = withDevice(emptyTrust(), camera.device, key);
  const { state, problems } = await verifySegment(filesOf(camera, segment), replaced);
  t.is(state, 'not-ok');
  t.like(problems[0], { file: '17/session.dsse', what: 'bad-signature' });
});

test('without the session certificate nothing is proven, but damage is still found', async (t) => {
  const sessions = new Map<number, string>();
  t.deepEqual(summary(await verify({ sessions })), [
    'not-feasible',
    ['17/session.dsse', 'missing'],
  ]);
  const ciphertext = flip(segment.ciphertext, segment.head + 1);
  t.deepEqual(summary(await verify({ sessions, ciphertext })), [
    'not-ok',
    ['17/session.dsse', 'missing'],
    ['17/3/0.age', 'changed', 1, 1],
  ]);
});

test('a certificate about another device or boot is not ok', async (t) => {
  const second = makeCamera('lapel-000999', [17]);
  const key = toSpkiBase64(second.deviceKey.publicKey);
  const both = withDevice(camera.trust, second.device, key);
  const files = filesOf(camera, segment, { sessions: second.sessions });
  const foreign = await verifySegment(files, both);
  t.is(foreign.state, 'not-ok');
  t.like(foreign.problems[0], { file: '17/3/0.dsse', what: 'bad-signature' });
  t.is(foreign.manifest, undefined);
  const moved = await verify({ sessions: new Map([[17, camera.sessions.get(18) ?? '']]) });
  t.deepEqual(summary(moved), ['not-ok', ['17/session.dsse', 'wrong-place']]);
});

test('one device cannot certify keys in the name of another', async (t) => {
  // Same name, other key: the keyid leads to the stranger, the name to the victim.
  const impostor = makeCamera(camera.device, [17]);
  const trust = withDevice(camera.trust, 'impostor', toSpkiBase64(impostor.deviceKey.publicKey));
  const forged = makeSegment(impostor);
  const verdict = await verifySegment(filesOf(impostor, forged), trust);
  t.is(verdict.state, 'not-ok');
  t.like(verdict.problems[0], { file: '17/session.dsse', what: 'bad-signature' });
  const unnamed = withDevice(emptyTrust(), 'impostor', toSpkiBase64(impostor.deviceKey.publicKey));
  const renamed = await verifySegment(filesOf(impostor, forged), unnamed);
  t.deepEqual(summary(renamed), ['not-ok', ['17/session.dsse', 'contradiction']]);
});

test('a segment under another name is in the wrong place', async (t) => {
  const ref = { boot: 17, rec: 3, seq: 1 };
  const { state, problems } = await verify({ ref });
  t.is(state, 'not-ok');
  t.like(problems[0], { file: '17/3/1.dsse', what: 'wrong-place' });
  t.true(problems.some(({ file, what }) => file === '17/3/1.heads' && what === 'wrong-place'));
});

test('a manifest signed by a key it does not name, or for another device, is a contradiction', async (t) => {
  const otherKey = makeSegment(camera, {
    bytes: 10,
    change: (m) => ({ ...m, key: '0'.repeat(16) }),
  });
  t.like((await verify({}, otherKey)).problems[0], { what: 'contradiction', state: 'not-ok' });
  const otherDevice = makeSegment(camera, {
    bytes: 10,
    change: (m) => ({ ...m, device: 'lapel-2' }),
  });
  t.like((await verify({}, otherDevice)).problems[0], { what: 'contradiction', state: 'not-ok' });
});

test('heads that fit the signature but not the leaves are not ok', async (t) => {
  const session = sessionOf(camera, 17);
  const media = { duration90k: 0, frames: 0, opening: null };
  const where = { device: camera.device, ...segment.ref, mono: 5, ...media };
  const root = rootOfLeaves(segment.leaves.subarray(0, 64)).toString('hex');
  const wrong = [
    { ...where, n: 2, size: segment.head + LEAF, root: 'a'.repeat(64) },
    { ...where, n: 2, size: segment.head + LEAF + 1, root },
    { ...where, n: 99, size: segment.head + 98 * LEAF, root },
  ];
  for (const head of wrong) {
    const heads = formatEnvelopeFile(sealHead(head, session));
    const [state, ...problems] = summary(await verify({ heads }));
    t.is(state, 'not-ok');
    t.deepEqual(problems, [['17/3/0.heads', 'contradiction']]);
  }
});

test('heads out of order, cut inside a line, or too many', async (t) => {
  const [first = '', second = ''] = segment.heads.split('\n');
  const swapped = await verify({ heads: `${second}\n${first}\n` });
  t.deepEqual(summary(swapped), ['not-ok', ['17/3/0.heads', 'contradiction']]);
  const torn = await verify({ heads: `${first}\n${second.slice(0, 40)}` });
  t.deepEqual(summary(torn), ['ok-with-missing', ['17/3/0.heads', 'cut']]);
  const flood = await verify({ heads: `${first}\n`.repeat(4097) });
  t.deepEqual(summary(flood), ['not-ok', ['17/3/0.heads', 'malformed']]);
});

test('bytes behind the last head are not ok, unless they begin a line', async (t) => {
  for (const extra of ['x', '\0\0', '{"payload":1', '{}']) {
    const verdict = await verify({ heads: segment.heads + extra });
    t.deepEqual(summary(verdict), ['not-ok', ['17/3/0.heads', 'malformed']]);
  }
  for (const extra of ['{', '{"payload":"', '{"payload":"eyJ\0']) {
    const verdict = await verify({ heads: segment.heads + extra });
    t.deepEqual(summary(verdict), ['ok-with-missing', ['17/3/0.heads', 'cut']]);
  }
});

test('without a manifest the newest head vouches for the beginning', async (t) => {
  const verdict = await verify({ manifest: undefined, meta: undefined });
  t.deepEqual(summary(verdict), [
    'ok-with-missing',
    ['17/3/0.dsse', 'unsealed'],
    ['17/3/0.age', 'unsigned-tail', 4, undefined],
  ]);
  t.is(verdict.manifest, undefined);
  const at = segment.head + LEAF + 3;
  const changed = await verify({
    manifest: undefined,
    meta: undefined,
    ciphertext: flip(segment.ciphertext, at),
  });
  t.like(changed.problems[1], { file: '17/3/0.age', what: 'changed', leaf: 2 });
  t.is(changed.state, 'not-ok');
});

test('without a manifest, metadata is unproven, and without heads everything is', async (t) => {
  const withMeta = await verify({ manifest: undefined });
  t.true(
    withMeta.problems.some(({ file, what }) => file === '17/3/0.meta.age' && what === 'unproven'),
  );
  const bare = await verify({ manifest: undefined, heads: undefined, meta: undefined });
  t.deepEqual(summary(bare), [
    'not-feasible',
    ['17/3/0.dsse', 'unsealed'],
    ['17/3/0.age', 'unproven'],
  ]);
});

test('after a power cut: ok with missing, the unsigned tail named with its seconds', async (t) => {
  const line = headLine(segment, 1);
  const cut = recover(
    { ...segment, heads: `${headLine(segment, 0)}\n${line}\n` },
    3,
    1,
    digestOfHead(line),
  );
  const onDisk = { ciphertext: segment.ciphertext.subarray(0, segment.head + 3 * LEAF + 500) };
  const verdict = await verify(onDisk, cut);
  t.deepEqual(summary(verdict), [
    'ok-with-missing',
    ['17/3/0.age', 'cut'],
    ['17/3/0.age', 'unsigned-tail', 3, 3],
  ]);
  t.regex(verdict.problems[1]?.message ?? '', /tail unsigned, 1 leaf .*leaf 3, second 2 to 6/);
  const tooMuch = { ciphertext: segment.ciphertext.subarray(0, segment.head + 3 * LEAF) };
  const grown = await verify(
    { ciphertext: Buffer.concat([tooMuch.ciphertext, Buffer.alloc(LEAF)]) },
    cut,
  );
  t.is(grown.state, 'not-ok');
  t.true(grown.problems.some(({ what }) => what === 'extra'));
});

test('after a power cut: the head that recovery relied on must be there', async (t) => {
  const line = headLine(segment, 1);
  const cut = recover({ ...segment, heads: `${headLine(segment, 0)}\n` }, 3, 0, digestOfHead(line));
  const verdict = await verify(
    { ciphertext: segment.ciphertext.subarray(0, segment.head + 2 * LEAF) },
    cut,
  );
  t.deepEqual(summary(verdict), [
    'ok-with-missing',
    ['17/3/0.age', 'cut'],
    ['17/3/0.heads', 'missing'],
  ]);
});

test('after a power cut: a head over more leaves than were found shows what is lost', async (t) => {
  const line = headLine(segment, 0);
  const cut = recover(segment, 2, 0, digestOfHead(line));
  const verdict = await verify(
    { ciphertext: segment.ciphertext.subarray(0, segment.head + LEAF) },
    cut,
  );
  t.is(verdict.state, 'ok-with-missing');
  const lost = verdict.problems.filter(({ leaf }) => leaf === 2).map(({ lastLeaf }) => lastLeaf);
  t.deepEqual(lost, [2, 3]);
});

test('after a power cut nothing at all was signed: the whole segment is unsigned tail', async (t) => {
  const cut = recover({ ...segment, heads: '' }, 0, 2, null);
  const verdict = await verify(
    { ciphertext: segment.ciphertext.subarray(0, segment.head + LEAF) },
    cut,
  );
  t.deepEqual(summary(verdict), [
    'ok-with-missing',
    ['17/3/0.age', 'cut'],
    ['17/3/0.age', 'unsigned-tail', 0, 1],
  ]);
});

test('after a power cut: without the certificate of the recovering boot nothing is proven', async (t) => {
  const cut = recover({ ...segment, heads: '' }, 0, 2, null);
  const ciphertext = segment.ciphertext.subarray(0, segment.head + LEAF);
  const own = camera.sessions.get(17) ?? '';
  const verdict = await verify({ ciphertext, sessions: new Map([[17, own]]) }, cut);
  t.is(verdict.state, 'not-feasible');
  t.like(verdict.problems[0], { file: '18/session.dsse', what: 'missing' });
  const broken = new Map([
    [17, own],
    [18, flipText(camera.sessions.get(18) ?? '', 60)],
  ]);
  const refused = await verify({ ciphertext, sessions: broken }, cut);
  t.is(refused.state, 'not-ok');
  t.like(refused.problems[0], { file: '18/session.dsse' });
});

test('after a power cut: a flip of any byte of the manifest is not ok', async (t) => {
  const cut = recover({ ...small, heads: '' }, 0, 1, null);
  const ciphertext = small.ciphertext.subarray(0, small.head);
  t.is((await verify({ ciphertext }, cut)).state, 'ok-with-missing');
  for (const manifest of flipsOf(cut.manifest)) {
    t.is((await verify({ ciphertext, manifest }, cut)).state, 'not-ok');
  }
});

test('a recovered manifest names the boot whose key it is signed with', async (t) => {
  const cut = recover({ ...segment, heads: '' }, 0, 2, null);
  const rest = { ...readManifest(cut.envelope), sealed_by: 19 };
  const manifest = formatEnvelopeFile(sealManifest(rest, sessionOf(camera, 18)));
  const ciphertext = segment.ciphertext.subarray(0, segment.head + LEAF);
  const verdict = await verify({ manifest, ciphertext }, cut);
  t.is(verdict.state, 'not-ok');
  t.like(verdict.problems[0], { file: '17/3/0.dsse', what: 'contradiction' });
});

test('only a power cut lets a later boot sign', async (t) => {
  const session = sessionOf(camera, 18);
  const rest = readManifest(segment.envelope);
  const manifest = formatEnvelopeFile(sealManifest({ ...rest, key: session.keyId }, session));
  const verdict = await verify({ manifest });
  t.is(verdict.state, 'not-ok');
  t.like(verdict.problems[0], { file: '17/3/0.dsse', what: 'bad-signature' });
});

test('errors of the source of the footage pass through', async (t) => {
  const files = filesOf(camera, segment);
  async function* broken(): AsyncGenerator<Buffer> {
    yield* inPieces(segment.ciphertext.subarray(0, 1000));
    throw new Error('card pulled');
  }
  const verdict = verifySegment({ ...files, ciphertext: broken() }, camera.trust);
  await t.throwsAsync(verdict, { message: 'card pulled' });
});

test('every problem says its file in one sentence', async (t) => {
  const verdicts = await Promise.all([
    verify({ ciphertext: flip(segment.ciphertext, 1), leaves: undefined, meta: undefined }),
    verify({ manifest: undefined, ciphertext: undefined }),
  ]);
  for (const { file, message } of verdicts.flatMap(
    ({ problems }): readonly Problem[] => problems,
  )) {
    t.true(message.includes(file), message);
    t.notRegex(message, /\n/);
  }
});

test('the digest of the metadata in the fixture is the one in the manifest', async (t) => {
  t.is((await verify()).manifest?.meta, sha256Hex(segment.meta));
});
