// Light, dark or as the system says; and who must draw again when that, the width, or the medium changes.
import { offerChoice } from './switches.js'

const THEME_CHANGED = 'arena-inspect-theme'

export interface Look {
  readonly isPrint: boolean
}

/** Makes the page's three theme buttons work. */
export function offerThemes(): void {
  let chosen = 'auto'
  const apply = () => {
    const theme = chosen === 'auto' ? themeOfEditor() : chosen
    if (theme === undefined) delete document.documentElement.dataset.theme
    else document.documentElement.dataset.theme = theme
    document.dispatchEvent(new Event(THEME_CHANGED))
  }
  offerChoice('#theme', 'theme-choice', (theme) => {
    chosen = theme
    apply()
  })
  new MutationObserver(apply).observe(document.body, { attributeFilter: ['data-vscode-theme-kind'] })
  apply()
}

/** What VS Code tells its webviews, where the system's preference is not the editor's. */
function themeOfEditor(): string | undefined {
  const kind = document.body.dataset.vscodeThemeKind
  return kind === undefined ? undefined : kind.endsWith('light') ? 'light' : 'dark'
}

/** `changed` is called whenever colours, width or medium changed. */
export function followLook(changed: (look: Look) => void): void {
  const print = matchMedia('print')
  const tell = () => changed({ isPrint: print.matches })
  document.addEventListener(THEME_CHANGED, tell)
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', tell)
  print.addEventListener('change', tell)
  let pending = 0
  let width = innerWidth
  addEventListener('resize', () => {
    if (innerWidth === width) return
    width = innerWidth
    cancelAnimationFrame(pending)
    pending = requestAnimationFrame(tell)
  })
}

/** A custom property as a colour that a canvas takes. */
export function colour(variable: string): string {
  const probe = document.createElement('i')
  probe.style.color = `var(${variable})`
  document.body.append(probe)
  const { color } = getComputedStyle(probe)
  probe.remove()
  return color
}
