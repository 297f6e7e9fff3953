// The look that all HTML files share: one palette with meaning, for light and dark.

const LIGHT = `--ground: #ffffff; --ink: #1b1f24; --soft: #5c6670; --line: #d5dae0; --raised: #f5f7f9;
  --live: #0b7285; --tcache: #5f3dc4; --free: #c2550a; --top: #8a6d00; --reserved: #adb5bd; --damaged: #c92a2a;
  --critical: #c92a2a; --warning: #b35c00; --info: #1864ab`
const DARK = `--ground: #14181d; --ink: #e6e9ec; --soft: #9aa5b1; --line: #333b44; --raised: #1d232a;
  --live: #3bc9db; --tcache: #b197fc; --free: #ff922b; --top: #ffd43b; --reserved: #5c6670; --damaged: #ff6b6b;
  --critical: #ff6b6b; --warning: #ffa94d; --info: #74c0fc`

/** Variables as the reader's system prefers, unless `data-theme` of the root says which; always light on paper. */
export function themed(light: string, dark: string): string {
  return `:root { ${light} }
@media (prefers-color-scheme: dark) { :root:not([data-theme=light]) { ${dark} } }
:root[data-theme=dark] { ${dark} }
@media print { :root:root:root { ${light} } }`
}

/** CSS. Colours by variable: `--live`, `--tcache`, `--free`, `--top`, `--reserved`, `--damaged`, and severities. */
export const STYLE = `:root { color-scheme: light dark }
:root[data-theme=light] { color-scheme: light } :root[data-theme=dark] { color-scheme: dark }
@media print { :root:root:root { color-scheme: light } }
${themed(LIGHT, DARK)}
* { box-sizing: border-box }
body { margin: 0 auto; padding: 1.5rem; max-width: 90rem; background: var(--ground); color: var(--ink);
  font: 15px/1.5 system-ui, sans-serif }
h1 { font-size: 1.4rem; margin: 0 0 .5rem } h2 { font-size: 1.1rem; margin: 2rem 0 .5rem }
code, pre, .mono { font: 13px/1.45 ui-monospace, monospace }
pre { background: var(--raised); border: 1px solid var(--line); padding: .75rem; overflow-x: auto }
.soft { color: var(--soft) }
.critical { color: var(--critical) } .warning { color: var(--warning) } .info { color: var(--info) }
table { border-collapse: collapse; width: 100% }
th, td { text-align: left; padding: .25rem .6rem; border-bottom: 1px solid var(--line); vertical-align: top }
th { color: var(--soft); font-weight: 600 } td.number, th.number { text-align: right; font-variant-numeric: tabular-nums }
.scroll { overflow-x: auto }
@media print { body { max-width: none; padding: 0 } }`
