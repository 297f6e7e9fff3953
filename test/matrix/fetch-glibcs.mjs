// Fetches the glibc builds of five Debian suites, amd64 and i386, each unpacked into a folder of its own.
// usage: node test/matrix/fetch-glibcs.mjs [--refresh]
// Prints one JSON document: { suites: [{ suite, release, version, roots } | { suite, release, failed, stage }], sysroots }.
// Cache: $ARENA_INSPECT_GLIBCS, else arena-inspect-glibcs-UID in the folder for temporary files. What is there is not
// fetched again unless --refresh asks for newer versions. apt runs with a configuration of its own in the cache; of the
// machine's it only reads where the mirror is. Runs at the same time wait for each other (flock).
import { execFile, spawnSync } from 'node:child_process'
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const run = promisify(execFile)
const ARCHITECTURES = { amd64: 'x86_64-linux-gnu', i386: 'i386-linux-gnu' }
const SUITES = [
  { suite: 'bullseye', release: '2.31' },
  { suite: 'bookworm', release: '2.36' },
  { suite: 'trixie', release: '2.41' },
  { suite: 'sid', release: '2.43' },
  { suite: 'experimental', release: '2.44' },
]
// Programs are linked against the oldest, so that one binary runs on all.
const OLDEST = 'bullseye'
const RUNTIME = ['libc6', 'libc6-dbg']
const DEVELOPMENT = ['libc6-dev', 'linux-libc-dev', 'libcrypt-dev', 'libcrypt1', 'libgcc-10-dev']
const RETRY_FAILED_AFTER_MS = 10 * 60_000

const CACHE =
  process.env.ARENA_INSPECT_GLIBCS || join(tmpdir(), `arena-inspect-glibcs-${process.getuid?.() ?? 0}`)
const refresh = process.argv.includes('--refresh')

mkdirSync(CACHE, { recursive: true, mode: 0o700 })
if (!refresh && SUITES.every(({ suite }) => memo(suite))) print()
else if (process.env.ARENA_INSPECT_GLIBCS_LOCKED === CACHE) {
  await Promise.all(SUITES.filter(({ suite }) => refresh || !memo(suite)).map(fetchSuite))
  print()
} else {
  const { status, error } = spawnSync(
    'flock',
    [join(CACHE, 'lock'), process.execPath, fileURLToPath(import.meta.url), ...process.argv.slice(2)],
    { stdio: 'inherit', env: { ...process.env, ARENA_INSPECT_GLIBCS_LOCKED: CACHE } },
  )
  if (error) throw error
  process.exitCode = status ?? 1
}

function print() {
  process.stdout.write(`${JSON.stringify({ suites: SUITES.map(({ suite }) => memo(suite)) }, null, 2)}\n`)
}

/** What is known of a suite, or null when it is to be fetched (again). */
function memo(suite) {
  const file = join(CACHE, `${suite}.json`)
  if (!existsSync(file)) return null
  const known = JSON.parse(readFileSync(file, 'utf8'))
  if (known.failed) return Date.now() - statSync(file).mtimeMs < RETRY_FAILED_AFTER_MS ? known : null
  return Object.values(known.roots).every(existsSync) ? known : null
}

function remember(suite, known) {
  const file = join(CACHE, `${suite}.json`)
  writeFileSync(`${file}.draft`, `${JSON.stringify(known, null, 2)}\n`)
  renameSync(`${file}.draft`, file)
}

async function fetchSuite({ suite, release }) {
  const before = memo(suite)
  let stage = 'index'
  const scratch = mkdtempSync(join(CACHE, `apt-${suite}-`))
  try {
    const apt = configure(scratch, suite)
    await apt('apt-get', 'update', '-q')
    stage = 'download'
    const packages = suite === OLDEST ? [...RUNTIME, ...DEVELOPMENT] : RUNTIME
    const version = await candidate(apt, 'libc6:amd64')
    if (!version.startsWith(release)) throw new Error(`libc6 is ${version} there, not ${release}`)
    const roots = {}
    for (const architecture of Object.keys(ARCHITECTURES)) {
      const root = join(CACHE, `${suite}-${architecture}-${version.replaceAll(/[^\w.+~-]/g, '_')}`)
      roots[architecture] = root
      if (!existsSync(root)) await unpack(apt, scratch, packages, architecture, root)
    }
    remember(suite, { suite, release, version, roots })
  } catch (error) {
    // What was fetched once stays good when it cannot be looked up again.
    if (!before?.roots) remember(suite, { suite, release, stage, failed: reasonOf(error) })
  } finally {
    rmSync(scratch, { recursive: true, force: true })
  }
}

async function candidate(apt, name) {
  const { stdout } = await apt('apt-cache', 'show', '--no-all-versions', name)
  return /^Version: (.+)$/m.exec(stdout)?.[1] ?? ''
}

