/** What `lapel demo --json` prints. */
export interface DemoResult {
  readonly ok: boolean;
  readonly recording: string;
  readonly segments: readonly {
    readonly segment: string;
    readonly state: string;
    readonly frames: number;
    readonly bytes: number;
  }[];
  readonly frames: number;
  readonly preEvent: { readonly askedMs: number; readonly gotMs: number };
  readonly pressToDurableMs: number;
  readonly uploadedBytes: number;
  readonly verified: string;
  readonly exported: string;
  readonly store: string;
  readonly trust: string;
  readonly identity: string;
}
