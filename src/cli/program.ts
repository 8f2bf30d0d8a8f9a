import { readFileSync } from 'node:fs';
import path from 'node:path';
import { Command, CommanderError, InvalidArgumentError } from 'commander';
import { CameraError, hasErrorCode, isCameraError } from '../errors.js';
import { printError } from './output.js';
import type { Output } from './output.js';
import { DATA_DEFAULT, installRoot } from './paths.js';

/** Exit codes that all commands share; `lapel verify` has its own beside them. */
export const EXIT = { ok: 0, failed: 1, usage: 2 } as const;

/** Of `lapel verify`: nothing contradicts, but the question could not be answered. */
const EXIT_NOT_FEASIBLE = 4;

type Options = Readonly<Record<string, unknown>>;
type Verb = (args: readonly string[], options: Options, output: Output) => Promise<number>;
/** The exit code for what a command threw. */
type FailureExit = (error: unknown) => number;

const failureExit: FailureExit = (error) =>
  hasErrorCode(error, 'cli/usage') ? EXIT.usage : EXIT.failed;

/** 1 is a verdict here, so no error may end with it: a wrong path must not look like changed evidence. */
const verifyFailureExit: FailureExit = (error) =>
  isCameraError(error) && error.kind === 'invalid-argument' ? EXIT.usage : EXIT_NOT_FEASIBLE;

/** The program's view of a command line: reads it, runs one command, says how that ended. */
class Program {
  readonly #root = new Command('lapel');
  exitCode: number = EXIT.ok;

  constructor() {
    this.#root
      .description('The open runtime of a body-worn camera.')
      .version(version(), '-V, --version')
      .showSuggestionAfterError(true)
      .exitOverride()
      // What commander has to say is printed like every other error, in `run`.
      .configureOutput({ outputError: () => undefined })
      .configureHelp({ sortSubcommands: false })
      .addHelpText('after', '\nStart with: lapel demo');
    this.#camera();
    this.#evidence();
    this.#deviceLog();
    this.#administration();
  }

  async run(argv: readonly string[]): Promise<number> {
    try {
      await this.#root.parseAsync([...argv]);
      return this.exitCode;
    } catch (error) {
      if (!(error instanceof CommanderError)) throw error;
      if (error.exitCode === 0) return EXIT.ok;
      // Without a command the list of them has been printed, which says more.
      if (error.code !== 'commander.help') {
        printError(outputOf({ json: argv.includes('--json') }), usageError(error));
      }
      return EXIT.usage;
    }
  }

