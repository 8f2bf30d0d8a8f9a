import type { ErrorCode } from '../../errors.js';

// What the capture child and its parent agree on.

/** Where the child writes packets of pictures and of sound; 0, 1 and 2 are the standard streams. */
export const OUTPUT_FD = 3;
export const AUDIO_FD = 4;

/** What the audio branch of a launch line ends in; it stands before that of the video. */
const AUDIO_SINK = /\bappsink\b[^!]*\bname=audio\b/;

/** The audio branch of a launch line; undefined without one. */
export function audioBranch(launch: string): string | undefined {
  const sink = AUDIO_SINK.exec(launch);
  return sink ? launch.slice(0, sink.index + sink[0].length) : undefined;
}

/** Whether an element, by the name that GStreamer gave it (`alsasrc0`), can only be of the audio branch. */
export function isAudioElement(launch: string, element: string): boolean {
  const audio = audioBranch(launch);
  if (audio === undefined) return false;
  const word = new RegExp(`\\b${element.replace(/\d+$/, '').replace(/\W/g, '.')}\\b`);
  return element !== '' && word.test(audio) && !word.test(launch.slice(audio.length));
}

/** How the child ends when it ends by itself. 1 is Node's own code for an uncaught exception. */
export const EXIT_CODES = {
  good: 0,
  noBinding: 10,
  noElement: 11,
  badLaunch: 12,
  pipeline: 13,
  microphone: 14,
} as const;

/** The error that an exit code of the child stands for. */
export function errorCodeOf(exitCode: number | null): ErrorCode {
  if (exitCode === EXIT_CODES.noBinding) return 'hal/no-binding';
  if (exitCode === EXIT_CODES.noElement) return 'hal/no-element';
  if (exitCode === EXIT_CODES.microphone) return 'capture/audio-lost';
  return 'hal/pipeline';
}
