/**
 * Places boxes in layers from top to bottom: longest paths give the layers, barycentres the order in them, and least
 * squares the columns. Linear in boxes and lines but for sorting; libraries took seconds for a transformer (ADR 11).
 */

export interface Box {
  readonly width: number
  readonly height: number
}

export interface Point {
  readonly x: number
  readonly y: number
}

export interface Layout {
  /** Upper left corner of each box. */
  readonly places: ReadonlyArray<Point>
  /** Where each line bends, in the order of `lines`. */
  readonly bends: ReadonlyArray<ReadonlyArray<Point>>
  readonly width: number
  readonly height: number
}

const layerGap = 34
const boxGap = 36
/** Lanes that long lines take between the boxes. A picture with more is unreadable anyway, and its lines go straight. */
const maxLanes = 5000
const sweeps = 6

/** A box, or a place in a layer that a long line passes through. */
interface Cell {
  readonly width: number
  readonly layer: number
  readonly above: Array<Cell>
  readonly below: Array<Cell>
  /** Rank in its layer. */
  order: number
  /** Horizontal middle. */
  x: number
  /** How much its wish for a place counts: long lines become straight. */
  readonly weight: number
}

/** Lines go from the index of one box to that of another. Those that lead backwards are drawn, but place nothing. */
export const layoutGraph = (
  boxes: ReadonlyArray<Box>,
  lines: ReadonlyArray<readonly [from: number, to: number]>,
): Layout => {
  const layers = layersOf(boxes.length, lines)
  const cells = boxes.map(({ width }, index) => cellAt(layers[index] ?? 0, width, 1))
  const routes = connect(cells, lines)
  const rows = rowsOf(cells, routes.lanes)
  for (let sweep = 0; sweep < sweeps; sweep++) orderRows(rows, sweep % 2 === 0)
  placeColumns(rows)

  const tops = topsOf(boxes, layers, rows.length)
  const left = Math.min(0, ...cells.map(({ x, width }) => x - width / 2))
  const middle = (layer: number) => Math.round(((tops[layer] ?? 0) + (tops[layer + 1] ?? 0) - layerGap) / 2)
  return {
    places: cells.map(({ x, width, layer }) => ({
      x: Math.round(x - width / 2 - left),
      y: tops[layer] ?? 0,
    })),
    bends: routes.paths.map((path) =>
      corners(path.map(({ x, layer }) => ({ x: Math.round(x - left), y: middle(layer) }))),
    ),
    width: Math.round(Math.max(0, ...cells.map(({ x, width }) => x + width / 2 - left))),
    height: Math.max(0, (tops[rows.length] ?? 0) - layerGap),
  }
}

/** Without the points in the middle of a vertical stretch. */
const corners = (points: ReadonlyArray<Point>): ReadonlyArray<Point> =>
  points.filter(({ x }, index) => points[index - 1]?.x !== x || points[index + 1]?.x !== x)

const cellAt = (layer: number, width: number, weight: number): Cell => ({
  width,
  layer,
  above: [],
  below: [],
  order: 0,
  x: 0,
  weight,
})

/** One below the lowest box that leads to it; boxes that nothing leads to come right above what they lead to. */
const layersOf = (count: number, lines: ReadonlyArray<readonly [number, number]>): Array<number> => {
  const layers = new Array<number>(count).fill(0)
  const isLed = new Array<boolean>(count).fill(false)
  const sorted = lines.filter(([from, to]) => from < to).sort(([left], [right]) => left - right)
  // By the time a box's own lines come, all that lead to it have been seen.
  for (const [from, to] of sorted) {
    layers[to] = Math.max(layers[to] ?? 0, (layers[from] ?? 0) + 1)
    isLed[to] = true
  }
  const first = new Map<number, number>()
  for (const [from, to] of sorted) {
    if (isLed[from]) continue
    first.set(from, Math.min(first.get(from) ?? Number.POSITIVE_INFINITY, layers[to] ?? 0))
  }
  for (const [from, layer] of first) layers[from] = Math.max(0, layer - 1)
  return layers
}

