// The bytes inside a packed file, in order: by Node's zlib where it can, else by the format's own program.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createReadStream, readFileSync } from 'node:fs'
import type { Transform } from 'node:stream'
import * as zlib from 'node:zlib'
import { atExit } from '../at-exit.js'
import { isNodeError } from '../elf/node-error.js'
import { TargetError } from '../target.js'
import type { PackedFormat } from './packed-format.js'
import { isWholeZstd } from './zstd-frames.js'

/** The file is cut or damaged; what was unpacked before is good as far as anyone knows. */
export class DamagedArchive extends Error {
  override readonly name = 'DamagedArchive'
}

/** A packed file, open at its beginning. */
export interface Archive {
  /** Its offset moves as it is read. */
  readonly fd: number
  readonly path: string
  readonly sizeBytes: number
}

const CHUNK_BYTES = 1 << 20
const MAX_MESSAGE = 2048

type MakeDecoder = (options: object) => Transform & { readonly bytesWritten: number }

/**
 * The unpacked bytes. `consumed` is told how many packed bytes are read. Throws DamagedArchive after the last good
 * bytes, TargetError when the program that unpacks is missing. No decoder outlives the iteration.
 */
export function unpackedBytes(
  archive: Archive,
  format: PackedFormat,
  consumed: (bytes: number) => void,
): AsyncGenerator<Uint8Array> {
  const decoder = builtIn(format)
  return decoder ? byZlib(archive, format, decoder, consumed) : byTool(archive, format, consumed)
}

// createZstdDecompress: Node 22.15 and 23.8 on. Its window limit is as that of `zstd --long=31`.
function builtIn(format: PackedFormat): MakeDecoder | null {
  if (format.name === 'gzip') return zlib.createGunzip
  const { createZstdDecompress } = zlib as { createZstdDecompress?: MakeDecoder }
  const limit = (zlib.constants as Record<string, number>).ZSTD_d_windowLogMax
  if (format.name !== 'zstd' || !createZstdDecompress || limit === undefined) return null
  return (options) => createZstdDecompress({ ...options, params: { [limit]: 31 } })
}

async function* byZlib(
  archive: Archive,
  format: PackedFormat,
  make: MakeDecoder,
  consumed: (bytes: number) => void,
): AsyncGenerator<Uint8Array> {
  for (let start = 0; start < archive.sizeBytes; ) {
    // By this path it is opened anew: a stream closes what it reads.
    const input = createReadStream(`/proc/self/fd/${archive.fd}`, { start, highWaterMark: CHUNK_BYTES })
    const decoder = make({ chunkSize: CHUNK_BYTES })
    input.once('error', (error) => decoder.destroy(error))
    try {
      for await (const chunk of input.pipe(decoder)) {
        yield chunk as Uint8Array
        consumed(start + decoder.bytesWritten)
      }
    } catch (error) {
      if (!isNodeError(error)) throw error
      throw new DamagedArchive(`${format.name} says ${error.message}`)
    } finally {
      input.destroy()
      decoder.destroy()
    }
    // The zstd decoder ends with a frame, and more may follow; gunzip knows of members itself.
    if (format.name !== 'zstd' || decoder.bytesWritten === 0) break
    start += decoder.bytesWritten
  }
  if (format.name === 'zstd' && !isWholeZstd(archive.fd, archive.sizeBytes)) {
    throw new DamagedArchive('zstd says the file ends inside a frame')
  }
}

async function* byTool(
  archive: Archive,
  format: PackedFormat,
  consumed: (bytes: number) => void,
): AsyncGenerator<Uint8Array> {
  const { tool } = format
  if (!tool) throw unsupported(archive, format)
  const [command, ...args] = tool.argv
  const child = spawn(command, args, { stdio: [archive.fd, 'pipe', 'pipe'] })
  const kill = () => void child.kill('SIGKILL')
  const forget = atExit(kill)
  let message = ''
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    if (message.length < MAX_MESSAGE) message += text
  })
  const ended = endOf(child, archive, format)
  // Awaited below; a consumer that stops early never gets there.
  ended.catch(() => {})
  try {
    for await (const chunk of child.stdout!) {
      yield chunk as Uint8Array
      consumed(positionOf(archive.fd))
    }
    const code = await ended
    if (code === 0) return
    const [line = ''] = message.trim().split('\n').slice(-1)
    throw new DamagedArchive(`${format.name} ${line ? `says ${line}` : `ended with ${code}`}`)
  } catch (error) {
    // Its output breaks off when it could not be started.
    if (isNodeError(error)) await ended
    throw error
  } finally {
    kill()
    forget()
  }
}

/** Its exit code or signal; throws TargetError when it could not start. */
async function endOf(
  child: ChildProcess,
  archive: Archive,
  format: PackedFormat,
): Promise<number | NodeJS.Signals | null> {
  try {
    const [code, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null]
    return code ?? signal
  } catch (error) {
    if (!isNodeError(error)) throw error
    if (error.code !== 'ENOENT') {
      const what = `${format.tool?.argv[0]} cannot be started (${error.code})`
      throw new TargetError(what, unpackFirst(archive, format))
    }
    throw new TargetError(
      `${archive.path} is compressed with ${format.name}, and no \`${format.tool?.argv[0]}\` is here to unpack it`,
      `apt-get install ${format.tool?.package}, or unpack it elsewhere`,
    )
  }
}

/** The error for a format that nothing here unpacks. */
export function unsupported(archive: { readonly path: string }, format: PackedFormat): TargetError {
  return new TargetError(`${archive.path} is compressed with ${format.name}`, unpackFirst(archive, format))
}

function unpackFirst(archive: { readonly path: string }, format: PackedFormat): string {
  return `unpack it first: \`${format.command} ${archive.path}\``
}

/** Where the offset that we share with the child is. */
function positionOf(fd: number): number {
  return Number(/^pos:\s*(\d+)/.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'latin1'))?.[1] ?? 0)
}
