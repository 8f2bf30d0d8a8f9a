/** What a caller may do about an error; modelled on the gRPC canonical codes. */
export type ErrorKind =
  | 'unavailable'
  | 'resource-exhausted'
  | 'failed-precondition'
  | 'invalid-argument'
  | 'data-loss'
  | 'internal';

/**
 * Every error code of the runtime with its kind and what a person does about it. The code is the word that the
 * wearer's lights, the log, MQTT and the command line share, so a code never changes its meaning.
 */
const table = {
  'board/not-found': [
    'invalid-argument',
    'Name a file in board/ (for example sim) or give a path to a board file.',
  ],
  'board/invalid': [
    'invalid-argument',
    'Correct the board file; board/board.schema.json describes every key.',
  ],
  'board/memory-budget': [
    'failed-precondition',
    'Lower preEventMs or the bit rate, or raise memory.preEventBytesMax where the board has the memory.',
  ],
  'config/invalid': [
    'invalid-argument',
    'Correct the setting; the table in README.md lists every key and its bounds.',
  ],
  'config/unreadable': ['invalid-argument', 'Give --config the path of a readable JSON file.'],
  'cli/usage': ['invalid-argument', 'See lapel help.'],
  'cli/not-running': ['failed-precondition', 'Start the camera first: lapel run --board sim.'],
  'cli/already-running': [
    'failed-precondition',
    'Stop the other camera or give this one its own --data.',
  ],
  'cli/no-answer': [
    'unavailable',
    'The camera process is there but does not answer; look at its log.',
  ],
  'cli/no-tool': ['failed-precondition', 'Run board/setup.sh, which installs it.'],
  'hal/no-element': [
    'failed-precondition',
    'Run board/setup.sh, which installs the GStreamer plugins.',
  ],
  'hal/no-footage': [
    'failed-precondition',
    'Run board/setup.sh, which prepares the footage of the simulated board.',
  ],
  'hal/no-binding': [
    'failed-precondition',
    'Run board/setup.sh, which builds the native packages.',
  ],
  'hal/no-gpio': [
    'failed-precondition',
    'Use a kernel with sysfs GPIO, or install the gpiod tools: apt-get install gpiod.',
  ],
  'hal/pipeline': [
    'unavailable',
    'The message names the GStreamer element; check the camera part of the board file.',
  ],
  'hal/disconnected': [
    'unavailable',
    'Check the cable and the board file, then start the camera again.',
  ],
  'hal/no-acknowledge': ['unavailable', 'Check the wiring and the address in the board file.'],
  'hal/bus': ['unavailable', 'Check the wiring of the bus.'],
  'hal/check-failed': ['unavailable', 'Run lapel doctor, which looks at every part.'],
  'hal/no-answer': ['unavailable', 'The part hangs; check its wiring and restart the camera.'],
  'hal/no-effect': ['failed-precondition', 'Check the wire and its polarity in the board file.'],
  'hal/low-battery': ['resource-exhausted', 'Charge the camera in its dock.'],
  'hal/too-hot': [
    'resource-exhausted',
    'Let the camera cool down, out of the sun; it takes presses again by itself.',
  ],
  'hal/clock-unset': [
    'failed-precondition',
    'Give the camera network time, a clock chip or a satellite receiver; it records all the same.',
  ],
  'hal/clock-jumped': [
    'unavailable',
    'Find out who set the clock; the camera goes on by the time it believed, until a surer source gives it.',
  ],
  'hal/no-data': [
    'unavailable',
    'Check the wiring, the supply and the speed in the board file; the part is tried again by itself.',
  ],
  'hal/wrong-device': [
    'failed-precondition',
    'Correct compatible or address in the board file, or fit the part that it names.',
  ],
  'hal/busy': ['failed-precondition', 'Something else uses it; let that finish first.'],
  'hal/not-simulated': ['failed-precondition', 'This part of the board is real; use it by hand.'],
  'capture/malformed-stream': [
    'data-loss',
    'The capture child is restarted; if it comes back, run lapel doctor.',
  ],
  'capture/bitrate': [
    'failed-precondition',
    'Look whether the lens is covered; check the encoder and bitrateKbps of the board file.',
  ],
  'capture/gop-too-long': ['failed-precondition', 'Set the encoder to at least one IDR a second.'],
  'capture/no-video': [
    'unavailable',
    'The capture child is restarted; if it comes back, run lapel doctor.',
  ],
  'capture/audio-lost': [
    'unavailable',
    'Check the microphone of the board; pictures are recorded all the same, and it is tried again by itself.',
  ],
  'capture/queue-full': [
    'resource-exhausted',
    'The card is too slow for the bit rate; use a faster card.',
  ],
  'capture/mixed-formats': [
    'failed-precondition',
    'Export the segments before and after the change one by one.',
  ],
  'evidence/malformed': ['data-loss', 'The bytes are not in the format named; get another copy.'],
  'evidence/bad-signature': [
    'data-loss',
    'The document was changed or is signed by another key; do not rely on it.',
  ],
  'evidence/not-proven': [
    'data-loss',
    'Get the proof from the log again; if it fails again, keep both checkpoints: together they show the contradiction.',
  ],
  'evidence/wrong-key': [
    'invalid-argument',
    'Give the identity of one of the recipients the camera was set up with.',
  ],
  'evidence/not-feasible': [
    'failed-precondition',
    'Get what lapel verify says is missing; without --trust nothing is checked before the export.',
  ],
  'evidence/bad-recipient': [
    'invalid-argument',
    'Give age X25519 recipients (age1...); age-keygen makes one.',
  ],
  'keys/missing': [
    'failed-precondition',
    'Make the keys: lapel keys init --data DIR for a camera, --receiver ID --store DIR for a receiver, --exporter NAME --key FILE for exports.',
  ],
  'keys/exists': ['failed-precondition', 'Keys are never overwritten; choose another directory.'],
  'keys/malformed': [
    'data-loss',
    'Restore the key file from its backup, or enrol the device anew.',
  ],
  'keys/permissions': ['failed-precondition', 'Make the key file private: chmod 600.'],
  'storage/disk-full': [
    'resource-exhausted',
    'Use a larger card, dock the camera, or lower reserveBytes and reservePercent; only footage with a receipt is deleted to make room.',
  ],
  'storage/not-found': ['invalid-argument', 'Check the path.'],
  'storage/io': ['unavailable', 'The card does not take or give data; check it and its mount.'],
  'storage/read-only': [
    'failed-precondition',
    'The card is mounted read-only; check it and mount it again.',
  ],
  'storage/limit': [
    'resource-exhausted',
    'The file is larger than the format allows; get another copy.',
  ],
  'storage/power-loss': [
    'data-loss',
    'Nothing is to be done: what was whole is sealed, what was not is kept in quarantine.',
  ],
  'storage/corrupt': [
    'data-loss',
    'The file was moved to quarantine; keep the card for examination.',
  ],
  'storage/rolled-back': [
    'data-loss',
    'Keep the card as it is: its log is not the one this camera signed last. Compare it with what a receiver or auditor kept.',
  ],
  'storage/newer-format': [
    'failed-precondition',
    'Install the newer program that has written this card, or use another card.',
  ],
  'sync/no-broker': ['unavailable', 'Check that the broker runs and the --broker URL is right.'],
  'sync/lost-connection': ['unavailable', 'The session resumes by itself when the broker is back.'],
  'sync/timeout': ['unavailable', 'The peer did not answer; the step is repeated.'],
  'sync/malformed': [
    'invalid-argument',
    'The peer speaks another version of the protocol; update it.',
  ],
  'sync/refused': ['failed-precondition', 'The reason is in the message.'],
  'trigger/too-large': ['invalid-argument', 'Send a command or notice of the size of its format.'],
  'trigger/unsigned': [
    'invalid-argument',
    'Sign it: lapel fleet command does, with the key file given.',
  ],
  'trigger/unknown-key': [
    'failed-precondition',
    'Enrol the key on this camera: lapel keys enrol --fleet, or --peer for another camera.',
  ],
  'trigger/wrong-role': [
    'failed-precondition',
    'Use a fleet key whose role is command, or give the key that role.',
  ],
  'trigger/malformed': [
    'invalid-argument',
    'The sender speaks another version of the format; update it.',
  ],
  'trigger/other-device': ['invalid-argument', 'Send it to the camera that it names.'],
  'trigger/expired': ['failed-precondition', 'Send a new one, and compare the clocks.'],
  'trigger/early': ['failed-precondition', 'Compare the clocks of sender and camera.'],
  'trigger/no-time': [
    'failed-precondition',
    'Give the camera network time, a clock chip or a satellite receiver: it cannot tell old from new.',
  ],
  'trigger/replayed': ['failed-precondition', 'It was taken before; send a new one.'],
  'trigger/forbidden': [
    'failed-precondition',
    'The policy of the camera forbids it: settings remoteStart and peerStart. A stop is never taken.',
  ],
  'trigger/no-answer': [
    'unavailable',
    'The camera may be off or out of reach; if it was reached, its device log says what came of it.',
  ],
  'trigger/too-many': ['resource-exhausted', 'Wait a minute; each sender has a limit.'],
  'internal/bug': ['internal', 'Report it with the log.'],
} as const satisfies Record<string, readonly [ErrorKind, string]>;

