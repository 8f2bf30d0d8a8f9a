import test from 'ava';
import type { Manifest } from '../../../src/evidence/manifest.js';
import { worstOf } from '../../../src/evidence/verdict.js';
import { verifyRecording } from '../../../src/evidence/verify-recording.js';
import { verifySegment } from '../../../src/evidence/verify-segment.js';
import type { SegmentVerdict } from '../../../src/evidence/verify-segment.js';
import { filesOf, flip, makeCamera, makeSegment } from '../../support/sealed-recording.js';
import type { TestSegment } from '../../support/sealed-recording.js';

const camera = makeCamera();
type Facts = Omit<Manifest, 'v' | 'type'>;
type Change = (facts: Facts) => Facts;
const same: Change = (facts) => facts;
const asLast: Change = (facts) => ({ ...facts, last: true });

/** Segments 0, 1, 2 … of one recording, each naming the one before it. */
function makeRecording(changes: readonly Change[]): TestSegment[] {
  const segments: TestSegment[] = [];
  for (const [seq, change] of changes.entries()) {
    const previous = segments.at(-1);
    const ref = { boot: 17, rec: 3, seq };
    segments.push(makeSegment(camera, { ref, bytes: 500, change, ...(previous && { previous }) }));
  }
  return segments;
}
const judge = (segments: readonly TestSegment[]): Promise<SegmentVerdict[]> =>
  Promise.all(segments.map((segment) => verifySegment(filesOf(camera, segment), camera.trust)));
const withMedia =
  (media: Partial<Facts['media']>): Change =>
  (facts) => ({ ...facts, media: { ...facts.media, ...media } });

const whole = await judge(makeRecording([same, same, asLast]));

const brief = (verdicts: readonly SegmentVerdict[]): unknown[] => {
  const { state, problems } = verifyRecording(verdicts);
  return [state, ...problems.map(({ file, what }) => [file, what])];
};

test('a whole recording is ok, in whatever order its segments come, and summed up', (t) => {
  const verdict = verifyRecording(whole.toReversed());
  t.is(verdict.state, 'ok');
  t.deepEqual(verdict.problems, []);
  t.deepEqual(
    verdict.segments.map(({ ref }) => ref.seq),
    [0, 1, 2],
  );
  t.deepEqual([verdict.durationMs, verdict.frames], [30_000, 900]);
  t.is(
    verdict.bytes,
    whole.reduce((sum, { manifest }) => sum + (manifest?.file.size ?? 0), 0),
  );
});

test('missing segments are named: the first, some in the middle, the end', (t) => {
  t.deepEqual(brief(whole.slice(1)), ['ok-with-missing', ['17/3/0.dsse', 'missing']]);
  t.deepEqual(brief([...whole.slice(0, 1), ...whole.slice(2)]), [
    'ok-with-missing',
    ['17/3/1.dsse', 'missing'],
  ]);
  t.deepEqual(brief(whole.slice(0, 2)), ['ok-with-missing', ['17/3/1.dsse', 'missing']]);
  const { problems } = verifyRecording(whole.slice(2));
  t.is(problems[0]?.message, 'segments 0 to 1 are missing from recording 17/3');
});

test('a segment of another take in the middle breaks the chain', async (t) => {
  const [, other] = await judge(makeRecording([same, same]));
  t.truthy(other);
  const mixed = whole.map((verdict, seq) => (seq === 1 && other ? other : verdict));
  t.deepEqual(brief(mixed), [
    'not-ok',
    ['17/3/1.dsse', 'broken-chain'],
    ['17/3/2.dsse', 'broken-chain'],
  ]);
});

test('a segment twice, or one after the last, is not ok', async (t) => {
  const [first] = whole;
  t.deepEqual(brief(first ? [first, ...whole] : []), ['not-ok', ['17/3/0.dsse', 'contradiction']]);
  const [state, ...problems] = brief(await judge(makeRecording([same, asLast, asLast])));
  t.is(state, 'not-ok');
  t.deepEqual(problems, [['17/3/2.dsse', 'contradiction']]);
});

test('time without pictures is reported, stated or not', async (t) => {
  const stated = await judge(
    makeRecording([same, (f) => asLast(withMedia({ gap_before_ms: 2500 })(f))]),
  );
  t.deepEqual(brief(stated), ['ok-with-missing', ['17/3/1.dsse', 'gap']]);
  t.regex(verifyRecording(stated).problems[0]?.message ?? '', /2\.5 s without pictures/);
  const silent = await judge(
    makeRecording([same, (f) => asLast(withMedia({ start90k: 990_000 })(f))]),
  );
  t.deepEqual(brief(silent), ['ok-with-missing', ['17/3/1.dsse', 'gap']]);
  const nextRun = withMedia({ start90k: 0, run: 2 });
  t.deepEqual(brief(await judge(makeRecording([same, (f) => asLast(nextRun(f))]))), ['ok']);
});

test('a recording that a full card or a dead pipeline ended is ok with missing', async (t) => {
  for (const end of ['storage-full', 'stall'] as const) {
    const verdicts = await judge(makeRecording([(facts) => ({ ...facts, last: true, end })]));
    t.deepEqual(brief(verdicts), ['ok-with-missing', ['17/3/0.dsse', 'cut']]);
  }
});

test('the state is the worst of the segments, and an unsealed end says so', async (t) => {
  const [segment] = makeRecording([asLast]);
  if (segment === undefined) return t.fail();
  const ciphertext = flip(segment.ciphertext, 400);
  const bad = await verifySegment(filesOf(camera, segment, { ciphertext }), camera.trust);
  t.deepEqual(brief([bad]), ['not-ok']);
  const unsealed = filesOf(camera, segment, { manifest: undefined, meta: undefined });
  t.deepEqual(brief([await verifySegment(unsealed, camera.trust)]), [
    'ok-with-missing',
    ['17/3/0.dsse', 'missing'],
  ]);
});

test('verdicts of several recordings, or none, are a mistake of the caller', async (t) => {
  const ref = { boot: 17, rec: 4, seq: 0 };
  const others = await judge([makeSegment(camera, { ref, bytes: 10 })]);
  t.throws(() => verifyRecording([...whole, ...others]), { instanceOf: RangeError });
  t.throws(() => verifyRecording([]), { instanceOf: RangeError });
});

test('states are ordered ok, ok-with-missing, not-feasible, not-ok', (t) => {
  t.is(worstOf([]), 'ok');
  t.is(worstOf(['ok', 'ok-with-missing']), 'ok-with-missing');
  t.is(worstOf(['not-feasible', 'ok-with-missing']), 'not-feasible');
  t.is(worstOf(['not-ok', 'not-feasible', 'ok']), 'not-ok');
});
