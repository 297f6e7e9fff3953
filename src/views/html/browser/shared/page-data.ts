// What a page's script draws, as `htmlPage` put it there.

/** The JSON of the page; `T` is the shape that the same module of `views/html` gave to `htmlPage`. */
export function pageData<T>(): T {
  return JSON.parse(document.getElementById('data')?.textContent ?? 'null') as T
}
