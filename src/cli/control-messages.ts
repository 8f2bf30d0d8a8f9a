import { z } from 'zod';
import { CameraError, isCameraError, isErrorCode, messageOf } from '../errors.js';

/** What a command asks of the running camera. */
export interface ControlRequest {
  readonly verb: string;
  /** The words behind the verb, as they were typed. */
  readonly words: readonly string[];
}

/** Longest line either way. The longest answers, the state of a camera and a page of its log, are a few KB. */
export const LINE_BYTES_MAX = 64 * 1024;

const requestSchema = z.strictObject({
  verb: z.string().min(1).max(64),
  words: z.array(z.string().max(1024)).max(64).default([]),
});

const responseSchema = z.discriminatedUnion('ok', [
  z.object({ ok: z.literal(true), result: z.unknown() }),
  z.object({ ok: z.literal(false), code: z.string().max(64), message: z.string() }),
]);

const parseJson = (line: string): unknown => {
  try {
    return JSON.parse(line);
  } catch {
    // Not JSON is one of the many ways of not being a message; the schema names them all.
    return undefined;
  }
};

/** The request in a line. Throws `cli/usage` for anything else. */
export function parseRequest(line: string): ControlRequest {
  const { data } = requestSchema.safeParse(parseJson(line));
  if (data === undefined) {
    throw new CameraError('cli/usage', 'expected a line of JSON {"verb":"…","words":["…"]}');
  }
  return data;
}

export const formatRequest = ({ verb, words }: ControlRequest): string =>
  `${JSON.stringify({ verb, words })}\n`;

/** An answer as one line. A result that is longer than a line may be becomes a `cli/usage` error that says so. */
export function formatResult(result: unknown): string {
  const line = `${JSON.stringify({ ok: true, result: result ?? null })}\n`;
  if (Buffer.byteLength(line) <= LINE_BYTES_MAX) return line;
  return formatFailure(
    new CameraError('cli/usage', 'the answer is too long; ask for less at once'),
  );
}

/** An error as one line: its code and message, `internal/bug` for what is no CameraError. */
export function formatFailure(error: unknown): string {
  const code = isCameraError(error) ? error.code : 'internal/bug';
  return `${JSON.stringify({ ok: false, code, message: messageOf(error).slice(0, 4096) })}\n`;
}

/** The result in an answer. Throws the error that the answer carries; `cli/no-answer` when it is no answer. */
export function parseResponse(line: string): unknown {
  const { data } = responseSchema.safeParse(parseJson(line));
  if (data === undefined) throw new CameraError('cli/no-answer', 'the answer is not understood');
  if (data.ok) return data.result;
  throw new CameraError(isErrorCode(data.code) ? data.code : 'internal/bug', data.message);
}
