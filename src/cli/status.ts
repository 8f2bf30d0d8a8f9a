import type { CameraStatus } from '../camera-status.js';
import { CameraError, hasErrorCode } from '../errors.js';
import { retainMsOf } from '../camera-card.js';
import { openMachine } from '../hal/machine.js';
import type { Machine } from '../hal/machine.js';
import { readCardStatus } from '../storage/card-status.js';
import type { CardStatus } from '../storage/card-status.js';
import { CardLayout } from '../storage/layout.js';
import { readConfigFile, requireCamera } from './config-file.js';
import { sendControl } from './control-client.js';
import { getText } from './options.js';
import type { Options } from './options.js';
import { formatBytes, formatSeconds, printJson, say } from './output.js';
import type { Output } from './output.js';
import { dataPaths } from './paths.js';
import type { DataPaths } from './paths.js';

export async function run(
  _args: readonly string[],
  options: Options,
  output: Output,
): Promise<number> {
  const paths = dataPaths(getText(options, 'data'));
  const machine = openMachine();
  try {
    const request = { verb: 'status', words: [] };
    // The camera is this same program, so its answer has this shape.
    const status = (await sendControl(paths.control, request, machine.clock)) as CameraStatus;
    if (output.isJson) printJson(output, { ok: true, running: true, ...status });
    else printRunning(output, status);
  } catch (error) {
    if (!hasErrorCode(error, 'cli/not-running')) throw error;
    await tellStopped(machine, paths, output);
  }
  return 0;
}

/** What there is to say of a camera that does not run. */
async function tellStopped(
  { fs, clock }: Machine,
  paths: DataPaths,
  output: Output,
): Promise<void> {
  await requireCamera(fs, paths.root);
  const config = await readConfigFile(fs, paths.config);
  const { deviceId, receivers, reserveBytes, reservePercent } = config;
  const hasRun = await fs.exists(new CardLayout(paths.card).database);
  const policy = {
    ...{ receivers: receivers.length, reserveBytes, reservePercent },
    retainMs: retainMsOf(config),
    wallTime: clock.wallTime(),
  };
  const card = hasRun ? await readCardStatus(fs, paths.card, policy) : undefined;
  if (output.isJson) {
    const nothing = { card: null, retention: null };
    printJson(output, { ok: true, running: false, device: deviceId, ...(card ?? nothing) });
    return;
  }
  say(output, `camera ${deviceId} is not running`);
  if (card === undefined) say(output, `card: the camera has not run on this card (${paths.card})`);
  else printCard(output, card);
}

function printRunning(
  output: Output,
  {
    device,
    boot,
    recorder,
    fault,
    parts,
    check,
    position,
    time,
    dock,
    triggers,
    backlog,
    ...card
  }: CameraStatus,
): void {
  const rec = recorder.rec === null ? '' : `, recording ${recorder.rec}`;
  const length = recorder.rec === null ? '' : ` for ${formatSeconds(recorder.recordingMs / 1000)}`;
  say(output, `camera ${device}, boot ${boot}: ${recorder.mode}${rec}${length}`);
  if (fault !== null) say(output, `fault: ${new CameraError(fault.code, fault.message).line}`);
  for (const { part, code, message } of parts) {
    say(output, `${part}: ${new CameraError(code, message).line}`);
  }
  const { waiting, lost } = backlog;
  if (waiting > 0) {
    const more = lost > 0 ? `, ${lost} more are lost` : '';
    say(output, `log: ${waiting} entries wait in memory until the card takes them${more}`);
  }
  for (const { part, detail } of check ?? []) say(output, `not ready, ${part}: ${detail}`);
  const buffered = formatSeconds(recorder.bufferedMs / 1000);
  say(output, `pre-event buffer: ${buffered}, ${formatBytes(recorder.bufferedBytes)}`);
  say(output, `pictures: ${recorder.frames}, lives of the encoder: ${recorder.runs}`);
  say(output, `dock: ${dock.isDocked ? 'in' : 'out'}, ${dock.phase}`);
  if (triggers !== null) say(output, `commands and other cameras: ${describeTriggers(triggers)}`);
  if (position) {
    say(output, `position: ${position.latitude.toFixed(5)} ${position.longitude.toFixed(5)}`);
  }
  const within = (time.uncertaintyMs / 1000).toFixed(1);
  say(output, `time: ${time.utc} from ${time.source}, within ${within} s`);
  printCard(output, card);
}

function describeTriggers({
  isConnected,
  taken,
  refused,
}: NonNullable<CameraStatus['triggers']>): string {
  const reasons = Object.entries(refused).map(([code, count]) => `${code} ${count}`);
  const told = reasons.length === 0 ? 'none refused' : `refused: ${reasons.join(', ')}`;
  return `${isConnected ? 'connected' : 'no broker'}, ${taken} taken, ${told}`;
}

function printCard(output: Output, { card, retention }: CardStatus): void {
  const free = formatBytes(card.freeBytes);
  const reserve = formatBytes(card.reserveBytes);
  const full = card.freeBytes < card.reserveBytes ? ': full, no recording starts' : '';
  const footage = `${card.segments} segments, ${formatBytes(card.bytes)}`;
  say(output, `card: ${footage}, ${free} free, ${reserve} of them in reserve${full}`);
  say(output, `receipts: ${card.receipted} of ${card.segments}, offered ${card.offered}`);
  if (card.deletedSegments > 0) say(output, `deleted: ${card.deletedSegments}, all with receipts`);
  say(output, `retention: ${retention.reason}`);
  for (const line of retention.outlook) say(output, `  ${line}`);
}
