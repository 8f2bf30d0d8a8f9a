import { mkdir, rm } from 'node:fs/promises';
import path from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { GOP_MS_MAX } from '../../../src/capture/gop-fragmenter.js';
import { verifyPaths } from '../../../src/cli/verify.js';
import type { LogEntry } from '../../../src/evidence/log-entry.js';
import { GStreamerSource } from '../../../src/hal/linux/gstreamer.js';
import { NodeFileSystem } from '../../../src/hal/linux/node-file-system.js';
import { SystemClock } from '../../../src/hal/linux/system-clock.js';
import { ticksToMs } from '../../../src/units.js';
import { eventually } from '../../contract/eventually.js';
import { randomFrom } from '../../support/random.js';
import { newDevice } from '../../support/boot-fixture.js';
import { trustIn } from '../../support/card-fixture.js';
import { CardReader, type ReadSegment } from '../../support/card-readings.js';
import { decode } from '../../support/ffmpeg.js';
import { keyOfPicture, SharedVideo, type TappedPicture } from '../../support/shared-video.js';
import { temporaryDirectory } from '../../support/temporary-directory.js';
import { testLaunch } from '../../support/test-launch.js';
import { WornRecorder, type HandPress } from '../../support/worn-recorder.js';

// Presses at random times against a running encoder. What they delivered is read from the cards afterwards: the pictures in
// the files are found again among those that the encoder gave, by the bytes of their slices.

/**
 * `PRESSES=300 SEED=1 npx ava --config test/timed.config.js test/integration/capture/presses.test.ts`: four minutes of
 * pressing, and two to five more until every file is read.
 */
const PRESSES = Number(process.env['PRESSES'] ?? 20);
const SEED = Number(process.env['SEED'] ?? Date.now() % 2 ** 32);
/** Asked for by one recorder each, in ms. */
const ASKED_MS =
  PRESSES < 100
    ? [5000, 7500, 10_000, 15_000, 30_000]
    : [5000, 6000, 7500, 9000, 11_000, 13_500, 16_000, 20_000, 25_000, 30_000];
/** The first press after a start comes within this time, and before the memory is full. */
const EARLY_MS_MAX = PRESSES < 100 ? 8000 : 30_000;
/** One recording in so many is followed by a start with an empty memory. */
const ANEW_IN = 8;
/** One press in so many comes right after an IDR, when the GOP before it has just become a fragment. */
const AT_IDR_IN = 6;
/** A contact that closes sooner after it has opened bounces. */
const PAUSE_MS_MIN = 60;
const PAUSE_MS_MAX = 1500;
const RECORDED_MS_MAX = 1000;
/** One process with ten recorders on a machine that does other things looks at its clock when it gets to it. */
const LEDGER_OFF_MS_MAX = 1000;
const FRAME_90K = 3000;

/** One press with what its recording has on the card. */
interface Delivery {
  readonly askedMs: number;
  readonly statedMs: number;
  readonly reason: string;
  /** From the first picture in the file to the newest one at the press. */
  readonly shownMs: number;
  /** From when the first picture arrived to the edge of the press, both as the card says. */
  readonly ledgerMs: number;
  readonly hadPictures: boolean;
}

async function wear(
  recorder: WornRecorder,
  video: SharedVideo,
  count: number,
  random: () => number,
) {
  const clock = new SystemClock();
  const { preEventMs } = recorder.settings;
  const earlyMs = Math.min(preEventMs * 0.9, EARLY_MS_MAX);
  let isAnew = true;
  for (let press = 0; press < count; press += 1) {
    if (isAnew) await recorder.startAnew();
    // As likely at once as when the memory is nearly full.
    await clock.sleep(PAUSE_MS_MIN + random() * (isAnew ? earlyMs : PAUSE_MS_MAX));
    if (random() < 1 / AT_IDR_IN) {
      await video.nextIdr();
      await clock.nextTurn();
    }
    await recorder.press(60 + random() * 150);
    await clock.sleep(PAUSE_MS_MIN + random() * RECORDED_MS_MAX);
    await recorder.hold();
    isAnew = random() < 1 / ANEW_IN;
    // A recorder that ends in the GOP of a stop cuts that GOP short.
    if (isAnew || press === count - 1) await video.nextIdr();
  }
  await recorder.close();
}

