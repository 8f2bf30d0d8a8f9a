import type { CameraStatus } from '../camera.js';
import { hasErrorCode } from '../errors.js';
import { openMachine } from '../hal/machine.js';
import { readCardStatus } from '../storage/card-status.js';
import type { CardStatus } from '../storage/card-status.js';
import { readConfigFile } from './config-file.js';
import { sendControl } from './control-client.js';
import { getText } from './options.js';
import type { Options } from './options.js';
import { formatBytes, formatSeconds, printJson, say } from './output.js';
import type { Output } from './output.js';
import { dataPaths } from './paths.js';

export async function run(
  _args: readonly string[],
  options: Options,
  output: Output,
): Promise<number> {
  const paths = dataPaths(getText(options, 'data'));
  const { fs, clock } = openMachine();
  try {
    const request = { verb: 'status', words: [] };
    // The camera is this same program, so its answer has this shape.
    const status = (await sendControl(paths.control, request, clock)) as CameraStatus;
    if (output.isJson) printJson(output, { ok: true, running: true, ...status });
    else printRunning(output, status);
  } catch (error) {
    if (!hasErrorCode(error, 'cli/not-running')) throw error;
    const config = await readConfigFile(fs, paths.config);
    const card = await readCardStatus(fs, paths.card, config.receivers.length);
    if (output.isJson) {
      printJson(output, { ok: true, running: false, device: config.deviceId, ...card });
    } else {
      say(output, `camera ${config.deviceId} is not running`);
      printCard(output, card);
    }
  }
  return 0;
}

function printRunning(
  output: Output,
  { device, boot, recorder, dock, ...card }: CameraStatus,
): void {
  const rec = recorder.rec === null ? '' : `, recording ${recorder.rec}`;
  const length = recorder.rec === null ? '' : ` for ${formatSeconds(recorder.recordingMs / 1000)}`;
  say(output, `camera ${device}, boot ${boot}: ${recorder.mode}${rec}${length}`);
  const buffered = formatSeconds(recorder.bufferedMs / 1000);
  say(output, `pre-event buffer: ${buffered}, ${formatBytes(recorder.bufferedBytes)}`);
  say(output, `pictures: ${recorder.frames}, lives of the encoder: ${recorder.runs}`);
  say(output, `dock: ${dock.isDocked ? 'in' : 'out'}, ${dock.phase}`);
  printCard(output, card);
}

function printCard(output: Output, { card, retention }: CardStatus): void {
  const free = formatBytes(card.freeBytes);
  say(output, `card: ${card.segments} segments, ${formatBytes(card.bytes)}, ${free} free`);
  say(output, `receipts: ${card.receipted} of ${card.segments}, offered ${card.offered}`);
  say(output, `retention: ${retention.reason}`);
}
