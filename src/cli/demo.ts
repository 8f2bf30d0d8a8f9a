import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { CameraListener } from '../camera.js';
import { parseConfig } from '../config/config.js';
import { CameraError } from '../errors.js';
import { openMachine } from '../hal/machine.js';
import type { Machine } from '../hal/machine.js';
import { createLogger } from '../log.js';
import type { Logger } from '../log.js';
import { startEmbeddedBroker } from '../sync/embedded-broker.js';
import { readConfigFile, writeConfigFile } from './config-file.js';
import { exportRecording } from './export.js';
import { readIdentity } from './identity-file.js';
import { enrolCamera, initCamera, initReceiver, readTrust } from './keys.js';
import { findNamedBoard, openCamera } from './open-camera.js';
import type { OpenedCamera } from './open-camera.js';
import { findText } from './options.js';
import type { Options } from './options.js';
import { Progress, formatBytes, formatSeconds, paint, printJson, say } from './output.js';
import type { Output } from './output.js';
import { dataPaths } from './paths.js';
import { openReceiver } from './receive.js';
import { verifyPaths } from './verify.js';
import type { VerifyReport } from './verify.js';

const DEVICE = 'lapel-demo';
const RECEIVER = 'rx1';
/** Short, so that the story has a seam or two and nobody waits long. */
const PRE_EVENT_MS = 5000;
const SEGMENT_MS = 5000;
const MARK_AFTER_MS = 2000;
/** The least that a configuration allows: a demo fills no card. */
const RESERVE_BYTES = 256 * 1024 * 1024;
/** A step that takes longer than this has failed: buffering, a stop. */
const STEP_MS_MAX = 30_000;
/** The hand-over may have to wait for a broker that restarts. */
const DOCK_MS_MAX = 180_000;
const LOOK_MS = 50;

interface Places {
  readonly root: string;
  readonly data: string;
  readonly store: string;
  readonly trust: string;
  readonly identity: string;
  readonly out: string;
}

/** What happened so far; filled by the camera's listener. */
interface Facts {
  rec: number | undefined;
  preEvent: { askedMs: number; gotMs: number };
  pressToDurableMs: number | undefined;
  isStopped: boolean;
  segments: number;
  uploadedBytes: number;
}

export async function run(
  _args: readonly string[],
  options: Options,
  output: Output,
): Promise<number> {
  const places = placesIn(findText(options, 'dir') ?? (await newDirectory()));
  const machine = openMachine();
  const log = createLogger('error', output.err);
  await prepare(machine, places);
  const given = findText(options, 'broker');
  const embedded = given === undefined ? await startEmbeddedBroker() : undefined;
  try {
    const broker = given ?? embedded?.url ?? '';
    const trust = await readTrust(machine.fs, places.trust);
    const { store } = places;
    const { receiver } = await openReceiver(machine, log, { store, trust, broker });
    await receiver.start();
    try {
      const seconds = Number(options['seconds']);
      const facts = await record(machine, log, { places, broker, seconds, output });
      return await judge(machine, places, facts, output);
    } finally {
      await receiver.close();
    }
  } finally {
    await embedded?.close();
  }
}

const newDirectory = (): Promise<string> => mkdtemp(path.join(tmpdir(), 'lapel-demo-'));

function placesIn(dir: string): Places {
  const root = path.resolve(dir);
  const at = (name: string): string => path.join(root, name);
  return {
    root,
    data: at('camera'),
    store: at('store'),
    trust: at('trust.json'),
    identity: at('identity.txt'),
    out: at('evidence.mp4'),
  };
}

/** Keys of camera and receiver, and a configuration that suits a short story. */
async function prepare({ fs }: Machine, places: Places): Promise<void> {
  const { data, store, trust, identity } = places;
  await initCamera(fs, { data, device: DEVICE, recipients: [], identity });
  await initReceiver(fs, store, RECEIVER);
  const { config } = await enrolCamera(fs, { data, trust, store });
  await writeConfigFile(fs, dataPaths(data).config, {
    ...config,
    preEventMs: PRE_EVENT_MS,
    segmentMs: SEGMENT_MS,
    reserveBytes: RESERVE_BYTES,
    reservePercent: 0,
  });
}

/** From the board to the last receipt. */
async function record(
  machine: Machine,
  log: Logger,
  story: { places: Places; broker: string; seconds: number; output: Output },
): Promise<Facts> {
  const { places, broker, seconds, output } = story;
  const facts: Facts = {
    rec: undefined,
    preEvent: { askedMs: PRE_EVENT_MS, gotMs: 0 },
    pressToDurableMs: undefined,
    isStopped: false,
    segments: 0,
    uploadedBytes: 0,
  };
  const stored = await readConfigFile(machine.fs, dataPaths(places.data).config);
  const config = parseConfig({ ...stored, brokerUrl: broker });
  const board = await findNamedBoard(machine, 'sim');
  const options = { board, data: places.data, config };
  const upload = new Progress(output, 'upload');
  const opened = await openCamera(machine, log, options, listener(facts, output, upload));
  try {
    opened.camera.start();
    say(output, `board      ${opened.board.file.model}, camera ${DEVICE}`);
    await buffer(machine, opened, output);
    await pressAndStop(machine, opened, facts, seconds * 1000);
    await handOver(machine, opened, facts);
    upload.finish(facts.uploadedBytes);
    const { receipted, segments } = opened.camera.card.totals();
    say(output, `receipts   ${receipted} of ${segments} segments, signed by ${RECEIVER}`);
  } finally {
    await opened.close();
  }
  return facts;
}

