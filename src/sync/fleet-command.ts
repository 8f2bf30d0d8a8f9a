import type { Clock } from '../clock.js';
import { CameraError, hasErrorCode } from '../errors.js';
import type { Envelope } from '../evidence/dsse.js';
import { readCommand } from '../evidence/command.js';
import type { MqttConnection } from './ports.js';
import { commandStateTopic, commandTopic } from './topics.js';
import { decodeCommandState, encodeCommand } from './trigger-messages.js';
import type { CommandState } from './trigger-messages.js';

/**
 * Sends a signed command and resolves with what the camera says it came to: `done` or `failed`. The answer is not
 * signed: it is a courtesy of the broker's, and the device log is the proof. `onState` hears every step before.
 * Rejects with `trigger/no-answer` when no answer came within `timeoutMs`, and with the errors of the connection.
 */
export async function sendCommand(
  connection: MqttConnection,
  command: Envelope,
  clock: Clock,
  timeoutMs: number,
  onState: (state: CommandState) => void = () => undefined,
): Promise<CommandState> {
  const { target, nonce } = readCommand(command);
  const topic = commandStateTopic(target.device);
  let cancel = (): void => undefined;
  const answer = new Promise<CommandState>((resolve, reject) => {
    const cancelTimeout = clock.after(timeoutMs, () => {
      const message = `${target.device} did not answer within ${timeoutMs} ms`;
      reject(new CameraError('trigger/no-answer', message));
    });
    const cancelHearing = connection.onMessage((said, payload) => {
      if (said !== topic) return;
      const state = tryDecode(payload);
      if (state?.nonce !== nonce) return;
      if (state.state === 'done' || state.state === 'failed') resolve(state);
      else onState(state);
    });
    cancel = () => {
      cancelTimeout();
      cancelHearing();
    };
  });
  // Who awaits below may fail before it is looked at.
  answer.catch(() => undefined);
  try {
    await connection.subscribe({ [topic]: 1 });
    await connection.publish(commandTopic(target.device), encodeCommand(command), { qos: 1 });
    return await answer;
  } finally {
    cancel();
  }
}

function tryDecode(payload: Buffer): CommandState | undefined {
  try {
    return decodeCommandState(payload);
  } catch (error) {
    if (!hasErrorCode(error, 'sync/malformed')) throw error;
    return undefined;
  }
}
