// The TUI on a core, key by key, beside an Ink app that does nothing.
import { fileURLToPath } from 'node:url'
import { Pty } from './pty.mjs'

const PRESSES = 41
const TARGET_MS = 50
/** The first row of Chunks once it is whole: before, `· listing …` follows. */
const LISTED = /chunks, [\d.]+ [KMGT]?i?B {2}/

/** What is pressed over and over, and what brings the pane on the screen before. */
const PANES = [
  { name: 'Arenas: j', open: '2', keys: ['j'] },
  { name: 'Arenas: sort', open: '2', keys: ['s'] },
  { name: 'Heap map: move', open: '3', keys: ['l', 'j', 'h', 'k'] },
  { name: 'Heap map: next heap', open: '3', keys: [']'] },
  { name: 'Chunks: j', open: '4', keys: ['j'] },
  { name: 'Chunks: page down', open: '4', keys: ['\x1b[6~'] },
  { name: 'Chunks: last, first', open: '4', keys: ['G', 'g'] },
  { name: 'Chunks: sort', open: '4', keys: ['s'], settles: true },
  { name: 'Chunks: filter', open: '4', keys: ['f'], settles: true },
  { name: 'Memory: j', open: '5', keys: ['j'] },
  { name: 'Memory: page down', open: '5', keys: ['\x1b[6~'] },
  { name: 'Memory: words, page down', open: '5w', keys: ['\x1b[6~'] },
  // A frame with stacks from gdb between two keys would make one frame, or none, of both.
  { name: 'Threads: j', open: '6', keys: ['j', 'k'], calmMs: 5000 },
  { name: 'Regions: j', open: '8', keys: ['j', 'k'] },
]

/** Prints the table; `reportMb` is the peak of `report` on the same core. */
export async function benchTui(cli, core, reportMb) {
  const ink = await emptyInk()
  const pty = new Pty([process.execPath, cli, core])
  const first = await pty.until(/./)
  const opened = first + (await pty.until(/Overview/))
  await pty.quiet()
  const openMb = pty.peakMb
  const listed = await pty.press('4', /\d chunks/)
  const whole = listed + (await pty.until(LISTED))
  const listedMb = pty.peakMb
  const rows = []
  for (const { name, open, keys, settles, calmMs } of PANES) {
    pty.send(`1${open}`)
    await pty.quiet(calmMs)
    const times = []
    const settled = []
    for (let i = 0; i < PRESSES; i++) {
      const started = performance.now()
      const frame = pty.frameAfter(keys[i % keys.length])
      times.push(await frame.catch((cause) => Promise.reject(new Error(`${name}, key ${i}`, { cause }))))
      if (!settles) continue
      await pty.until(LISTED)
      settled.push(performance.now() - started)
      await pty.quiet(50)
      if (i === 10) break
    }
    rows.push({
      name,
      median: median(times),
      worst: Math.max(...times),
      settled: settled.length > 0 ? median(settled) : null,
    })
  }
  const peakMb = pty.peakMb
  await pty.quit()
  console.log(
    `  TUI at 200×60: first frame ${first.toFixed(0)} ms, overview ${opened.toFixed(0)} ms; first rows of Chunks ${listed.toFixed(0)} ms, the last ${whole.toFixed(0)} ms`,
  )
  console.log(
    `  an empty Ink app's frame: ${ink.toFixed(1)} ms; from a key to the frame that answers it (${PRESSES} keys, ms):`,
  )
  console.log(`    ${''.padEnd(28)}   median   worst  ratio  settled`)
  for (const { name, median: middle, worst, settled } of rows) {
    const cells = [
      middle.toFixed(1).padStart(9),
      worst.toFixed(1).padStart(8),
      `${(middle / ink).toFixed(1)}×`.padStart(7),
    ]
    console.log(
      `    ${name.padEnd(28)}${cells.join('')}${(settled === null ? '' : settled.toFixed(0)).padStart(9)}${middle < TARGET_MS ? '' : '  OVER 50 ms'}`,
    )
  }
  const over = peakMb - reportMb
  console.log(
    `  peak memory: ${openMb.toFixed(0)} MB open, ${listedMb.toFixed(0)} MB with all chunks listed, ${peakMb.toFixed(0)} MB at the end; report ${reportMb.toFixed(0)} MB; ${over.toFixed(0)} MB more${over < 200 ? '' : '  OVER 200 MB'}`,
  )
}

async function emptyInk() {
  const pty = new Pty([process.execPath, fileURLToPath(new URL('empty-ink.mjs', import.meta.url))], {
    frameEnd: null,
  })
  await pty.until(/frame 0/)
  await pty.quiet()
  const times = []
  for (let i = 0; i < PRESSES; i++) {
    times.push(await pty.frameAfter('j'))
    await pty.quiet(40)
  }
  await pty.quit()
  return median(times)
}

function median(values) {
  return [...values].sort((a, b) => a - b)[values.length >> 1]
}
