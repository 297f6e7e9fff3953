// The import rules of the house, as dependency-cruiser reads them: who may import whom (see src/README.md).

/** Folders that `room` may import besides itself; everything else under src/ is forbidden to it. */
const MAY_IMPORT = {
  format: [],
  memory: [],
  mi: [],
  target: ['memory/', 'mi/'],
  malloc: ['memory/', 'target/target\\.ts'],
  maps: ['memory/', 'target/target\\.ts'],
  control: ['memory/', 'mi/', 'target/', 'malloc/'],
  trace: ['memory/', 'mi/', 'target/', 'malloc/'],
  watch: ['memory/', 'target/target\\.ts', 'session/', 'report/', 'findings/', 'malloc/', 'maps/'],
  findings: ['malloc/', 'maps/', 'target/target\\.ts'],
  report: ['findings/', 'malloc/', 'maps/', 'memory/', 'target/target\\.ts'],
  session: ['memory/', 'target/', 'malloc/', 'maps/', 'findings/', 'report/'],
  diff: ['report/', 'findings/', 'maps/', 'malloc/'],
  snapshot: ['memory/', 'target/', 'malloc/', 'maps/', 'report/', 'session/'],
  'views/text': ['report/', 'findings/', 'maps/', 'memory/', 'trace/', 'watch/', 'diff/'],
  'views/json': ['report/', 'trace/', 'watch/', 'diff/'],
  'views/html': ['report/', 'findings/', 'maps/', 'memory/', 'trace/', 'watch/', 'diff/'],
  'views/tui': ['report/', 'findings/', 'maps/', 'memory/', 'session/(session|chunk-table)\\.ts'],
  'views/dap': ['report/', 'memory/', 'session/(session|chunk-table|debuggee)\\.ts'],
}

const rooms = Object.entries(MAY_IMPORT).map(([room, others]) => ({
  name: `${room.replace('/', '-')}-imports`,
  severity: 'error',
  from: { path: `^src/${room}/` },
  to: { path: '^src/', pathNot: [`${room}/`, 'format/', ...others].map((other) => `^src/${other}`) },
}))

module.exports = {
  forbidden: [
    ...rooms,
    { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true } },
    {
      name: 'only-target-gdb-knows-mi',
      severity: 'error',
      from: { path: '^src/target/', pathNot: '^src/target/gdb/' },
      to: { path: '^src/mi/' },
    },
    {
      name: 'pure-rooms-do-no-io',
      severity: 'error',
      from: { path: '^src/(format|memory|malloc|maps|findings|report|diff|views/text|views/json)/' },
      to: { dependencyTypes: ['core'] },
    },
    {
      name: 'nobody-imports-the-cli',
      severity: 'error',
      from: { pathNot: '^src/cli/' },
      to: { path: '^src/cli/' },
    },
    {
      name: 'gdb-js-stays-in-mi',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/mi/' },
      to: { path: 'node_modules/(gdb-js|regenerator-runtime)/' },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
  },
}