export type ErrorCode = keyof typeof table;

/** Whether a word that came from elsewhere is a code of this table. */
export const isErrorCode = (word: string): word is ErrorCode => Object.hasOwn(table, word);

/** Every operating error thrown by this runtime. Match on `code` or `kind`, never on `message`. */
export class CameraError extends Error {
  override readonly name = 'CameraError';
  readonly code: ErrorCode;

  /** `message` is one line without the code; `cause` keeps the error underneath. */
  constructor(code: ErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
  }

  get kind(): ErrorKind {
    return table[this.code][0];
  }

  /** What a person does about it: one sentence, never empty. */
  get remedy(): string {
    return table[this.code][1];
  }

  /** `code: message. Remedy`, one line: what every command prints. */
  get line(): string {
    const sentence = this.message.replace(/\s+/g, ' ').replace(/[.\s]+$/, '');
    return `${this.code}: ${sentence}. ${this.remedy}`;
  }
}

export const isCameraError = (error: unknown): error is CameraError => error instanceof CameraError;

export const hasErrorCode = (error: unknown, code: ErrorCode): boolean =>
  isCameraError(error) && error.code === code;

/** The `code` of a Node system error (`ENOENT`, `ENOSPC`), or undefined for anything else. */
export function systemCode(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}

/** The text of anything that was thrown. */
export const messageOf = (error: unknown): string =>
  error instanceof Error ? error.message : String(error);
