// The box beside the pointer that says what is under it.

const tip = document.getElementById('tip')!
const GAP = 14

/** Shows lines near the pointer. */
export function showTip(event: MouseEvent, text: string): void {
  tip.textContent = text
  tip.hidden = false
  const { width, height } = tip.getBoundingClientRect()
  const x = event.clientX + GAP + width > innerWidth ? event.clientX - GAP - width : event.clientX + GAP
  const y = event.clientY + GAP + height > innerHeight ? event.clientY - GAP - height : event.clientY + GAP
  tip.style.transform = `translate(${Math.max(0, x)}px, ${Math.max(0, y)}px)`
}

export function hideTip(): void {
  tip.hidden = true
}
