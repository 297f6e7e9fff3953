// What the pages of the heap on the map hold.
import { HeapPages } from '../../../report/heap-pages.js'
import { pagesName, shownHeap } from '../panes/heap-map.js'
import { type Asking, inSlices, type Question } from './question.js'

function* filling(pages: HeapPages, arena: number, { session }: Asking): Generator<undefined, void> {
  for (const batch of session.chunkBatches({ arena })) {
    pages.add(batch)
    yield undefined
  }
}

export const heapPagesQuestion: Question = {
  wanted(state, session) {
    if (state.pane !== 'heap-map' || state.heapMap.isDone || state.loading) return null
    const shown = shownHeap(state, session)
    return shown && pagesName(shown)
  },
  async ask(state, asking) {
    const shown = shownHeap(state, asking.session)!
    const pages = new HeapPages(pagesName(shown), BigInt(shown.heap.address), shown.heap.sizeBytes)
    await inSlices(filling(pages, shown.arena.index, asking), asking.signal)
    return asking.signal.aborted ? null : { type: 'heap-pages', pages, isDone: true }
  },
  failed(state, session) {
    const shown = shownHeap(state, session)!
    const pages = new HeapPages(pagesName(shown), BigInt(shown.heap.address), shown.heap.sizeBytes)
    return { type: 'heap-pages', pages, isDone: true }
  },
}
