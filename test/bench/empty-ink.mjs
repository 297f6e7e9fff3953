// The least that an Ink app can do: a key changes one line. What the TUI's frames are measured against.
process.env.NODE_ENV ??= 'production'
const { createElement, useState } = await import('react')
const { render, Text, useApp, useInput } = await import('ink')

function App() {
  const [count, setCount] = useState(0)
  const { exit } = useApp()
  useInput((key) => (key === 'q' ? exit() : setCount((before) => before + 1)))
  return createElement(Text, null, `frame ${count}`)
}

render(createElement(App))
