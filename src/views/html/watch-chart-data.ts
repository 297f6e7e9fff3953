// What a watch's page hands to its script.

/** What the charts draw. Columns beside `times`; null is unknown, and drawn as a gap. */
export interface WatchChartData {
  /** Seconds since 1970 (UTC), rising. */
  readonly times: readonly number[]
  /** IANA name of the zone in which times are shown. */
  readonly zone: string
  readonly rss: readonly (number | null)[]
  /** Least and most of the samples behind each point. */
  readonly rssLeast: readonly (number | null)[]
  readonly rssMost: readonly (number | null)[]
  readonly system: readonly (number | null)[]
  readonly inUse: readonly (number | null)[]
  readonly arenas: readonly (number | null)[]
  /** Resident bytes of what the process consists of, from the bottom of the stack to its top. */
  readonly categories: readonly { readonly name: string; readonly bytes: readonly (number | null)[] }[]
}
