import { ALL_FORMATS, BufferSource, EncodedPacketSink, Input } from 'mediabunny';

export interface Mp4Packet {
  readonly data: Buffer;
  readonly at90k: number;
  readonly duration90k: number;
  readonly isIdr: boolean;
}

/** The video packets of an MP4 as an independent reader sees them: mediabunny's demuxer. */
export async function mp4Packets(bytes: Buffer): Promise<Mp4Packet[]> {
  const input = new Input({ formats: ALL_FORMATS, source: new BufferSource(bytes) });
  const track = await input.getPrimaryVideoTrack();
  if (!track) throw new Error('no video track');
  const packets: Mp4Packet[] = [];
  for await (const packet of new EncodedPacketSink(track).packets()) {
    packets.push({
      data: Buffer.from(packet.data),
      at90k: Math.round(packet.timestamp * 90_000),
      duration90k: Math.round(packet.duration * 90_000),
      isIdr: packet.type === 'key',
    });
  }
  return packets;
}

/** A join target in memory. */
export class MemoryTarget {
  bytes = Buffer.alloc(0);
  largestWrite = 0;

  write(bytes: Uint8Array, position: number): Promise<void> {
    const end = position + bytes.length;
    if (end > this.bytes.length) this.bytes = Buffer.concat([this.bytes], end);
    this.bytes.set(bytes, position);
    this.largestWrite = Math.max(this.largestWrite, bytes.length);
    return Promise.resolve();
  }
}