async function unpack(apt, scratch, packages, architecture, root) {
  const folder = join(scratch, architecture)
  mkdirSync(folder)
  await apt('apt-get', 'download', '-q', ...packages.map((name) => `${name}:${architecture}`), {
    cwd: folder,
  })
  const draft = mkdtempSync(join(CACHE, 'draft-'))
  try {
    for (const file of readdirSync(folder)) await run('dpkg', ['-x', join(folder, file), draft])
    keepLinksInside(draft)
    renameSync(draft, root)
  } finally {
    rmSync(draft, { recursive: true, force: true })
  }
}

// Absolute links (the dynamic linker's in the older suites) would lead to this machine's own files.
function keepLinksInside(root) {
  for (const name of readdirSync(root, { recursive: true })) {
    const file = join(root, name)
    if (!lstatSync(file).isSymbolicLink()) continue
    const target = readlinkSync(file)
    if (!target.startsWith('/')) continue
    unlinkSync(file)
    symlinkSync(relative(dirname(file), join(root, target)), file)
  }
}

/** apt with lists, status, cache and sources of its own; returns how to run it. */
function configure(scratch, suite) {
  const { uri, signedBy } = mirror()
  for (const folder of ['lists/partial', 'cache/archives/partial', 'etc']) {
    mkdirSync(join(scratch, folder), { recursive: true })
  }
  writeFileSync(join(scratch, 'status'), '')
  writeFileSync(
    join(scratch, 'etc/debian.sources'),
    `Types: deb\nURIs: ${uri}\nSuites: ${suite}\nComponents: main\nSigned-By: ${signedBy}\n`,
  )
  const settings = {
    'Dir::State': scratch,
    'Dir::State::Lists': join(scratch, 'lists'),
    'Dir::State::status': join(scratch, 'status'),
    'Dir::Cache': join(scratch, 'cache'),
    'Dir::Etc::SourceList': '/dev/null',
    'Dir::Etc::SourceParts': join(scratch, 'etc'),
    'Dir::Etc::Preferences': '/dev/null',
    'Dir::Etc::PreferencesParts': '/dev/null',
    'APT::Architecture': 'amd64',
    'APT::Default-Release': '',
    'APT::Sandbox::User': 'root',
    'APT::Update::Error-Mode': 'any',
    'APT::Update::Post-Invoke-Success': '',
    'Acquire::Languages': 'none',
    'Acquire::Retries': '2',
    'Acquire::Check-Valid-Until': 'false',
    'Acquire::IndexTargets::deb::Contents-deb::DefaultEnabled': 'false',
    'Acquire::IndexTargets::deb::DEP-11::DefaultEnabled': 'false',
  }
  const lines = Object.entries(settings).map(([name, value]) => `${name} "${value}";`)
  lines.push('#clear APT::Architectures;', 'APT::Architectures { "amd64"; "i386"; };')
  lines.push('#clear APT::Update::Post-Invoke-Success;', '#clear APT::Update::Post-Invoke;')
  const file = join(scratch, 'apt.conf')
  writeFileSync(file, `${lines.join('\n')}\n`)
  return (command, ...args) => {
    const options = typeof args.at(-1) === 'object' ? args.pop() : {}
    const env = { ...process.env, APT_CONFIG: file, LC_ALL: 'C' }
    return run(command, args, { ...options, env, maxBuffer: 1 << 26 })
  }
}

/** This machine's Debian mirror, and the keyrings that sign it. Throws when it has none. */
function mirror() {
  const keyrings = filesIn('/usr/share/keyrings', /^debian-archive-.*(?<!removed-keys)\.(gpg|pgp|asc)$/)
  const signedBy = keyrings.join(' ')
  for (const uri of sourceUris()) {
    if (/\/debian\/?$/.test(uri)) return { uri, signedBy }
  }
  throw new Error('this machine has no Debian mirror in /etc/apt')
}

function sourceUris() {
  const files = ['/etc/apt/sources.list', ...filesIn('/etc/apt/sources.list.d', /\.(list|sources)$/)]
  return files.filter(existsSync).flatMap((file) => {
    const text = readFileSync(file, 'utf8')
    const uris = file.endsWith('.sources')
      ? [...text.matchAll(/^URIs:\s*(.+)$/gim)].flatMap(([, list]) => list.trim().split(/\s+/))
      : [...text.matchAll(/^deb\s+(?:\[[^\]]*\]\s+)?(\S+)/gm)].map(([, uri]) => uri)
    return uris
  })
}

function filesIn(folder, pattern) {
  if (!existsSync(folder)) return []
  return readdirSync(folder)
    .filter((name) => pattern.test(name))
    .map((name) => join(folder, name))
}

// apt's own first complaint, without the addresses that it names.
function reasonOf(error) {
  const text = `${error.stderr ?? ''}`.split('\n').find((line) => /^E:/.test(line)) ?? error.message
  return text.split('\n')[0].replaceAll(/\w+:\/\/\S+/g, '…')
}
