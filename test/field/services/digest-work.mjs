// What the node server does for a seed, and what its client expects: bytes that went through zlib and crypto.
import { createHash, pbkdf2 as pbkdf2Callback } from 'node:crypto'
import { promisify } from 'node:util'
import { gunzip, gzip } from 'node:zlib'

const pbkdf2 = promisify(pbkdf2Callback)
const ITERATIONS = 500

export async function digestWork(seed) {
  const text = Array.from({ length: 4000 }, (_, index) => `${seed} ${index * index}\n`).join('')
  const unpacked = await promisify(gunzip)(await promisify(gzip)(text))
  const key = await pbkdf2(unpacked, seed, ITERATIONS, 64, 'sha512')
  return createHash('sha512').update(key).update(unpacked).digest()
}
