import { randomBytes } from 'node:crypto';
import type { Clock } from '../clock.js';
import { CameraError, isErrorCode } from '../errors.js';
import { sealCommand } from '../evidence/command.js';
import { openMachine } from '../hal/machine.js';
import { createLogger } from '../log.js';
import { KeyFile } from '../storage/keys.js';
import { sendCommand } from '../sync/fleet-command.js';
import { connectMqtt } from '../sync/mqtt-client.js';
import type { CommandState } from '../sync/trigger-messages.js';
import { ID_PATTERN } from '../units.js';
import { getText } from './options.js';
import type { Options } from './options.js';
import { printJson, say } from './output.js';
import type { Output } from './output.js';

const NONCE_BYTES = 16;
/** A camera on a slow link gets the answer out after the command has expired. */
const ANSWER_MS = 2_000;
/** What a camera can be told. A stop is the wearer's alone. */
const OPS = ['start'] as const;

/**
 * `lapel fleet command start`: signs, sends, tells each step, and ends with what the camera says it came to. Rejects with
 * `trigger/no-answer` when it says nothing, with the code of a refusal, or with `sync/refused` for one of the recorder.
 */
export async function command(
  args: readonly string[],
  options: Options,
  output: Output,
): Promise<number> {
  const [op = ''] = args;
  const device = getText(options, 'device');
  checkArguments(op, device);
  const waitMs = Number(options['wait'] ?? 20) * 1_000;
  const { fs, clock } = openMachine();
  const signer = await new KeyFile(fs, getText(options, 'key')).load();
  const logger = createLogger('error', output.err);
  const clientId = `f${randomBytes(8).toString('hex')}`;
  const url = getText(options, 'broker');
  const connection = await connectMqtt({ url, clientId, clock, logger });
  try {
    const nonce = randomBytes(NONCE_BYTES).toString('hex');
    const envelope = sealCommand(
      { target: { device }, op, nonce, ...lifeOf(clock, waitMs) },
      signer,
    );
    tell(output, `sent to ${device}, signed by key ${signer.keyId}`);
    const answer = await sendCommand(connection, envelope, clock, waitMs + ANSWER_MS, (state) => {
      tell(output, `${device} has ${state.state} it`);
    });
    return report(output, device, op, answer);
  } finally {
    await connection.close();
    signer.destroy();
  }
}

function checkArguments(op: string, device: string): void {
  if (!OPS.some((known) => known === op)) {
    throw new CameraError('cli/usage', `${op} is no command; there is: ${OPS.join(', ')}`);
  }
  if (ID_PATTERN.test(device)) return;
  throw new CameraError('cli/usage', `--device ${JSON.stringify(device)} is no name of a camera`);
}

function lifeOf(clock: Clock, lifeMs: number): { issued: number; expires: number } {
  const issued = Math.round(clock.wallTime().ms);
  return { issued, expires: issued + lifeMs };
}

function report(output: Output, device: string, op: string, answer: CommandState): number {
  const { state, result = '', detail = '' } = answer;
  if (state !== 'done') throw refusal(device, result, detail);
  if (output.isJson) printJson(output, { ok: true, device, op, result });
  say(output, `${device}: ${result === 'mark' ? 'was recording, the moment is marked' : result}`);
  return 0;
}

/** The camera's own code where it is one of ours; what the recorder says is a word. */
function refusal(device: string, result: string, detail: string): CameraError {
  const why = detail === '' ? '' : `: ${detail}`;
  if (isErrorCode(result)) return new CameraError(result, `${device} refused it${why}`);
  return new CameraError('sync/refused', `${device} did not start: ${result}${why}`);
}

/** A step, for a person who waits. */
function tell(output: Output, text: string): void {
  if (!output.isJson) output.err.write(`${text}\n`);
}
