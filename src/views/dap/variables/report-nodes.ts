// The scopes Ledger, Findings and Regions.
import { bytesText } from '../../../format/sizes.js'
import { hex } from '../../../memory/address.js'
import { permissionText, sizeOf } from '../../../memory/region.js'
import type { Report } from '../../../report/report.js'
import type { Session } from '../../../session/session.js'
import { exactBytes, noteNode } from './arena-nodes.js'
import type { VariableNode, VariableRow } from './variable-node.js'

export function ledgerNode(session: Session): VariableNode {
  const { ledger, maps } = session.report
  if (!ledger) {
    const note = { name: 'note', value: 'what is in RAM is not known here: address space by category' }
    const rows = maps.categories.map(({ category, virtualBytes, mappings }) => ({
      name: category,
      value: `${exactBytes(virtualBytes)} in ${mappings} mappings`,
    }))
    return { named: () => [note, ...rows] }
  }
  const basis = ledger.basis === 'rss' ? 'in RAM (VmRSS)' : 'saved in the core'
  return {
    named: () => [
      { name: 'total', value: `${exactBytes(ledger.totalBytes)} ${basis}` },
      ...ledger.entries.map(({ line, residentBytes, swapBytes }) => ({
        name: line,
        value: `${exactBytes(residentBytes)}${swapBytes ? `, ${exactBytes(swapBytes)} in swap` : ''}`,
      })),
      { name: 'not accounted for', value: exactBytes(ledger.unaccountedBytes) },
    ],
  }
}

export function findingsNode(session: Session): VariableNode {
  const { findings, problems } = session.report
  if (findings.length + problems.length === 0) return noteNode('nothing was found')
  return {
    named: () => [
      ...findings.map((finding) => ({
        name: finding.rule,
        value: `${finding.severity.toUpperCase()}: ${finding.title}`,
        node: { named: () => findingRows(finding) },
      })),
      ...problems.map((value, index) => ({ name: `problem ${index + 1}`, value })),
    ],
  }
}

function findingRows({ evidence, nextStep, why, fixes }: Report['findings'][number]): VariableRow[] {
  return [
    { name: 'do now', value: nextStep },
    ...(why === undefined ? [] : [{ name: 'why', value: why }]),
    ...(fixes ?? []).map(({ text, how, note }, index) => ({
      name: `fix ${index + 1}, ${how}`,
      value: note === null ? text : `${text} (${note})`,
    })),
    ...evidence.map(({ label, value, unit }) => ({
      name: label,
      value:
        typeof value === 'number' && unit === 'bytes'
          ? exactBytes(value)
          : `${value ?? 'unknown'}${unit === 'percent' ? ' %' : ''}`,
    })),
  ]
}

export function regionsNode(session: Session): VariableNode {
  return {
    indexed: session.pieces.length,
    page: (from, count) =>
      session.pieces.slice(from, from + count).map(({ start, end, category, region, residentBytes }) => {
        const resident =
          residentBytes === null ? '' : `, ${bytesText(residentBytes)} ${session.isLive ? 'in RAM' : 'saved'}`
        return {
          name: `${hex(start)}-${hex(end)}`,
          value:
            `${permissionText(region.permissions)} ${bytesText(sizeOf({ start, end }))}${resident}  ${category}  ${region.path ?? ''}`.trimEnd(),
          address: start,
        }
      }),
  }
}
