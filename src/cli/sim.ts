import { openMachine } from '../hal/machine.js';
import { sendControl } from './control-client.js';
import { getText } from './options.js';
import type { Options } from './options.js';
import { printJson, say } from './output.js';
import type { Output } from './output.js';
import { dataPaths } from './paths.js';

/** `hold record 3s` answers when the button is up again: the longest hold is 15 s, and the answer needs some room. */
const ANSWER_TIMEOUT_MS = 20_000;

export async function run(
  args: readonly string[],
  options: Options,
  output: Output,
): Promise<number> {
  const { control } = dataPaths(getText(options, 'data'));
  const request = { verb: 'sim', words: args };
  const reply = await sendControl(control, request, openMachine().clock, ANSWER_TIMEOUT_MS);
  if (output.isJson) printJson(output, { ok: true, reply });
  else if (isDone(reply)) say(output, reply.done);
  else say(output, JSON.stringify(reply, undefined, 2));
  return 0;
}

const isDone = (reply: unknown): reply is { done: string } =>
  typeof reply === 'object' && reply !== null && 'done' in reply && typeof reply.done === 'string';
