import { execFile, spawn } from 'node:child_process';
import type { ChildProcessByStdio } from 'node:child_process';
import path from 'node:path';
import type { Readable } from 'node:stream';
import { CameraError, systemCode } from '../../errors.js';
import type { LineSpec } from '../ports/gpio.js';
import { faultOf, infoArguments, parseChips, parseLines, parseVersion } from './gpiod-syntax.js';
import type { GpiodLine, GpiodLineInfo, GpiodVersion } from './gpiod-syntax.js';

/** A tool that only asks is done in milliseconds; a slow card may take a second to load it the first time. */
const TOOL_MS_MAX = 5_000;
/** 1,024 lines of `gpioinfo` are some 80 KiB. */
const OUTPUT_BYTES_MAX = 1 << 18;

export type Tool = 'gpiodetect' | 'gpioinfo' | 'gpioget' | 'gpioset' | 'gpiomon';

/** A tool that holds a line until it is killed: no input, rows on its output, last words on its error stream. */
export type HoldingTool = ChildProcessByStdio<null, Readable, Readable>;

/** The gpiod tools of this machine. */
export class GpiodTools {
  readonly version: GpiodVersion;
  readonly #directory: string;

  private constructor(version: GpiodVersion, directory: string) {
    this.version = version;
    this.#directory = directory;
  }

  /**
   * Asks the tools for their generation. Rejects with `hal/no-gpio` when there are none, or of a generation that is
   * not known here. `directory` is where they are; left out, they are looked for along PATH.
   */
  static async find(directory = ''): Promise<GpiodTools> {
    const answer = await run(path.join(directory, 'gpiodetect'), ['--version']).catch(
      (error: unknown) => {
        throw new CameraError('hal/no-gpio', 'there are no gpiod tools', { cause: error });
      },
    );
    const version = parseVersion(answer);
    if (version === undefined) {
      const [row = ''] = answer.split('\n');
      throw new CameraError('hal/no-gpio', `gpiod tools of an unknown version: ${row}`);
    }
    return new GpiodTools(version, directory);
  }

  /** What a tool prints. Rejects with `hal/busy`, `hal/disconnected` or `hal/bus`, as its last words say. */
  run(tool: Tool, args: readonly string[]): Promise<string> {
    return run(path.join(this.#directory, tool), args);
  }

  /**
   * Starts a tool that holds a line. It dies with this process, even when this process is killed (util-linux'
   * setpriv, prctl PR_SET_PDEATHSIG): an orphan would keep the line busy for the next one.
   */
  start(tool: Tool, args: readonly string[]): HoldingTool {
    const words = ['--pdeathsig', 'KILL', path.join(this.#directory, tool), ...args];
    return spawn('setpriv', words, { stdio: ['ignore', 'pipe', 'pipe'], env: environment() });
  }

  /** All lines of a chip, by the name of its device file. */
  async lines(chip: string): Promise<readonly GpiodLineInfo[]> {
    return parseLines(await this.run('gpioinfo', infoArguments(this.version, chip)));
  }

  /**
   * Where a line is. Of several chips with one label the first that `gpiodetect` lists counts. Rejects with
   * `hal/disconnected` when there is no such chip or line.
   */
  async locate({ chip: label, line }: Pick<LineSpec, 'chip' | 'line'>): Promise<GpiodLine> {
    const chips = parseChips(await this.run('gpiodetect', []));
    const chip = chips.find((candidate) => candidate.label === label);
    if (chip === undefined) throw new CameraError('hal/disconnected', `no gpiochip ${label}`);
    const offset = typeof line === 'number' ? line : await this.#offsetOf(chip.name, line);
    if (offset === undefined || !(Number.isInteger(offset) && offset >= 0 && offset < chip.lines)) {
      throw new CameraError('hal/disconnected', `no line ${line} on gpiochip ${label}`);
    }
    return { chip: chip.name, offset };
  }

  async #offsetOf(chip: string, name: string): Promise<number | undefined> {
    return (await this.lines(chip)).find((line) => line.name === name)?.offset;
  }
}

/** Only the C locale has error texts that can be told apart. */
const environment = (): NodeJS.ProcessEnv => ({ ...process.env, LC_ALL: 'C' });

function run(file: string, args: readonly string[]): Promise<string> {
  const options = { timeout: TOOL_MS_MAX, maxBuffer: OUTPUT_BYTES_MAX, env: environment() };
  return new Promise((resolve, reject) => {
    execFile(file, args, options, (error, stdout, stderr) => {
      if (error === null) resolve(stdout);
      else reject(toolFault(file, stderr, error));
    });
  });
}

/** The error that the end of a tool stands for. */
export function toolFault(tool: string, stderr: string, cause?: unknown): CameraError {
  const name = path.basename(tool);
  if (systemCode(cause) === 'ENOENT') {
    return new CameraError('hal/no-gpio', `there is no ${name}`, { cause });
  }
  const [row = ''] = stderr.trim().split('\n');
  return new CameraError(faultOf(stderr), row === '' ? `${name} failed` : row, { cause });
}
