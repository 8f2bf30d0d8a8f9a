import { createRequire } from 'node:module';
import net from 'node:net';
import type * as Superficial from 'gstreamer-superficial';
import { AUDIO_FD, EXIT_CODES, OUTPUT_FD, isAudioElement } from './gstreamer-protocol.js';

// The process that owns GStreamer: gstreamer-child.js LAUNCH, or --check LAUNCH to build the pipeline only.
// The packets of `appsink name=video` go unchanged to file descriptor 3, those of `appsink name=audio` to 4; errors go to
// standard error. An error of the audio branch ends that branch only: pictures go on. A crash, a stall
// or a hang of the binding stays in here, and the parent kills it when it does not end in time.

type Binding = typeof Superficial;

/** After an error the sink ends first and the bus says why a moment later: that is worth waiting for. */
const LAST_WORDS_MS = 100;

/** The package's main is a .node file, which `import` refuses (ERR_UNKNOWN_FILE_EXTENSION); require takes it. */
function loadBinding(): Binding {
  try {
    return createRequire(import.meta.url)('gstreamer-superficial') as Binding;
  } catch (error) {
    return fail(EXIT_CODES.noBinding, `the binding cannot be loaded: ${String(error)}`);
  }
}

function build({ Pipeline }: Binding, launch: string): Superficial.Pipeline {
  try {
    return new Pipeline(launch);
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    return fail(text.includes('no element') ? EXIT_CODES.noElement : EXIT_CODES.badLaunch, text);
  }
}

function fail(code: number, text: string): never {
  process.stderr.write(`${text}\n`);
  process.exit(code);
}

/** Pulls one packet at a time and stops pulling while the parent does not read: the appsink then holds them. */
function forward(
  sink: Superficial.AppSink,
  fd: number,
  onPacket: () => void,
  onEnd: () => void,
): void {
  const pipe = new net.Socket({ fd, readable: false, writable: true });
  pipe.on('error', leaveAtOnce);
  const pull = (): void => {
    sink.pull((packet) => {
      if (packet === null) {
        pipe.end(onEnd);
        return;
      }
      onPacket();
      if (pipe.write(packet)) pull();
      else pipe.once('drain', pull);
    });
  };
  pull();
}

/** Nobody is left to hear a goodbye, and an orderly exit can hang for ever on a pull that is outstanding. */
function leaveAtOnce(): void {
  process.kill(process.pid, 'SIGKILL');
}

function main(words: readonly string[]): void {
  const isCheck = words[0] === '--check';
  const launch = words.at(-1) ?? '';
  const pipeline = build(loadBinding(), launch);
  // Frees a pending pull; without it process.exit waits for the thread that holds it, which may be for ever.
  process.on('exit', () => {
    pipeline.stop();
  });
  const sink = pipeline.findChild('video');
  if (sink === undefined) fail(EXIT_CODES.badLaunch, 'there is no appsink named video');
  const audioSink = pipeline.findChild('audio');
  let hasPictures = false;
  if (isCheck) process.exit(EXIT_CODES.good);
  process.on('SIGTERM', () => {
    pipeline.sendEOS();
  });
  // The parent decides when to stop: a Ctrl-C in the terminal reaches the whole process group.
  process.on('SIGINT', () => undefined);
  // The parent holds the other end and never writes: an end means that it is gone.
  process.stdin.on('end', leaveAtOnce).on('error', leaveAtOnce).resume();
  // Playing comes before the first pull: an appsink that is not started answers null.
  pipeline.play();
  pipeline.pollBus(({ type, message, debug, _src_element_name: element }) => {
    if (type !== 'error' && type !== 'warning') return;
    const text = `${type} of ${element ?? 'the pipeline'}: ${message ?? ''} ${debug ?? ''}`;
    const isAudio = isAudioElement(launch, element ?? '');
    if (type === 'error' && !isAudio) fail(EXIT_CODES.pipeline, text);
    // The source of the branch has ended it; without a picture it may have kept the whole pipeline from starting.
    if (type === 'error' && !hasPictures) fail(EXIT_CODES.microphone, text);
    process.stderr.write(`${text}\n`);
  });
  forward(
    sink,
    OUTPUT_FD,
    () => (hasPictures = true),
    () => setTimeout(() => process.exit(EXIT_CODES.good), LAST_WORDS_MS),
  );
  if (audioSink !== undefined) {
    forward(
      audioSink,
      AUDIO_FD,
      () => undefined,
      () => undefined,
    );
  }
}

main(process.argv.slice(2));
