/** "Did you mean": the nearest of the names that exist, where one is near enough to be meant. */

/**
 * A sentence, led by a space, that names the known name nearest to a mistyped one; empty if none is
 * near. Also finds a name that only lacks its unit: `delay` for `delay_seconds`.
 */
export function didYouMean(typed: string, known: readonly string[]): string {
  const found = nearest(typed, known)
  return found === undefined ? '' : ` Did you mean ${found}?`
}

/** The known name that a mistyped one most probably stands for. */
export function nearest(typed: string, known: readonly string[]): string | undefined {
  const word = bare(typed)
  if (word === '') return undefined
  const ranked = known
    .map((name) => ({ name, far: distance(word, bare(name)) }))
    .sort((a, b) => a.far - b.far)
  const best = ranked[0]
  if (best !== undefined && best.far <= Math.floor((word.length + 1) / 3)) return best.name
  return known.find((name) => {
    const other = bare(name)
    return other.startsWith(word) || (other !== '' && word.startsWith(other))
  })
}

/** Case and separators are no difference that people mean. */
function bare(name: string): string {
  return name
    .toLowerCase()
    .replace(/[-_. ]/g, '')
    .slice(0, 64)
}

/** Edits that turn one word into the other, a swap of two neighbours being one of them. */
function distance(a: string, b: string): number {
  let before: number[] = []
  let above = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1]
      let best = Math.min(
        (above[j] ?? 0) + 1,
        (row[j - 1] ?? 0) + 1,
        (above[j - 1] ?? 0) + (same ? 0 : 1),
      )
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        best = Math.min(best, (before[j - 2] ?? 0) + 1)
      }
      row.push(best)
    }
    before = above
    above = row
  }
  return above[b.length] ?? 0
}
