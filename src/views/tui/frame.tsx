// Ink's part of the screen: the lines around a pane, the help over it, and what is shown while a target opens.
import { Box, Text } from 'ink'
import { bar } from '../../format/bars.js'
import { printable } from '../../format/printable.js'
import type { Chrome } from './chrome.js'
import { cell, clip } from './columns.js'
import type { HelpLine } from './help.js'
import type { LoadProgress } from './loading.js'
import type { Paint } from './paint.js'
import { CHROME_ROWS, type Size } from './tui-state.js'

const KEYS_WIDTH = 14

function Line({ text }: { readonly text: string }) {
  return (
    <Box height={1} flexShrink={0}>
      <Text wrap="truncate-end">{text === '' ? ' ' : text}</Text>
    </Box>
  )
}

function Help({ lines, width, paint }: { lines: readonly HelpLine[]; width: number; paint: Paint }) {
  const text = (line: HelpLine) => {
    if (line === null) return ''
    if ('title' in line) return paint.title(line.title)
    return `  ${paint.key(cell(line.keys, KEYS_WIDTH))}${clip(line.does, width - KEYS_WIDTH - 4)}`
  }
  return (
    <Box flexDirection="column" flexShrink={0} paddingX={1}>
      {lines.map((line, row) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: a line has nothing but its place
        <Line key={row} text={text(line)} />
      ))}
    </Box>
  )
}

/** Header, tabs, room for the pane (or the help in it), status and keys: exactly the screen's height. */
export function Frame({ chrome, paint }: { readonly chrome: Chrome; readonly paint: Paint }) {
  const { columns, rows } = chrome.size
  return (
    <Box flexDirection="column" width={columns} height={rows}>
      <Line text={chrome.header} />
      <Line text={chrome.tabs} />
      <Box height={rows - CHROME_ROWS} overflow="hidden">
        {chrome.help && <Help lines={chrome.help} width={columns} paint={paint} />}
      </Box>
      <Line text={chrome.status} />
      <Line text={chrome.keys} />
    </Box>
  )
}

/** The first frame of a target that takes a while to open. */
export function Opening({ size, progress, paint }: { size: Size; progress: LoadProgress; paint: Paint }) {
  const width = Math.max(10, Math.min(60, size.columns - 12))
  const { fraction } = progress
  const line =
    fraction === null
      ? ''
      : `${paint.bar(bar(fraction, width).padEnd(width))} ${cell(`${Math.floor(fraction * 100)} %`, 5, 'right')}`
  return (
    <Box flexDirection="column" width={size.columns} height={size.rows} padding={1} overflow="hidden">
      <Text>{paint.title('arena-inspect')}</Text>
      <Line text={clip(printable(progress.text), size.columns - 2)} />
      <Line text={line} />
      <Line text={`${paint.key('q')} quit`} />
    </Box>
  )
}

/** When not even the frame fits. */
export function TooSmall({ size }: { readonly size: Size }) {
  return (
    <Box width={size.columns} height={size.rows} overflow="hidden">
      <Text wrap="truncate-end">{clip('enlarge the terminal', size.columns)}</Text>
    </Box>
  )
}
