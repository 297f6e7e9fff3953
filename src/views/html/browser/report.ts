// Makes a report's page live: tables of any length, the map of the address space, heap maps, the histogram, the theme.
import type { ReportData } from '../report/report-data.js'
import { drawHeapMaps } from './report/heap-maps.js'
import { followLook, offerThemes } from './report/look.js'
import { drawSizes } from './report/size-histogram.js'
import { offerChoice } from './report/switches.js'
import { Treemap } from './report/treemap.js'
import { VirtualTable } from './report/virtual-table.js'
import { pageData } from './shared/page-data.js'

const data = pageData<ReportData>()
const tables = new Map(data.tables.map((table) => [table.id, new VirtualTable(table)]))
for (const controls of document.querySelectorAll<HTMLElement>('.controls, #theme, #treemap-legend')) {
  controls.hidden = false
}
offerThemes()

const treemap = new Treemap(data, (start) => {
  const regions = tables.get('table-regions')
  regions?.filter(start)
  regions?.element.scrollIntoView({ block: 'start' })
})
const maps = drawHeapMaps(data.heaps)
const sizes = data.sizes && drawSizes(data.sizes)

offerChoice('#treemap-controls', 'size', (size) => treemap.show(size))
offerChoice('#arenas .controls', 'basis', (basis) => {
  for (const chart of document.querySelectorAll<HTMLElement>('[data-basis-chart]')) {
    chart.hidden = chart.dataset.basisChart !== basis
  }
})
offerChoice('#sizes-controls', 'figure', (figure) => sizes?.show({ figure: figure as 'bytes' | 'chunks' }))
offerChoice('#sizes-controls', 'scale', (scale) => sizes?.show({ scale: scale as 'linear' | 'log' }))
followLook((look) => {
  treemap.draw()
  maps.draw()
  sizes?.draw()
  for (const table of tables.values()) table.setPrinting(look.isPrint)
})
