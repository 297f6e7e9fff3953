// Groups of buttons of which one is pressed.

/** `choose` is told the `data-NAME` of a button of `within` when it is pressed. */
export function offerChoice(within: string, name: string, choose: (value: string) => void): void {
  const buttons = [...document.querySelectorAll<HTMLButtonElement>(`${within} button[data-${name}]`)]
  for (const button of buttons) {
    button.addEventListener('click', () => {
      for (const other of buttons) other.setAttribute('aria-pressed', String(other === button))
      choose(button.dataset[name.replace(/-(.)/g, (_, letter: string) => letter.toUpperCase())]!)
    })
  }
}
