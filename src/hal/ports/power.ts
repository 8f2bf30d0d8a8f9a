export interface PowerReading {
  readonly chargePercent: number;
  readonly isCharging: boolean;
}

export interface PowerPort {
  /** Rejects with `hal/disconnected` when the gauge does not answer. */
  read(): Promise<PowerReading>;
}