/** Lanes for lines that pass layers; all lines from one box share its lane, layer after layer. */
const connect = (cells: ReadonlyArray<Cell>, lines: ReadonlyArray<readonly [number, number]>) => {
  const lanes: Array<Cell> = []
  const laneOf = new Map<number, Array<Cell>>()
  const paths = lines.map(([from, to]): ReadonlyArray<Cell> => {
    const [source, target] = [cells[from], cells[to]]
    if (source === undefined || target === undefined || source.layer >= target.layer) return []
    const lane = laneOf.get(from) ?? []
    laneOf.set(from, lane)
    const length = target.layer - source.layer - 1
    if (lanes.length + Math.max(0, length - lane.length) > maxLanes) return []
    while (lane.length < length) {
      const cell = cellAt(source.layer + lane.length + 1, 0, 4)
      link(lane.at(-1) ?? source, cell)
      lane.push(cell)
      lanes.push(cell)
    }
    const path = lane.slice(0, length)
    link(path.at(-1) ?? source, target)
    return path
  })
  return { lanes, paths }
}

const link = (above: Cell, below: Cell): void => {
  above.below.push(below)
  below.above.push(above)
}

const rowsOf = (cells: ReadonlyArray<Cell>, lanes: ReadonlyArray<Cell>): Array<Array<Cell>> => {
  const rows: Array<Array<Cell>> = []
  for (const cell of [...cells, ...lanes]) {
    while (rows.length <= cell.layer) rows.push([])
    const row = rows[cell.layer] ?? []
    cell.order = row.length
    row.push(cell)
  }
  return rows
}

const mean = (cells: ReadonlyArray<Cell>, of: (cell: Cell) => number): number | undefined =>
  cells.length === 0 ? undefined : cells.reduce((total, cell) => total + of(cell), 0) / cells.length

const orderRows = (rows: ReadonlyArray<Array<Cell>>, downwards: boolean): void => {
  for (const row of downwards ? rows : rows.toReversed()) {
    const wish = new Map(
      row.map((cell) => [
        cell,
        mean(downwards ? cell.above : cell.below, ({ order }) => order) ?? cell.order,
      ]),
    )
    row.sort((left, right) => (wish.get(left) ?? 0) - (wish.get(right) ?? 0) || left.order - right.order)
    for (const [order, cell] of row.entries()) cell.order = order
  }
}

const placeColumns = (rows: ReadonlyArray<ReadonlyArray<Cell>>): void => {
  for (const row of rows) placeRow(row, () => undefined)
  for (let sweep = 0; sweep < sweeps; sweep++) {
    const downwards = sweep % 2 === 0
    for (const row of downwards ? rows : rows.toReversed()) {
      placeRow(row, (cell) => mean(downwards ? cell.above : cell.below, ({ x }) => x))
    }
  }
}

/** The places closest to the wishes, by least squares, that keep the order and the gaps: isotonic regression by pooling. */
const placeRow = (row: ReadonlyArray<Cell>, wish: (cell: Cell) => number | undefined): void => {
  const pools: Array<{ total: number; weight: number; cells: number }> = []
  const shifts: Array<number> = []
  let shift = 0
  for (const [index, cell] of row.entries()) {
    const previous = row[index - 1]
    if (previous !== undefined) shift += (previous.width + cell.width) / 2 + boxGap
    shifts.push(shift)
    const wished = (wish(cell) ?? cell.x) - shift
    let pool = { total: wished * cell.weight, weight: cell.weight, cells: 1 }
    for (let last = pools.at(-1); last !== undefined; last = pools.at(-1)) {
      if (last.total / last.weight <= pool.total / pool.weight) break
      pools.pop()
      pool = {
        total: last.total + pool.total,
        weight: last.weight + pool.weight,
        cells: last.cells + pool.cells,
      }
    }
    pools.push(pool)
  }
  let at = 0
  for (const { total, weight, cells } of pools) {
    for (let n = 0; n < cells; n++, at++) {
      const cell = row[at]
      if (cell !== undefined) cell.x = total / weight + (shifts[at] ?? 0)
    }
  }
}

/** Where each layer begins, and where one after the last would. */
const topsOf = (boxes: ReadonlyArray<Box>, layers: ReadonlyArray<number>, rows: number): Array<number> => {
  const heights = new Array<number>(rows).fill(0)
  for (const [index, { height }] of boxes.entries()) {
    const layer = layers[index] ?? 0
    heights[layer] = Math.max(heights[layer] ?? 0, height)
  }
  const tops = [0]
  for (const height of heights) tops.push((tops.at(-1) ?? 0) + height + layerGap)
  return tops
}
