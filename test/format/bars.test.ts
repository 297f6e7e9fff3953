// Shares as bars.
import t from 'tap'
import { bar } from '../../src/format/bars.js'

t.test('bars', async (t) => {
  t.equal(bar(null, 8), '')
  t.equal(bar(0, 8), '')
  t.equal(bar(Number.NaN, 8), '')
  t.equal(bar(0.00001, 8), '▏')
  t.equal(bar(0.5, 8), '████')
  t.equal(bar(1, 8), '████████')
  t.equal(bar(7, 2), '██')
})
