import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { Camera } from '../camera.js';
import { parseConfig } from '../config/config.js';
import { CameraError, messageOf } from '../errors.js';
import type { Board } from '../hal/board.js';
import type { Machine } from '../hal/machine.js';
import type { Logger } from '../log.js';
import { KeyFile } from '../storage/keys.js';
import { configDigest, readConfigFile } from './config-file.js';
import { exportRecording } from './export.js';
import { readIdentity } from './identity-file.js';
import { firmwareDigest } from './firmware.js';
import { enrolCamera, initCamera, readTrust } from './keys.js';
import { dataPaths } from './paths.js';
import { verifyPaths } from './verify.js';

/** Enough for two GOPs of a second beside the pre-event. */
const RECORD_MS = 2000;
/** A slow encoder on a slow board has its first GOP by then. */
const BUFFER_MS_MAX = 15_000;
const LOOK_MS = 50;
/** The shortest pre-event that a configuration may ask for is plenty here, and fits every board. */
const PRE_EVENT_MS = 1000;
/** Decoding three seconds takes a fraction of them on a computer and some seconds on a small board. */
const DECODE_MS_MAX = 60_000;

/**
 * Two seconds of the whole way with keys of their own in a temporary directory: record, seal, verify, decrypt, and
 * decode every picture. Nothing of it touches the evidence card. Resolves with what was seen; rejects with the fault.
 */
export async function recordSealVerify(
  machine: Machine,
  log: Logger,
  board: Board,
): Promise<string> {
  const root = await mkdtemp(path.join(tmpdir(), 'lapel-doctor-'));
  try {
    return await story(machine, log, board, root);
  } finally {
    await rm(root, { recursive: true, force: true });
  }
}

async function story(machine: Machine, log: Logger, board: Board, root: string): Promise<string> {
  const { fs } = machine;
  const data = path.join(root, 'camera');
  const trust = path.join(root, 'trust.json');
  const identity = path.join(root, 'identity.txt');
  await initCamera(fs, { data, device: 'doctor', recipients: [], identity });
  await enrolCamera(fs, { data, trust });
  await record(machine, log, board, data);
  const { card } = dataPaths(data);
  const report = await verifyPaths(fs, [card], await readTrust(fs, trust));
  const [segment] = report.segments;
  if (segment === undefined || report.state !== 'ok') {
    const said =
      segment?.problems.map(({ message }) => message).join('; ') ?? 'there is no segment';
    throw new CameraError('evidence/not-feasible', `the copy did not verify: ${said}`);
  }
  const { boot, rec } = segment.ref;
  const out = path.join(root, 'evidence.mp4');
  const recording = path.join(segment.root, `${boot}`, `${rec}`);
  const { frames } = await exportRecording(fs, recording, await readIdentity(fs, identity), out);
  await decode(out);
  return `${frames} pictures recorded, sealed, verified and decoded`;
}

async function record(
  { fs, clock }: Machine,
  log: Logger,
  board: Board,
  data: string,
): Promise<void> {
  const paths = dataPaths(data);
  const stored = await readConfigFile(fs, paths.config);
  const config = parseConfig({ ...stored, preEventMs: PRE_EVENT_MS });
  const camera = await Camera.open(board, fs, log, {
    config,
    card: paths.card,
    bootFile: paths.bootFile,
    deviceKey: await new KeyFile(fs, paths.deviceKey).load(),
    configDigest: configDigest(config),
    firmwareDigest: await firmwareDigest(),
  });
  try {
    camera.recorder.start();
    const limit = clock.monotonicMs() + BUFFER_MS_MAX;
    while (camera.recorder.status().bufferedMs < PRE_EVENT_MS) {
      if (clock.monotonicMs() > limit) {
        throw new CameraError('capture/no-video', `nothing is buffered after ${BUFFER_MS_MAX} ms`);
      }
      await clock.sleep(LOOK_MS);
    }
    camera.recorder.edge({ button: 'record', isPressed: true, at: board.clock.monotonicMs() });
    await clock.sleep(RECORD_MS);
  } finally {
    await camera.close();
  }
}

/** Every picture through a decoder that gives up at the first error. */
async function decode(file: string): Promise<void> {
  const elements = `filesrc location=${file} ! qtdemux ! h264parse ! avdec_h264 max-errors=0 ! fakesink`;
  try {
    const options = { timeout: DECODE_MS_MAX, killSignal: 'SIGKILL' as const };
    await promisify(execFile)('gst-launch-1.0', ['-q', ...elements.split(' ')], options);
  } catch (error) {
    throw new CameraError('hal/pipeline', `the pictures do not decode: ${messageOf(error)}`, {
      cause: error,
    });
  }
}