/** The pictures of a recording as numbers of those that the encoder gave, every one of them looked at. */
function numbersIn(
  t: ExecutionContext,
  segments: readonly ReadSegment[],
  pictures: readonly TappedPicture[],
  numberOf: ReadonlyMap<string, number>,
  where: string,
): readonly number[] {
  const numbers = segments.flatMap((segment) => {
    const found = segment.pictures.map(({ data }) => numberOf.get(keyOfPicture(data)) ?? NaN);
    const from = pictures[found[0] ?? NaN];
    t.true(from?.isIdr, `${where} begins with an IDR`);
    t.deepEqual(
      segment.pictures.map(({ at90k }) => at90k),
      found.map((number) => (pictures[number]?.pts90k ?? NaN) - (from?.pts90k ?? NaN)),
      `${where}: times in the file are those of the encoder`,
    );
    return found;
  });
  const [first = NaN] = numbers;
  t.deepEqual(
    numbers,
    numbers.map((_, index) => first + index),
    `${where}: no picture is missing or doubled`,
  );
  return numbers;
}

/** Presses of the record button in the log of the card, by their outcome. */
const ledgerOf = (entries: readonly LogEntry[], wanted: string): readonly number[] =>
  entries.flatMap((entry) =>
    entry.type === 'press' && entry.outcome === wanted && entry.pressed ? [entry.at] : [],
  );

interface Read {
  readonly press: HandPress;
  readonly pressedAt: number;
  readonly segments: readonly ReadSegment[];
  readonly numbers: readonly number[];
}

function deliveryOf(
  t: ExecutionContext,
  { press, pressedAt, segments, numbers }: Read,
  pictures: readonly TappedPicture[],
  where: string,
): Delivery {
  const [first] = segments;
  const [from = NaN] = numbers;
  const pre = first?.manifest.pre_event;
  const start = first?.metadata.find((line) => line.type === 'start');
  const hadPictures = press.frames > 0;
  const shown90k = (pictures[press.newest]?.pts90k ?? NaN) - (pictures[from]?.pts90k ?? NaN);
  t.true(Math.abs(pressedAt - press.at) <= 1, `${where}: the ledger has the moment of the press`);
  t.true(segments.at(-1)?.manifest.last);
  t.true(pictures[(numbers.at(-1) ?? NaN) + 1]?.isIdr ?? true, `${where} ends with a whole GOP`);
  if (pre?.reason === 'boot') {
    const oldest = press.newest - press.frames + 1;
    if (hadPictures) t.is(from, oldest, `${where}: all that there ever was`);
    else t.true(from > press.newest, `${where}: there was nothing`);
  }
  return {
    askedMs: pre?.asked_ms ?? NaN,
    statedMs: pre?.got_ms ?? NaN,
    reason: pre?.reason ?? '',
    shownMs: hadPictures ? ticksToMs(shown90k) : 0,
    ledgerMs: pressedAt - (start?.mono ?? NaN),
    hadPictures,
  };
}

async function readCard(
  t: ExecutionContext,
  recorder: WornRecorder,
  reader: CardReader,
  pictures: readonly TappedPicture[],
  scratch: string,
): Promise<readonly Delivery[]> {
  const numberOf = new Map(pictures.map(({ key }, number) => [key, number]));
  t.is(numberOf.size, pictures.length, 'no two pictures of the encoder are the same');
  const { presses, settings } = recorder;
  const entries = await reader.entries(recorder.boot);
  const started = ledgerOf(entries, 'started');
  t.is(started.length, presses.length, 'every press started');
  t.is(ledgerOf(entries, 'stopped').length, presses.length, 'every hold stopped');
  const recordings = await reader.recordings();
  t.is(recordings.size, presses.length);
  const deliveries: Delivery[] = [];
  for (const [index, press] of presses.entries()) {
    const where = `asked ${settings.preEventMs}, recording ${index + 1}, SEED=${SEED}`;
    const segments: ReadSegment[] = [];
    for (const found of recordings.get(index + 1) ?? []) segments.push(await reader.segment(found));
    if (index === 0) t.is((await decode(path.join(scratch, 'segment.mp4'))).messages, '', where);
    const numbers = numbersIn(t, segments, pictures, numberOf, where);
    const pressedAt = started[index] ?? NaN;
    deliveries.push(deliveryOf(t, { press, pressedAt, segments, numbers }, pictures, where));
  }
  return deliveries;
}

