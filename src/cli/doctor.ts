import { stat } from 'node:fs/promises';
import path from 'node:path';
import type { Clock } from '../clock.js';
import { GdpReader } from '../capture/gdp-reader.js';
import type { AccessUnit } from '../capture/gdp-reader.js';
import { launchLine } from '../capture/pipeline.js';
import { CameraError, hasErrorCode } from '../errors.js';
import { boardChecks, examine } from '../hal/board-checks.js';
import type { BoardCheck, Finding } from '../hal/board-checks.js';
import type { Board } from '../hal/board.js';
import { openMachine } from '../hal/machine.js';
import type { Machine } from '../hal/machine.js';
import { createLogger } from '../log.js';
import type { Logger } from '../log.js';
import { KeyFile } from '../storage/keys.js';
import { connectMqtt } from '../sync/mqtt-client.js';
import { TICKS_PER_SECOND } from '../units.js';
import { readConfigFile, requireCamera } from './config-file.js';
import { lookAtMicrophone } from './doctor-microphone.js';
import { recordSealVerify } from './doctor-recording.js';
import { findNamedBoard, openBoardHere } from './open-camera.js';
import { findText, getText } from './options.js';
import type { Options } from './options.js';
import { formatBytes, paint, printJson, say, toCameraError } from './output.js';
import type { Output } from './output.js';
import { dataPaths } from './paths.js';

/** The last look: two seconds of the whole way. */
const WHOLE_WAY = 'recording';

type Check = Pick<BoardCheck, 'part' | 'look'>;

/** Long enough for two GOPs of a second after a slow start of the encoder. */
const CAMERA_MS = 4000;
const STOP_MS = 1000;
/** Between two heads there is a second; a card that needs longer for one write cannot keep up. */
const SYNC_MS_MAX = 1000;
const PROBE_BYTES = 256 * 1024;
/** As many writes as a recording of ten seconds makes; the slowest of them counts. */
const PROBES = 10;
/** Four times what a recording needs: the upload of the last one reads beside it. */
const SPEED_FACTOR_MIN = 4;

/** Runs every check even when one fails, so that one visit shows all loose wires. */
export async function run(
  _args: readonly string[],
  options: Options,
  output: Output,
): Promise<number> {
  const machine = openMachine();
  const log = createLogger('error', output.err);
  const file = await findNamedBoard(machine, getText(options, 'board'));
  const board = await openBoardHere(machine, log, file);
  const findings: Finding[] = [];
  const tell = (finding: Finding): void => {
    findings.push(finding);
    const mark = finding.ok ? paint(output.out, 'green', 'ok  ') : paint(output.out, 'red', 'FAIL');
    say(output, `${mark} ${finding.part.padEnd(16)} ${finding.detail}`);
  };
  try {
    const checks: readonly Check[] = [
      { part: 'node', look: () => Promise.resolve(`${process.version}, ${process.arch}`) },
      { part: 'pipeline', look: () => lookAtPipeline(board) },
      { part: 'camera', look: () => lookAtCamera(board) },
      ...microphoneChecks(board),
      ...boardChecks(board),
      ...dataChecks(machine, getText(options, 'data'), board),
      ...brokerChecks(machine, findText(options, 'broker')),
    ];
    const isWanted = chooser(findText(options, 'only'), [
      ...checks.map(({ part }) => part),
      WHOLE_WAY,
    ]);
    for (const check of checks) {
      if (isWanted(check.part)) tell(await examine(check, machine.clock));
    }
    if (isWanted(WHOLE_WAY)) tell(await wholeWay(machine, log, board));
  } finally {
    await board.close();
  }
  const ok = findings.every((finding) => finding.ok);
  if (output.isJson) printJson(output, { ok, board: board.file.model, findings });
  return ok ? 0 : 1;
}

/** Which parts `--only` names: all of them without it. Throws `cli/usage` for a part that the board does not have. */
function chooser(only: string | undefined, parts: readonly string[]): (part: string) => boolean {
  if (only === undefined) return () => true;
  const wanted = new Set(only.split(','));
  for (const part of wanted) {
    if (parts.includes(part)) continue;
    throw new CameraError('cli/usage', `there is no part ${part}; there are ${parts.join(', ')}`);
  }
  return (part) => wanted.has(part);
}

/** The last look takes as long as it takes: each of its steps has a limit of its own. */
async function wholeWay(machine: Machine, log: Logger, board: Board): Promise<Finding> {
  const part = WHOLE_WAY;
  try {
    return { part, ok: true, detail: await recordSealVerify(machine, log, board) };
  } catch (error) {
    return { part, ok: false, detail: toCameraError(error).line };
  }
}

async function lookAtPipeline({ camera, video }: Board): Promise<string> {
  await video.check(launchLine(camera));
  return `${camera.encoder}, ${camera.width}x${camera.height} at ${camera.framesPerSecond}`;
}

