/** What this project uses of gstreamer-superficial 1.7.4, which ships no types. */
declare module 'gstreamer-superficial' {
  /** A bus message; other fields depend on its type. */
  export interface BusMessage {
    readonly type: string;
    readonly message?: string;
    readonly debug?: string;
    readonly _src_element_name?: string;
  }

  export interface AppSink {
    /**
     * Holds a thread of the libuv pool until there is a buffer. Null at the end of the stream, after `stop`, and when
     * called before `play`. One call at a time: at the end only one of several is woken.
     */
    pull(callback: (buffer: Buffer | null) => void): void;
  }

  export class Pipeline {
    /** Throws Error with GStreamer's message when the launch line cannot be built. */
    constructor(launch: string);
    play(): void;
    /** Sets the state to NULL and waits for it on this thread; frees a pending pull. */
    stop(): void;
    sendEOS(): void;
    findChild(name: string): AppSink | undefined;
    /** Holds a thread of the libuv pool until the pipeline is stopped. */
    pollBus(callback: (message: BusMessage) => void): void;
  }
}
