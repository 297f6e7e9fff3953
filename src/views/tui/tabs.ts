// The line with the panes' names: full ones with room between them, else close together, else numbers alone.
import { widthOf } from './columns.js'
import type { Paint } from './paint.js'
import { PANES } from './panes.js'
import type { PaneId, TuiState } from './tui-state.js'

interface Tab {
  readonly pane: PaneId
  readonly text: string
}

function formsOf(state: TuiState): readonly (readonly Tab[])[] {
  const form = (text: (index: number) => string, chosen: (index: number) => string) =>
    PANES.map(({ id }, index) => ({
      pane: id,
      text: id === state.pane ? `[${chosen(index)}]` : text(index),
    }))
  const full = (index: number) => `${index + 1} ${PANES[index]!.title}`
  const short = (index: number) => `${index + 1} ${PANES[index]!.shortTitle ?? PANES[index]!.title}`
  return [
    form((index) => ` ${full(index)} `, full),
    form(full, full),
    form(short, short),
    form((index) => `${index + 1}`, short),
  ]
}

function tabsFor(state: TuiState): readonly Tab[] {
  const forms = formsOf(state)
  const width = (tabs: readonly Tab[]) => tabs.reduce((sum, { text }) => sum + widthOf(text) + 1, 0)
  return forms.find((tabs) => width(tabs) <= state.size.columns) ?? forms.at(-1)!
}

/** The line, and the columns that it takes. */
export function tabsText(state: TuiState, paint: Paint): { readonly text: string; readonly width: number } {
  const tabs = tabsFor(state)
  const text = tabs
    .map(({ pane, text: name }) => (pane === state.pane ? paint.selected(name) : name))
    .join(' ')
  return { text: ` ${text}`, width: tabs.reduce((sum, { text: name }) => sum + widthOf(name) + 1, 0) }
}

/** The pane whose name is at `column` (from 0), or null. */
export function paneAtColumn(state: TuiState, column: number): PaneId | null {
  let left = 1
  for (const { pane, text } of tabsFor(state)) {
    if (column >= left && column < left + widthOf(text)) return pane
    left += widthOf(text) + 1
  }
  return null
}
