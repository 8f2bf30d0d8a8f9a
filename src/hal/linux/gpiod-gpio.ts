import type { Cancel, Clock } from '../../clock.js';
import { CameraError } from '../../errors.js';
import { monotonicMs } from '../../units.js';
import type { MonotonicMs } from '../../units.js';
import type { Edge, GpioPort, InputLine, LineSpec, OutputLine } from '../ports/gpio.js';
import { GpiodHolder } from './gpiod-holder.js';
import {
  TOOL_LINE_LENGTH_MAX,
  getArguments,
  monitorArguments,
  parseEvent,
  parseLevel,
  setArguments,
} from './gpiod-syntax.js';
import type { GpiodEvent, GpiodLine } from './gpiod-syntax.js';
import type { GpiodTools } from './gpiod-tools.js';

/**
 * The kernel keeps at most this many edges of a line for its reader (include/uapi/linux/gpio.h, struct
 * gpio_v2_line_request: event_buffer_size, default 16 a line); of a longer burst some are dropped, the newest for a reader
 * of the first generation.
 */
const EDGES_KEPT = 16;
/** gpiomon is not kept from reading for longer than this: so many edges within it may have been more. */
const BURST_MS = 250;
/** An edge is read within milliseconds; a time stamp that seems older comes from another clock (kernels before 5.7). */
const EDGE_AGE_MS_MAX = 10_000;
/** That a tool has its line is asked again when the last answer is older: a chip that vanished may say nothing. */
const VERIFIED_MS = 1_500;

/**
 * An edge takes this long at most from the kernel through gpiomon and its pipe to us, on a machine that is emulated or
 * busy (2 to 43 ms under QEMU): a reading waits for the edges that came before it.
 */
const EDGE_UNDER_WAY_MS = 50;

/**
 * GPIO over the character device, through the gpiod tools as child processes: for kernels without sysfs GPIO.
 *
 * What it cannot do as well as sysfs:
 * - While `gpiomon` has an input nobody else can read it, so `read` answers with the level of the last edge, after waiting
 *   50 ms for one that may be under way. After a burst of which some edges may be lost the line is read anew.
 * - An edge between a reading and the start of `gpiomon`, some 10 ms at opening, is lost; the next one shows it.
 * - A level is changed by starting another `gpioset`: for some 10 ms nobody drives the line. The option --interactive of
 *   generation 2 would spare that, but the manual of Debian's build does not have it.
 */
export class GpiodGpio implements GpioPort {
  readonly #tools: GpiodTools;
  readonly #clock: Clock;
  readonly #open = new Set<string>();

  constructor(tools: GpiodTools, clock: Clock) {
    this.#tools = tools;
    this.#clock = clock;
  }

  openInput(spec: LineSpec): Promise<InputLine> {
    return this.#claim(spec, (bench) => GpiodInput.open(bench));
  }

  openOutput(spec: LineSpec): Promise<OutputLine> {
    return this.#claim(spec, (bench) => GpiodOutput.open(bench));
  }

  async #claim<Line>(spec: LineSpec, open: (bench: Bench) => Promise<Line>): Promise<Line> {
    const line = await this.#tools.locate(spec);
    const name = `${line.chip} ${line.offset}`;
    if (this.#open.has(name)) throw new CameraError('hal/busy', `line ${name} is open already`);
    this.#open.add(name);
    const release = (): void => {
      this.#open.delete(name);
    };
    try {
      return await open({
        tools: this.#tools,
        clock: this.#clock,
        line,
        activeLow: spec.activeLow,
        release,
      });
    } catch (error) {
      release();
      throw error;
    }
  }
}

/** What a line of this adapter is made of. */
interface Bench {
  readonly tools: GpiodTools;
  readonly clock: Clock;
  readonly line: GpiodLine;
  readonly activeLow: boolean;
  readonly release: () => void;
}

/** What inputs and outputs have in common: one tool at a time, operations one after another, closed once. */
abstract class GpiodHeldLine {
  protected readonly bench: Bench;
  protected holder: GpiodHolder | undefined;
  #work: Promise<unknown> = Promise.resolve();
  #isClosed = false;
  #verifiedAt: MonotonicMs;

  constructor(bench: Bench) {
    this.bench = bench;
    this.#verifiedAt = bench.clock.monotonicMs();
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    await this.#work.catch(() => undefined);
    await this.holder?.stop();
    this.bench.release();
  }

  protected get isClosed(): boolean {
    return this.#isClosed;
  }

  protected get gone(): CameraError {
    const { chip, offset } = this.bench.line;
    return new CameraError('hal/disconnected', `line ${offset} of ${chip} is closed or gone`);
  }

