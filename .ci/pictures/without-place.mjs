/** `text` without the folder that a core was in: it says nothing, and is another one every time. */
export function withoutPlace(text) {
  return text.replace(/(\/[\w.-]+)+\/(?=core\b)/g, '')
}
