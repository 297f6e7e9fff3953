// What the Regions pane remembers of its map: whether it is shown, its zoom and its cursor.
export interface RegionMapState {
  /** False: the list is shown. */
  readonly isShown: boolean
  /** Bytes of a cell; null: as few as let the whole address space be seen at once. */
  readonly cellBytes: number | null
  /** Address under the cursor; null before there was one. */
  readonly at: bigint | null
  /** First row on the screen. */
  readonly top: number
}

export const NO_REGION_MAP: RegionMapState = { isShown: false, cellBytes: null, at: null, top: 0 }
