import type { Clock } from '../../clock.js';
import { CameraError } from '../../errors.js';
import type { GpiodLine } from './gpiod-syntax.js';
import { toolFault } from './gpiod-tools.js';
import type { GpiodTools, HoldingTool } from './gpiod-tools.js';

/** How often it is asked whether a tool has its line already; asking takes about as long. */
const HOLD_POLL_MS = 5;
/** A tool holds its line within some 10 ms; a board that is just starting may take a hundred times as long. */
const HOLD_MS_MAX = 5_000;
/** A tool that fails says a line or two. */
const LAST_WORDS_LENGTH_MAX = 1_024;

/** A running `gpiomon` or `gpioset` that has a line. */
export class GpiodHolder {
  readonly tool: HoldingTool;
  readonly #name: 'gpiomon' | 'gpioset';
  readonly #ended: Promise<void>;
  #lastWords = '';
  #cause: unknown;
  #isOver = false;

  private constructor(name: 'gpiomon' | 'gpioset', tool: HoldingTool) {
    this.#name = name;
    this.tool = tool;
    tool.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#lastWords = (this.#lastWords + text).slice(0, LAST_WORDS_LENGTH_MAX);
    });
    this.#ended = new Promise((resolve) => {
      const end = (cause?: unknown): void => {
        this.#cause ??= cause;
        this.#isOver = true;
        resolve();
      };
      tool.once('error', end).once('close', () => {
        end();
      });
    });
  }

  /**
   * Starts a tool and resolves when it holds the line, which `gpioinfo` tells: neither generation says so itself in a
   * way the other one does. Rejects with why it does not hold it; nothing is left running then.
   */
  static async start(
    tools: GpiodTools,
    name: 'gpiomon' | 'gpioset',
    args: readonly string[],
    line: GpiodLine,
    clock: Clock,
  ): Promise<GpiodHolder> {
    // Else a tool of somebody else, by the same name, would look like ours.
    const before = await consumerOf(tools, line);
    if (before !== undefined) {
      throw new CameraError('hal/busy', `${before} has line ${line.offset} of ${line.chip}`);
    }
    const holder = new GpiodHolder(name, tools.start(name, args));
    try {
      await holder.#hold(tools, line, clock);
      return holder;
    } catch (error) {
      await holder.stop();
      throw error;
    }
  }

  /** Whether the tool has ended, which nobody asked it to. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** Whether the tool still has its line, which a chip that was unloaded takes from it. */
  async isHolding(tools: GpiodTools, line: GpiodLine): Promise<boolean> {
    if (this.#isOver) return false;
    return (await consumerOf(tools, line).catch(() => undefined)) === this.#name;
  }

  /** Ends the tool; the line is free when this resolves. Idempotent. */
  async stop(): Promise<void> {
    this.tool.kill('SIGKILL');
    await this.#ended;
  }

  async #hold(tools: GpiodTools, line: GpiodLine, clock: Clock): Promise<void> {
    const deadline = clock.monotonicMs() + HOLD_MS_MAX;
    while (!(await this.isHolding(tools, line))) {
      if (this.#isOver) throw toolFault(this.#name, this.#lastWords, this.#cause);
      if (clock.monotonicMs() > deadline) {
        throw new CameraError('hal/bus', `${this.#name} does not get line ${line.offset}`);
      }
      await clock.sleep(HOLD_POLL_MS);
    }
  }
}

async function consumerOf(tools: GpiodTools, line: GpiodLine): Promise<string | undefined> {
  const lines = await tools.lines(line.chip);
  return lines.find(({ offset }) => offset === line.offset)?.consumer;
}
