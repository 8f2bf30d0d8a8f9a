/** How hot the camera is, at the place that gets hot first: its processor. */
export interface ThermalPort {
  /** Degrees Celsius. Rejects with `hal/disconnected` when the sensor gives none. */
  read(): Promise<number>;
}
