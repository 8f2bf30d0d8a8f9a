import { CameraError, messageOf } from '../errors.js';

/** A stream that may be a terminal; process.stdout and process.stderr fit. */
export interface OutputStream {
  write(text: string): unknown;
  readonly isTTY?: boolean;
  readonly columns?: number;
}

/** Where a command talks to: results on `out`, everything for people's patience on `err`. */
export interface Output {
  readonly out: OutputStream;
  readonly err: OutputStream;
  /** True when results are one JSON object, for programs. */
  readonly isJson: boolean;
}

export type Colour = 'red' | 'green' | 'yellow' | 'dim' | 'bold';

const SGR: Readonly<Record<Colour, string>> = {
  red: '31',
  green: '32',
  yellow: '33',
  dim: '2',
  bold: '1',
};

/** Colours only on a terminal, and not there either when NO_COLOR is set (no-color.org). */
export function paint(stream: OutputStream, colour: Colour, text: string): string {
  const noColor = process.env['NO_COLOR'];
  if (stream.isTTY !== true || (noColor !== undefined && noColor !== '')) return text;
  return `\u001b[${SGR[colour]}m${text}\u001b[0m`;
}

/** One line of a story; nothing when the result is JSON. */
export function say(output: Output, text: string): void {
  if (!output.isJson) output.out.write(`${text}\n`);
}

export function printJson(output: Output, value: unknown): void {
  output.out.write(`${JSON.stringify(value)}\n`);
}

/** One line with a code and what to do. With --json an object on `out`, where a program reads its results. */
export function printError(output: Output, error: unknown): void {
  const known = toCameraError(error);
  if (output.isJson) {
    const { code, kind, message, remedy } = known;
    printJson(output, { ok: false, error: { code, kind, message, remedy } });
    return;
  }
  output.err.write(`${paint(output.err, 'red', 'error')} ${known.line}\n`);
}

export const toCameraError = (error: unknown): CameraError =>
  error instanceof CameraError
    ? error
    : new CameraError('internal/bug', messageOf(error), { cause: error });

const BAR_COLUMNS_MAX = 30;
/** A tenth of a second is quick to the eye and nothing to the processor. */
const REDRAW_MS = 100;
/** A log file gets a line now and then instead of a moving bar. */
const LINE_MS = 5000;
const COLUMNS_DEFAULT = 80;

/** A progress bar on a terminal, a line every five seconds elsewhere, nothing for programs. */
export class Progress {
  readonly #stream: OutputStream;
  readonly #isSilent: boolean;
  readonly #label: string;
  readonly #amount: (value: number) => string;
  readonly #startedAt: number;
  #drawnAt: number;
  #isDrawn = false;

  /** `amount` is how what is done reads, bytes unless said otherwise. */
  constructor(output: Output, label: string, amount: (value: number) => string = formatBytes) {
    this.#amount = amount;
    this.#stream = output.err;
    this.#isSilent = output.isJson;
    this.#label = label;
    this.#startedAt = performance.now();
    this.#drawnAt = output.err.isTTY === true ? -Infinity : this.#startedAt;
  }

  /** `done` of `total`; call it as often as you like. */
  update(done: number, total: number): void {
    const now = performance.now();
    const periodMs = this.#stream.isTTY === true ? REDRAW_MS : LINE_MS;
    if (this.#isSilent || now - this.#drawnAt < periodMs) return;
    this.#drawnAt = now;
    this.#draw(done, total, now);
  }

  /** Leaves the full bar standing. */
  finish(total: number): void {
    if (this.#isSilent) return;
    this.#draw(total, total, performance.now());
    if (this.#stream.isTTY === true) this.#stream.write('\n');
  }

  /** Settles as `work` does. When that fails, the line of the bar is ended, so that the error stands on its own. */
  async guard<T>(work: Promise<T>): Promise<T> {
    try {
      return await work;
    } catch (error) {
      if (this.#isDrawn && this.#stream.isTTY === true) this.#stream.write('\n');
      throw error;
    }
  }

  #draw(done: number, total: number, now: number): void {
    this.#isDrawn = true;
    const text = progressLine({
      label: this.#label,
      done,
      total,
      elapsedMs: now - this.#startedAt,
      columns: this.#stream.columns ?? COLUMNS_DEFAULT,
      amount: this.#amount,
    });
    this.#stream.write(this.#stream.isTTY === true ? `\r\u001b[2K${text}` : `${text}\n`);
  }
}

/** The text of a bar: label, bar, percent, amount and speed; cut to the columns there are. */
export function progressLine(state: {
  label: string;
  done: number;
  total: number;
  elapsedMs: number;
  columns: number;
  amount?: (value: number) => string;
}): string {
  const { amount: text = formatBytes } = state;
  const share = state.total === 0 ? 1 : Math.min(1, state.done / state.total);
  const filled = Math.round(share * BAR_COLUMNS_MAX);
  const bar = '█'.repeat(filled) + '░'.repeat(BAR_COLUMNS_MAX - filled);
  const perSecond = state.elapsedMs > 0 ? (state.done / state.elapsedMs) * 1000 : 0;
  const percent = String(Math.floor(share * 100)).padStart(3);
  const amount = `${text(state.done)} of ${text(state.total)}`;
  const line = `${state.label} ${bar} ${percent} %  ${amount}  ${text(perSecond)}/s`;
  return line.slice(0, Math.max(20, state.columns - 1));
}

/** Bytes for people: decimal units, as on a card's label. */
export function formatBytes(bytes: number): string {
  if (bytes < 1000) return `${Math.round(bytes)} B`;
  const units = ['kB', 'MB', 'GB', 'TB'];
  let value = bytes / 1000;
  let unit = 0;
  while (value >= 999.95 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${value.toFixed(1)} ${units[unit] ?? ''}`;
}

/** Seconds for people: `4.0 s`, `2 min 05 s`. */
export function formatSeconds(seconds: number): string {
  // From here on a digit would round to 60.0 s.
  if (seconds < 59.95) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  return `${Math.floor(whole / 60)} min ${String(whole % 60).padStart(2, '0')} s`;
}
