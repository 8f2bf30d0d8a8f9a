import type { Journal, JournalFact, PressEdge, PressOutcome } from '../../src/capture/ports.js';

/** A device log in memory: one line for each entry, in order. */
export class MemoryJournal implements Journal {
  readonly lines: string[] = [];
  readonly facts: JournalFact[] = [];
  readonly latencies: number[] = [];
  readonly outcomes = new Map<number, PressOutcome>();
  edges = 0;
  /** Called before an edge is taken; may wait or reject. */
  onPressed: () => Promise<void> = () => Promise.resolve();
  /** Called with every edge that is taken. */
  onEdge: (edge: PressEdge) => void = () => undefined;
  /** Called before a fact or a decision is taken. */
  onRecord: () => Promise<void> = () => Promise.resolve();

  async pressed(edge: PressEdge): Promise<number> {
    await this.onPressed();
    this.edges += 1;
    this.onEdge(edge);
    this.lines.push(`edge ${this.edges} ${edge.button} ${edge.isPressed ? 'down' : 'up'}`);
    return this.edges;
  }

  async decided(edge: number, outcome: PressOutcome, latencyMs: number): Promise<void> {
    await this.onRecord();
    if (this.outcomes.has(edge)) throw new Error(`edge ${edge} is decided twice`);
    this.outcomes.set(edge, outcome);
    this.latencies.push(latencyMs);
    this.lines.push(`decided ${edge} ${outcome}`);
  }

  async record(fact: JournalFact): Promise<void> {
    await this.onRecord();
    this.facts.push(fact);
    switch (fact.type) {
      case 'mode':
        this.lines.push(`mode ${fact.mode}: ${fact.reason}`);
        return;
      case 'fault':
        this.lines.push(`fault ${fact.code}`);
        return;
      case 'gap':
        this.lines.push(`gap ${fact.rec ?? 'none'} ${fact.gapMs}: ${fact.cause}`);
        return;
      case 'mute':
        this.lines.push(`${fact.isMuted ? 'mute' : 'unmute'} ${fact.rec} at ${fact.mediaMs}`);
        return;
      case 'stealth':
        this.lines.push(fact.isStealthy ? 'stealth' : 'no stealth');
        return;
      case 'category':
        this.lines.push(`category of ${fact.rec}: ${fact.category ?? 'none'}`);
        return;
      case 'rolled':
        this.lines.push(`rolled ${fact.from} to ${fact.rec}`);
    }
  }
}