function judge(t: ExecutionContext, each: Delivery): void {
  const { askedMs, statedMs, reason, shownMs, ledgerMs, hadPictures } = each;
  const where = `${JSON.stringify(each)} SEED=${SEED}`;
  t.is(statedMs, Math.round(shownMs), `what is stated is in the file: ${where}`);
  if (reason === 'none') {
    t.true(shownMs >= askedMs && shownMs <= askedMs + GOP_MS_MAX, where);
  } else {
    t.is(reason, 'boot', where);
    t.true(shownMs < askedMs, where);
  }
  if (hadPictures) t.true(Math.abs(ledgerMs - shownMs) <= LEDGER_OFF_MS_MAX, where);
}

const span = (values: readonly number[]): string =>
  values.length === 0
    ? '-'
    : `${Math.min(...values).toFixed(1)} to ${Math.max(...values).toFixed(1)}`;

function tell(t: ExecutionContext, deliveries: readonly Delivery[]): void {
  t.log('asked ms | full n | delivered - asked ms | early n | got ms | stated - shown ms');
  for (const asked of ASKED_MS) {
    const own = deliveries.filter(({ askedMs }) => askedMs === asked);
    const full = own.filter(({ reason }) => reason === 'none');
    const early = own.filter(({ reason }) => reason !== 'none');
    t.log(
      [
        `${asked}`.padStart(8),
        `${full.length}`.padStart(6),
        span(full.map(({ shownMs }) => shownMs - asked)),
        early.length,
        span(early.map(({ shownMs }) => shownMs)),
        span(own.map(({ statedMs, shownMs }) => statedMs - shownMs)),
      ].join(' | '),
    );
  }
  const had = deliveries.filter(({ hadPictures }) => hadPictures);
  t.log(
    `${deliveries.length} presses, ${deliveries.length - had.length} before the first picture;`,
    `by the ledger ${span(had.map(({ ledgerMs, shownMs }) => ledgerMs - shownMs))} ms more than by pictures`,
  );
}

test(`${PRESSES} random presses: the card holds the pre-event asked for and at most a GOP more, or says how much less and why`, async (t) => {
  t.timeout(120_000 + PRESSES * 4000);
  t.log(`SEED=${SEED}`);
  const root = await temporaryDirectory(t);
  const scratch = path.join(root, 'scratch');
  await mkdir(scratch);
  const clock = new SystemClock();
  const device = newDevice();
  const video = new SharedVideo(clock);
  // Its snow makes every picture another one.
  video.start(new GStreamerSource(), testLaunch({ source: 'videotestsrc is-live=true' }));
  t.teardown(() => video.stop(1000));
  await eventually(t, 'the first pictures', () => video.pictures.length > 30);

  const random = randomFrom(SEED);
  const count = PRESSES / ASKED_MS.length;
  const recorders = await Promise.all(
    ASKED_MS.map((preEventMs, index) => {
      const settings = { preEventMs, segmentMs: index % 2 === 0 ? 60_000 : 10_000 };
      return WornRecorder.open(root, `card-${index}`, { clock, video, device }, settings);
    }),
  );
  const startedAt = clock.monotonicMs();
  await Promise.all(
    recorders.map((recorder) => wear(recorder, video, count, randomFrom(random() * 2 ** 32))),
  );
  const wornS = Math.round((clock.monotonicMs() - startedAt) / 1000);
  await video.stop(3000);

  const deliveries: Delivery[] = [];
  for (const recorder of recorders) {
    const { directory, faults } = recorder;
    t.deepEqual(faults, [], directory);
    const { state } = await verifyPaths(new NodeFileSystem(), [directory], trustIn(device));
    t.is(state, 'ok');
    const reader = new CardReader(directory, device, scratch);
    deliveries.push(...(await readCard(t, recorder, reader, video.pictures, scratch)));
    await rm(directory, { recursive: true });
  }
  tell(t, deliveries);
  t.log(`one encoder, ${video.pictures.length} pictures, ${wornS} s of pressing`);
  for (const each of deliveries) judge(t, each);
  t.is(deliveries.length, PRESSES);
  t.true(deliveries.some(({ reason }) => reason === 'none'));
  t.true(deliveries.some(({ reason }) => reason === 'boot'));
  const steps = video.pictures.slice(1).map(({ pts90k }, index) => {
    return pts90k - (video.pictures[index]?.pts90k ?? 0);
  });
  t.true(
    steps.every((step) => Math.abs(step - FRAME_90K) <= 1),
    'the encoder itself dropped nothing',
  );
});