  #camera(): void {
    this.#verb('demo', 'record, dock, sync, verify and export on this machine', 'demo')
      .option('--dir <dir>', 'where to put everything (default: a new temporary directory)')
      .option('--broker <url>', 'use this MQTT broker instead of an embedded one')
      .option('--seconds <n>', 'length of the recording after the press', seconds, 8);
    this.#verb('run', 'the camera, in the foreground', 'run')
      .requiredOption('--board <name>', 'name in board/ or path of a board file')
      .option('--data <dir>', 'data directory of the camera', DATA_DEFAULT)
      .option('--broker <url>', 'MQTT broker in the dock (overrides the configuration)')
      .option('--local-broker <url>', 'MQTT broker for commands and other cameras (likewise)')
      .option('--config <file>', 'configuration (default: internal/config.json in --data)')
      .option('--log-level <level>', 'debug, info, warn, error or silent', 'info')
      .addHelpText('after', '\nMake keys and a configuration first: lapel keys init');
    this.#verb('sim', 'drive a running simulated board', 'sim')
      .argument('<words...>', 'for example: press record · hold record 3s · dock · state')
      // `clock -2h` is a word that looks like an option.
      .allowUnknownOption()
      .option('--data <dir>', 'data directory of the camera', DATA_DEFAULT);
    this.#verb('status', 'what the camera on this machine is doing now', 'status').option(
      '--data <dir>',
      'data directory of the camera',
      DATA_DEFAULT,
    );
    this.#verb('doctor', 'check every part of a board on the real thing', 'doctor')
      .requiredOption('--board <name>', 'name in board/ or path of a board file')
      .option('--data <dir>', 'data directory of the camera', DATA_DEFAULT)
      .option('--broker <url>', 'also check this MQTT broker')
      .option('--only <parts>', 'look at these parts alone: imu,gnss,leds.record');
  }

  #evidence(): void {
    this.#verb('receive', 'take evidence in, verify it, sign receipts', 'receive')
      .requiredOption('--broker <url>', 'MQTT broker')
      .requiredOption('--store <dir>', 'where evidence is kept')
      .requiredOption('--trust <file>', 'trust file with the cameras that may deliver')
      .option('--log-level <level>', 'debug, info, warn, error or silent', 'info');
    const summary = 'check evidence offline; no decryption key needed';
    this.#verb('verify', summary, 'verify', this.#root, verifyFailureExit)
      .argument('<paths...>', 'stores, cards, recordings or single segment files')
      .requiredOption('--trust <file>', 'trust file with the cameras’ keys')
      .addHelpText(
        'after',
        '\nExit codes: 0 ok, 1 not-ok, 2 usage, 3 ok-with-missing, 4 not-feasible',
      );
    this.#verb('export', 'decrypt a recording into one MP4, without re-encoding', 'export')
      .argument('<recording>', 'directory of a recording, in a store or on a card')
      .requiredOption('--identity <file>', 'age identity of a recipient')
      .requiredOption('--out <file>', 'MP4 to write; must not exist')
      .option('--trust <file>', 'verify first, and refuse what is not-ok');
  }

  #deviceLog(): void {
    const log = this.#root.command('log').description('the device log, for people and auditors');
    const verb = (name: string, summary: string): Command =>
      this.#verb(name, summary, 'log', log)
        .argument('[card]', 'directory of a card (default: the one in --data)')
        .option('--data <dir>', 'data directory of the camera', DATA_DEFAULT);
    verb('show', 'what happened, an entry a line')
      .option('--type <type>', 'only entries of this type (repeatable)', collect, [])
      .option('--boot <n>', 'only entries of this boot')
      .option('--since <time>', 'only from this time on, for example 2026-11-24T10:00Z')
      .option('--until <time>', 'only before this time')
      .option('--limit <n>', 'how many at most, the newest (default: 100)');
    verb('checkpoint', 'the newest signed head of the log (C2SP tlog-checkpoint)').option(
      '--size <n>',
      'the newest over at most so many entries',
    );
    verb('prove', 'that an entry is in the log, or that the log only grew')
      .option('--entry <n>', 'this entry (C2SP tlog-proof)')
      .option('--segment <ref>', 'the entry that sealed <boot>/<rec>/<seq>')
      .option('--since <file>', 'from this older checkpoint on (body of C2SP add-checkpoint)');
    verb('tiles', 'export the log as C2SP tlog-tiles').requiredOption(
      '--out <dir>',
      'directory to make; must not exist',
    );
  }

  #administration(): void {
    const keys = this.#root.command('keys').description('key material, enrolment, trust file');
    this.#verb('init', 'make the keys of a camera, or with --receiver of a receiver', 'keys', keys)
      .option('--data <dir>', 'data directory of the camera', DATA_DEFAULT)
      .option('--device <id>', 'id of the camera', 'lapel-1')
      .option('--recipient <age1...>', 'who can read the footage (repeatable)', collect, [])
      .option('--identity <file>', 'without --recipient: write a new age identity here')
      .option('--receiver <id>', 'make the key of a receiver instead')
      .option('--store <dir>', 'store of that receiver')
      .option('--fleet <id>', 'make the key of a fleet manager instead')
      .option('--key <file>', 'where to write the key of that fleet manager');
    this.#verb('show', 'ids and public keys', 'keys', keys)
      .option('--data <dir>', 'data directory of a camera', DATA_DEFAULT)
      .option('--store <dir>', 'store of a receiver instead');
    this.#verb('enrol', 'make a camera and a receiver know each other', 'keys', keys)
      .option('--data <dir>', 'data directory of the camera', DATA_DEFAULT)
      .requiredOption('--trust <file>', 'trust file to add the camera to; made when missing')
      .option('--store <dir>', 'store of a receiver whose receipts the camera shall believe')
      .option('--fleet <id>', 'fleet manager whose signature the camera shall know')
      .option('--key <file>', 'key file of that fleet manager')
      .option('--role <role>', 'what that key may sign: command, config (repeatable)', collect, [])
      .option('--peer <id>', 'camera of the trust file to listen to (repeatable)', collect, []);
    this.#verb('rotate', 'replace the device key by a new one that the old one signs', 'keys', keys)
      .option('--data <dir>', 'data directory of the camera, which must not run', DATA_DEFAULT)
      .option('--trust <file>', 'trust file that shall follow the camera to its new key');
    const fleet = this.#root.command('fleet').description('the fleet manager’s side, over MQTT');
    this.#verb('command', 'send a signed command to a camera', 'fleet', fleet)
      .argument('<op>', 'start: begin a recording, or mark the one that runs')
      .requiredOption('--device <id>', 'the camera')
      .requiredOption('--key <file>', 'key file of the fleet manager')
      .requiredOption('--broker <url>', 'MQTT broker that the camera is connected to')
      .option('--wait <seconds>', 'how long the command counts and is waited for', waiting, 20);
  }

  /** Adds a command whose file is loaded when it is run: a help text must not load GStreamer. */
  #verb(
    name: string,
    summary: string,
    file: string,
    parent: Command = this.#root,
    exitOf: FailureExit = failureExit,
  ): Command {
    return parent
      .command(name)
      .description(summary)
      .option('--json', 'print one JSON object for programs')
      .exitOverride()
      .action(async (...received: unknown[]) => {
        const command = received.at(-1) as Command;
        const output = outputOf(command.opts());
        try {
          const verb = await loadVerb(file, parent === this.#root ? undefined : name);
          this.exitCode = await verb(command.args, command.opts(), output);
        } catch (error) {
          printError(output, error);
          this.exitCode = exitOf(error);
        }
      });
  }
}

