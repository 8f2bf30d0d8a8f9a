import { CameraError } from '../errors.js';

/** The camera part of a board, as far as the pipeline needs it. */
export interface CameraParts {
  /** Launch fragment from the source to raw video; its last element must not be caps. */
  readonly source: string;
  readonly width: number;
  readonly height: number;
  readonly framesPerSecond: number;
  readonly format: 'I420' | 'NV12';
  readonly encoder: 'x264enc' | 'openh264enc' | 'v4l2h264enc';
  readonly bitrateKbps: number;
  readonly gopFrames: number;
  readonly threads?: number | undefined;
  /** Burnt into every picture, with UTC behind it; left out, nothing is. */
  readonly overlay?: string | undefined;
}

/** The microphone of a board, as far as the pipeline needs it. */
export interface MicrophoneParts {
  /** Launch fragment from the source to raw audio; its last element must not be caps. */
  readonly source: string;
  readonly bitrateKbps: number;
}

/** AAC frames that wait in the child while the runtime does not read, 10 s of them; then the oldest are dropped. */
const AUDIO_BUFFERS_MAX = 470;

/**
 * Access units that wait in the child while the runtime does not read: 10 s at 30 a second. Then the source is held
 * up, which the watchdog sees; nothing is dropped on the way.
 */
const APPSINK_BUFFERS_MAX = 300;

/**
 * H.264 level for v4l2h264enc, which takes it from caps only; without it the driver falls to level 1 and fails.
 * Level 4 holds up to 1080p30 (H.264 table A-1: 245,760 macroblocks a second).
 */
const V4L2_LEVEL = '4';

/**
 * The launch line of a camera, ending in `appsink name=video`: raw video pinned to its format (without it an encoder
 * may choose High 4:4:4), H.264 with closed GOPs, parameter sets at every IDR, one GDP packet for each access unit.
 * Throws `board/invalid` when the source fragment itself ends in caps, which GStreamer cannot parse before others.
 */
export function launchLine(camera: CameraParts): string {
  return [
    wholeSource('camera', camera.source),
    rawCaps(camera),
    ...(camera.overlay === undefined ? [] : [overlay(camera.overlay)]),
    ...encoder(camera),
    'h264parse config-interval=-1',
    'video/x-h264,stream-format=avc,alignment=au',
    'gdppay',
    `appsink name=video sync=false max-buffers=${APPSINK_BUFFERS_MAX} drop=false enable-last-sample=false`,
  ].join(' ! ');
}

/**
 * The same with a second branch before it, which ends in `appsink name=audio`: AAC-LC of 48 kHz and one channel, one GDP
 * packet for each frame. Both run by one clock. Neither sink waits for the other to have something.
 * Throws as `launchLine`.
 */
export function launchLineWithAudio(camera: CameraParts, microphone: MicrophoneParts): string {
  const audio = [
    wholeSource('microphone', microphone.source),
    'queue max-size-time=1000000000 max-size-buffers=0 max-size-bytes=0 leaky=downstream',
    'audioconvert',
    'audioresample',
    'audio/x-raw,rate=48000,channels=1',
    `avenc_aac bitrate=${microphone.bitrateKbps * 1000}`,
    'aacparse',
    'audio/mpeg,stream-format=raw',
    'gdppay',
    `appsink name=audio sync=false async=false max-buffers=${AUDIO_BUFFERS_MAX} drop=true enable-last-sample=false`,
  ];
  return `${audio.join(' ! ')} ${launchLine(camera)}`;
}

function wholeSource(part: string, text: string): string {
  const source = text.trim();
  const last = source.slice(source.lastIndexOf('!') + 1).trim();
  if (last === '' || /^[a-z]+\/[a-z]/.test(last)) {
    throw new CameraError('board/invalid', `${part}.source ends in ${last === '' ? '"!"' : last}`);
  }
  return source;
}

function rawCaps({ format, width, height, framesPerSecond, encoder }: CameraParts): string {
  const caps = `video/x-raw,format=${format},width=${width},height=${height},framerate=${framesPerSecond}/1`;
  // Without v4l2convert in between, libcamerasrc leaves these two open and the encoder then refuses the caps.
  return encoder === 'v4l2h264enc' ? `${caps},colorimetry=bt709,interlace-mode=progressive` : caps;
}

/**
 * A line of text at the bottom left. The time is that of the machine's clock in the time zone of the process, which is
 * UTC in the capture child.
 */
const overlay = (text: string): string =>
  `clockoverlay text="${asMarkup(text)}" time-format="%Y-%m-%d %H:%M:%S UTC" halignment=left valignment=bottom`;

/**
 * Text for an element that takes Pango markup, with nothing in it that markup or a launch line could take for its own:
 * all but plain letters and digits as character references, what cannot be shown as a space.
 */
function asMarkup(text: string): string {
  const shown = Array.from(text, (character) => {
    if (/[A-Za-z0-9 ]/.test(character)) return character;
    if (!/[\p{L}\p{M}\p{N}\p{P}\p{S}]/u.test(character)) return ' ';
    return `&#${character.codePointAt(0) ?? 0};`;
  });
  return shown.join('');
}

function encoder({ encoder, bitrateKbps, gopFrames, threads }: CameraParts): readonly string[] {
  switch (encoder) {
    case 'x264enc': {
      const count = threads === undefined ? '' : ` threads=${threads}`;
      return [
        `x264enc tune=zerolatency speed-preset=ultrafast bitrate=${bitrateKbps} key-int-max=${gopFrames} bframes=0${count}`,
      ];
    }
    case 'openh264enc': {
      const count = threads === undefined ? '' : ` multi-thread=${threads}`;
      return [
        `openh264enc complexity=low rate-control=bitrate bitrate=${bitrateKbps * 1000} gop-size=${gopFrames}${count}`,
      ];
    }
    case 'v4l2h264enc':
      return [
        `v4l2h264enc extra-controls="controls,video_bitrate=${bitrateKbps * 1000},h264_i_frame_period=${gopFrames},repeat_sequence_header=1"`,
        `video/x-h264,level=(string)${V4L2_LEVEL},profile=(string)high`,
      ];
  }
}
