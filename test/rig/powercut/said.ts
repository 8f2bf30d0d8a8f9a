/** What a camera was told to be durable, or had in hand, at a moment of the log of its disk. */
export type Said =
  /** The scenario begins: what comes before is the work of mounting. */
  | { readonly said: 'begin' }
  | { readonly said: 'boot'; readonly boot: number }
  | { readonly said: 'recording'; readonly boot: number; readonly rec: number }
  /** So many pictures of a recording have been handed to its segments so far. */
  | {
      readonly said: 'handed';
      readonly boot: number;
      readonly rec: number;
      readonly frames: number;
    }
  /** A head over so many of them is durable; `age` may still hold back the newest 64 KiB. */
  | { readonly said: 'head'; readonly boot: number; readonly rec: number; readonly frames: number }
  | { readonly said: 'sealed'; readonly seg: string; readonly digest: string }
  | { readonly said: 'press'; readonly boot: number; readonly edge: number }
  | { readonly said: 'decided'; readonly boot: number; readonly edge: number }
  /** A fault with these words, none like another. */
  | { readonly said: 'fault'; readonly detail: string }
  | { readonly said: 'trigger'; readonly nonce: string }
  | { readonly said: 'receipt'; readonly seg: string }
  /** No file of it is left, and the log says so. */
  | { readonly said: 'deleted'; readonly seg: string };

/** Words of one kind. */
export const ofKind = <K extends Said['said']>(
  said: readonly Said[],
  kind: K,
): readonly Extract<Said, { said: K }>[] =>
  said.filter((one): one is Extract<Said, { said: K }> => one.said === kind);