  /** Runs an operation after those before it; rejects with `hal/disconnected` when the line is closed by then. */
  protected inTurn<T>(operation: () => Promise<T>): Promise<T> {
    if (this.#isClosed) return Promise.reject(this.gone);
    const result = this.#work.catch(() => undefined).then(operation);
    this.#work = result;
    return result;
  }

  /** Rejects with `hal/disconnected` when the tool has lost its line. */
  protected async verify(): Promise<void> {
    const { tools, line, clock } = this.bench;
    if (this.holder === undefined || this.holder.isOver) throw this.gone;
    if (clock.monotonicMs() - this.#verifiedAt < VERIFIED_MS) return;
    if (!(await this.holder.isHolding(tools, line))) throw this.gone;
    this.#verifiedAt = clock.monotonicMs();
  }
}

class GpiodInput extends GpiodHeldLine implements InputLine {
  readonly #listeners = new Set<(edge: Edge) => void>();
  #isHigh = false;
  /**
   * True when the newest edges may be lost: the level after them is not known. It stays true when gpiomon has been started
   * again, since nobody hears an edge between the reading before and the start: until an edge proves the level, it is read
   * anew. A release that was lost there would make a press a hold, and a hold stops a recording.
   * Two edges of one direction are no reason: of contacts that come faster than it can look, the kernel tells the level it
   * found, and a change after that is another edge (drivers/gpio/gpiolib-cdev.c, edge_irq_thread).
   */
  #isDoubtful = false;
  #lastAt = monotonicMs(-Infinity);

  static async open(bench: Bench): Promise<GpiodInput> {
    const input = new GpiodInput(bench);
    await input.#start();
    return input;
  }

  read(): Promise<boolean> {
    return this.inTurn(async () => {
      await this.verify();
      if (this.#isDoubtful) {
        await this.holder?.stop();
        await this.#start();
      } else await this.bench.clock.sleep(EDGE_UNDER_WAY_MS);
      return this.#isHigh !== this.bench.activeLow;
    });
  }

  watch(listener: (edge: Edge) => void): Cancel {
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
    };
  }

  override close(): Promise<void> {
    this.#listeners.clear();
    return super.close();
  }

  async #start(): Promise<void> {
    const { tools, line, clock } = this.bench;
    const level = parseLevel(await tools.run('gpioget', getArguments(tools.version, line)));
    if (level === undefined) throw new CameraError('hal/bus', 'gpioget answers without a level');
    this.#isHigh = level;
    const args = monitorArguments(tools.version, line);
    const holder = await GpiodHolder.start(tools, 'gpiomon', args, line, clock);
    this.holder = holder;
    let rest = '';
    holder.tool.stdout.setEncoding('utf8').on('data', (text: string) => {
      if (this.holder !== holder) return;
      const rows = (rest + text).split('\n');
      rest = (rows.pop() ?? '').slice(0, TOOL_LINE_LENGTH_MAX);
      const events = rows.flatMap((row) => parseEvent(tools.version, row) ?? []);
      for (const event of events) this.#accept(event);
      if (events.length > 0) this.#isDoubtful = hasBurst(events);
    });
  }

  #accept(event: GpiodEvent): void {
    const { clock, activeLow } = this.bench;
    if (this.isClosed) return;
    this.#isHigh = event.isHigh;
    const at = edgeTime(event.kernelMs, kernelNowMs(), clock.monotonicMs());
    this.#lastAt = monotonicMs(Math.max(at, this.#lastAt));
    const edge = { isActive: event.isHigh !== activeLow, at: this.#lastAt, hasKernelTime: true };
    for (const listener of this.#listeners) listener(edge);
  }
}

class GpiodOutput extends GpiodHeldLine implements OutputLine {
  #isHigh: boolean;

  private constructor(bench: Bench) {
    super(bench);
    this.#isHigh = bench.activeLow;
  }

  static async open(bench: Bench): Promise<GpiodOutput> {
    const output = new GpiodOutput(bench);
    await output.#start();
    return output;
  }

  write(isActive: boolean): Promise<void> {
    return this.inTurn(async () => {
      await this.verify();
      const isHigh = isActive !== this.bench.activeLow;
      if (isHigh === this.#isHigh) return;
      this.#isHigh = isHigh;
      await this.holder?.stop();
      this.holder = undefined;
      await this.#start();
    });
  }

  async #start(): Promise<void> {
    const { tools, line, clock } = this.bench;
    const args = setArguments(tools.version, line, this.#isHigh);
    this.holder = await GpiodHolder.start(tools, 'gpioset', args, line, clock);
  }
}

/** Whether edges that were read at a time may be what the kernel kept of more. */
function hasBurst(events: readonly GpiodEvent[]): boolean {
  return events.some(({ kernelMs }, index) => {
    const last = events[index + EDGES_KEPT - 1];
    return last !== undefined && last.kernelMs - kernelMs <= BURST_MS;
  });
}

/** CLOCK_MONOTONIC, the clock of the kernel's edges since 5.7. */
const kernelNowMs = (): number => Number(process.hrtime.bigint()) / 1e6;

/** The kernel's time of an edge as time of this process; the time of its arrival when the kernel's makes no sense. */
export function edgeTime(kernelMs: number, kernelNow: number, now: MonotonicMs): MonotonicMs {
  const ageMs = kernelNow - kernelMs;
  return ageMs >= 0 && ageMs <= EDGE_AGE_MS_MAX ? monotonicMs(now - ageMs) : now;
}