function listener(facts: Facts, output: Output, upload: Progress): CameraListener {
  return {
    recordingStarted: ({ rec, preEvent }) => {
      facts.rec = rec;
      facts.preEvent = { askedMs: preEvent.askedMs, gotMs: preEvent.gotMs };
      const got = formatSeconds(preEvent.gotMs / 1000);
      say(output, `press      recording ${rec} starts, ${got} of it from before the press`);
    },
    reached: (step, _rec, latencyMs) => {
      if (step !== 'first-durable') return;
      facts.pressToDurableMs = latencyMs;
      say(
        output,
        `durable    first footage on the card ${Math.round(latencyMs)} ms after the press`,
      );
    },
    segmentSealed: ({ seq }) => {
      facts.segments += 1;
      say(output, `sealed     segment ${seq}, encrypted and signed`);
    },
    recordingStopped: ({ durationMs }) => {
      facts.isStopped = true;
      say(output, `stop       after a hold of 3 s, ${formatSeconds(durationMs / 1000)} in all`);
    },
    onProgress: ({ bytesDone, bytesTotal }) => {
      facts.uploadedBytes = bytesDone;
      upload.update(bytesDone, bytesTotal);
    },
  };
}

async function buffer(machine: Machine, { camera }: OpenedCamera, output: Output): Promise<void> {
  await until(
    machine,
    'the pre-event buffer did not fill',
    STEP_MS_MAX,
    () => camera.recorder.status().bufferedMs >= PRE_EVENT_MS,
  );
  const { bufferedMs, bufferedBytes } = camera.recorder.status();
  const held = `${formatSeconds(bufferedMs / 1000)}, ${formatBytes(bufferedBytes)} in memory`;
  say(output, `buffering  ${held}, nothing on the card`);
}

async function pressAndStop(
  { clock, ...machine }: Machine,
  { board }: OpenedCamera,
  facts: Facts,
  lengthMs: number,
): Promise<void> {
  const hands = board.control;
  if (hands === undefined) throw new CameraError('internal/bug', 'the demo board has no hands');
  await hands.run(['press', 'record']);
  const markAtMs = Math.min(MARK_AFTER_MS, lengthMs / 2);
  await clock.sleep(markAtMs);
  await hands.run(['press', 'record']);
  await clock.sleep(lengthMs - markAtMs);
  await hands.run(['hold', 'record', '3s']);
  await until(
    { clock, ...machine },
    'the recording did not stop',
    STEP_MS_MAX,
    () => facts.isStopped,
  );
}

async function handOver(
  machine: Machine,
  { camera, board }: OpenedCamera,
  facts: Facts,
): Promise<void> {
  await board.control?.run(['dock']);
  await until(machine, 'not every segment got its receipt', DOCK_MS_MAX, () => {
    const { segments, pendingSegments } = camera.card.totals();
    return segments > 0 && pendingSegments === 0;
  });
  facts.uploadedBytes = camera.card.totals().bytes;
}

async function until(
  { clock }: Machine,
  failure: string,
  limitMs: number,
  isReached: () => boolean,
): Promise<void> {
  const limit = clock.monotonicMs() + limitMs;
  while (!isReached()) {
    if (clock.monotonicMs() > limit) throw new CameraError('sync/timeout', failure);
    await clock.sleep(LOOK_MS);
  }
}

/** Verifies the receiver's copy and exports it: what somebody else could do, with the receiver's files alone. */
async function judge(
  { fs }: Machine,
  places: Places,
  facts: Facts,
  output: Output,
): Promise<number> {
  const evidence = path.join(places.store, DEVICE);
  const report = await verifyPaths(fs, [evidence], await readTrust(fs, places.trust));
  const isVerified = report.state === 'ok';
  const colour = isVerified ? 'green' : 'red';
  const count = `${report.segments.length} segments, ${formatBytes(report.bytes)}`;
  say(
    output,
    `verified   ${paint(output.out, colour, report.state)}: ${count} in the receiver's store`,
  );
  const [segment] = report.segments;
  const recording = path.join(evidence, `${segment?.ref.boot ?? 0}`, `${facts.rec ?? 0}`);
  const identity = await readIdentity(fs, places.identity);
  const exported = await exportRecording(fs, recording, identity, places.out);
  const length = `${exported.frames} frames, ${formatSeconds(exported.seconds)}`;
  say(output, `exported   ${places.out} (${length})`);
  say(output, checkYourself(places, recording));
  if (output.isJson) printJson(output, result(places, facts, report, { recording, exported }));
  return isVerified ? 0 : 1;
}

const result = (
  places: Places,
  facts: Facts,
  report: VerifyReport,
  { recording, exported }: { recording: string; exported: { frames: number } },
): unknown => ({
  ok: report.state === 'ok',
  recording,
  segments: report.segments.map(({ ref, state, manifest }) => ({
    segment: `${ref.boot}/${ref.rec}/${ref.seq}`,
    state,
    frames: manifest?.media.frames ?? 0,
    bytes: manifest?.file.size ?? 0,
  })),
  frames: exported.frames,
  preEvent: facts.preEvent,
  pressToDurableMs: facts.pressToDurableMs ?? null,
  uploadedBytes: facts.uploadedBytes,
  verified: report.state,
  exported: places.out,
  store: places.store,
  trust: places.trust,
  identity: places.identity,
});

const checkYourself = ({ out, identity }: Places, recording: string): string =>
  [
    'check it   with tools that are not ours:',
    `  ffprobe -v error -count_packets -show_entries stream=codec_name,nb_read_packets ${out}`,
    `  age -d -i ${identity} ${recording}/0.age > segment.mp4`,
    `  openssl: see "Check it without Lapel" in README.md, for ${recording}/0.dsse`,
  ].join('\n');