/** Reads the command line (node and script first), runs it and returns the exit code. Prints errors itself. */
export const runProgram = (argv: readonly string[]): Promise<number> => new Program().run(argv);

/** commander's `error: text`, its second line with a suggestion included, as an error of ours. */
const usageError = ({ message }: CommanderError): CameraError =>
  new CameraError('cli/usage', message.replace(/^error: /, '').replace(/\s+/g, ' '));

const outputOf = (options: Options): Output => ({
  out: process.stdout,
  err: process.stderr,
  isJson: options['json'] === true,
});

async function loadVerb(file: string, action: string | undefined): Promise<Verb> {
  const module = (await import(`./${file}.js`)) as Record<string, Verb | undefined>;
  const verb = module[action ?? 'run'];
  if (verb === undefined) throw new CameraError('internal/bug', `${file} has no such command`);
  return verb;
}

const collect = (value: string, before: readonly string[]): readonly string[] => [...before, value];

/** A command lives ten minutes at most. */
function waiting(text: string): number {
  const value = Number(text);
  if (Number.isInteger(value) && value >= 1 && value <= 600) return value;
  throw new InvalidArgumentError('Give whole seconds between 1 and 600.');
}

function seconds(text: string): number {
  const value = Number(text);
  if (Number.isFinite(value) && value >= 1 && value <= 3600) return value;
  throw new InvalidArgumentError('Give seconds between 1 and 3600.');
}

function version(): string {
  const text = readFileSync(path.join(installRoot(), 'package.json'), 'utf8');
  const { version: number } = JSON.parse(text) as { version: string };
  return number;
}