async function lookAtCamera({ camera, video, clock }: Board): Promise<string> {
  const units: AccessUnit[] = [];
  const startedAt = clock.monotonicMs();
  let firstAfterMs = 0;
  let failure = 'no picture came';
  const reader = new GdpReader();
  const life = video.startRun(launchLine(camera), {
    bytes: (chunk) => {
      const fresh = unitsIn(reader, chunk);
      if (units.length === 0 && fresh.length > 0) firstAfterMs = clock.monotonicMs() - startedAt;
      units.push(...fresh);
    },
    ended: ({ detail }) => (failure = detail),
  });
  await clock.sleep(CAMERA_MS);
  await life.stop(STOP_MS);
  if (units.length === 0) throw new CameraError('capture/no-video', failure);
  const longest = longestGop(units);
  if (longest > TICKS_PER_SECOND) {
    throw new CameraError(
      'capture/gop-too-long',
      `${(longest / TICKS_PER_SECOND).toFixed(2)} s from one IDR to the next`,
    );
  }
  const gop = (longest / TICKS_PER_SECOND).toFixed(2);
  return `${units.length} pictures in ${CAMERA_MS / 1000} s, first after ${Math.round(firstAfterMs)} ms, an IDR every ${gop} s`;
}

const microphoneChecks = (board: Board): readonly Check[] => {
  const { microphone } = board;
  if (microphone === undefined) return [];
  return [{ part: 'microphone', look: () => lookAtMicrophone(board, microphone.source) }];
};

/** What is no GDP stream gives no pictures, and that is what the check then says. */
function unitsIn(reader: GdpReader, chunk: Buffer): readonly AccessUnit[] {
  try {
    return reader.push(chunk).flatMap((item) => (item.type === 'unit' ? [item.unit] : []));
  } catch (error) {
    if (hasErrorCode(error, 'capture/malformed-stream')) return [];
    throw error;
  }
}

function longestGop(units: readonly AccessUnit[]): number {
  const idrs = units.filter(({ isIdr }) => isIdr).map(({ pts90k }) => pts90k);
  return Math.max(0, ...idrs.slice(1).map((pts, index) => pts - (idrs[index] ?? pts)));
}

const dataChecks = ({ fs, clock }: Machine, data: string, { camera }: Board): readonly Check[] => {
  const paths = dataPaths(data);
  const bytesPerSecond = camera.bitrateKbps * 125;
  return [
    { part: 'keys', look: () => lookAtKey(new KeyFile(fs, paths.deviceKey)) },
    {
      part: 'config',
      look: async () => {
        await requireCamera(fs, data);
        const { deviceId, recipients, receivers } = await readConfigFile(fs, paths.config);
        return `${deviceId}, ${recipients.length} recipients, ${receivers.length} receivers`;
      },
    },
    {
      part: 'card',
      look: async () => {
        // A look makes no data directory: it may be a slip of the pen.
        await requireCamera(fs, data);
        return lookAtCard(fs, clock, paths.card, bytesPerSecond);
      },
    },
  ];
};

async function lookAtKey(key: KeyFile): Promise<string> {
  const { keyId } = await key.load();
  const { mode } = await stat(key.path);
  if ((mode & 0o077) !== 0) {
    const octal = (mode & 0o777).toString(8);
    throw new CameraError('keys/permissions', `${key.path} has mode ${octal}: others can read it`);
  }
  return `device key ${keyId}, private`;
}

async function lookAtCard(
  fs: Machine['fs'],
  clock: Clock,
  card: string,
  bytesPerSecond: number,
): Promise<string> {
  await fs.makeDirectory(card);
  const times: number[] = [];
  for (let probe = 0; probe < PROBES; probe += 1) {
    const startedAt = clock.monotonicMs();
    await fs.writeAtomic(path.join(card, 'doctor.probe'), Buffer.alloc(PROBE_BYTES, probe));
    times.push(clock.monotonicMs() - startedAt);
  }
  const slowestMs = Math.max(...times);
  const total = times.reduce((sum, ms) => sum + ms, 0);
  const speed = (PROBES * PROBE_BYTES) / (total / 1000);
  const free = formatBytes(await fs.freeBytes(card));
  const each = `${formatBytes(PROBE_BYTES)} durable in ${Math.round(total / PROBES)} ms, at most ${Math.round(slowestMs)} ms`;
  const seen = `${formatBytes(speed)}/s, ${each}, ${free} free`;
  if (slowestMs > SYNC_MS_MAX || speed < bytesPerSecond * SPEED_FACTOR_MIN) {
    throw new CameraError('storage/io', `${seen}: too slow to record on`);
  }
  return seen;
}

function brokerChecks({ clock }: Machine, url: string | undefined): readonly Check[] {
  if (url === undefined) return [];
  const look = async (): Promise<string> => {
    const logger = createLogger('silent', process.stderr);
    try {
      const connection = await connectMqtt({ url, clientId: 'lapel-doctor', clock, logger });
      await connection.close();
    } catch (error) {
      if (hasErrorCode(error, 'sync/no-broker')) throw error;
      throw new CameraError('sync/no-broker', toCameraError(error).message, { cause: error });
    }
    return `${url} answers`;
  };
  return [{ part: 'broker', look }];
}
