/** How far a push is, for people at a terminal: one line of standard error that is written over and over. */
import { Clock, Effect, Stdio, Stream } from "effect"

/** `840 MB`, with three digits. */
export const formatBytes = (bytes: number): string => {
  const units = ["bytes", "kB", "MB", "GB", "TB"]
  let [value, unit] = [bytes, 0]
  for (; value >= 999.5 && unit < units.length - 1; unit++) value /= 1000
  const digits = unit === 0 || value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2
  return `${value.toFixed(digits)} ${units[unit]}`
}

/** `0:07`, `12:30`, `1:02:03`. */
const formatTime = (seconds: number): string => {
  const whole = Math.ceil(seconds)
  const two = (value: number) => String(value).padStart(2, "0")
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60]
  return hours === 0 ? `${minutes}:${two(whole % 60)}` : `${hours}:${two(minutes)}:${two(whole % 60)}`
}

export interface Moment {
  readonly name: string
  readonly phase: "reading" | "sending"
  /** Bytes, of `size`. */
  readonly position: number
  readonly size: number
  /** Undefined before there is one. */
  readonly bytesPerSecond: number | undefined
}

export const progressLine = ({ name, phase, position, size, bytesPerSecond }: Moment): string => {
  const who = name.length > 40 ? `${name.slice(0, 39)}…` : name
  if (phase === "sending" && position === size) return `${who}: sent, the server tries it`
  const share = `${Math.floor((position / Math.max(1, size)) * 100)} % of ${formatBytes(size)}`
  if (phase === "reading") return `${who}: reading, ${share}`
  if (bytesPerSecond === undefined || bytesPerSecond < 1) return `${who}: ${share}`
  const left = formatTime((size - position) / bytesPerSecond)
  return `${who}: ${share}, ${formatBytes(bytesPerSecond)}/s, ${left} left`
}

export interface Progress {
  /** So much of the file was read for its digest. */
  readonly read: (bytes: number) => void
  /** So much of the file the server has. */
  readonly reached: (offset: number) => void
  /** So many bytes more were handed to the connection. */
  readonly sent: (bytes: number) => void
  /** A line that stays, at a terminal or not. */
  readonly tell: (text: string) => Effect.Effect<void>
}

const interval = "250 millis"
const clearLine = "\r\u001b[K"

/** Draws for as long as the scope is open, when standard error is a terminal. */
export const makeProgress = Effect.fnUntraced(function* (name: string, size: number) {
  const stdio = yield* Stdio.Stdio
  const clock = yield* Clock.Clock
  const isTerminal = yield* stdio.stderrIsTerminal
  let phase: Moment["phase"] = "reading"
  let position = 0
  /** Where and when the sending that goes on began. */
  let began = { position: 0, at: 0 }

  const write = (text: string) => Effect.ignore(Stream.run(Stream.make(text), stdio.stderr()))

  const draw = Effect.suspend(() => {
    const seconds = (clock.currentTimeMillisUnsafe() - began.at) / 1000
    const bytesPerSecond =
      phase === "sending" && seconds >= 1 ? (position - began.position) / seconds : undefined
    return write(clearLine + progressLine({ name, phase, position, size, bytesPerSecond }))
  })

  if (isTerminal) {
    yield* Effect.addFinalizer(() => write(clearLine))
    yield* Effect.forkScoped(Effect.forever(Effect.andThen(draw, Effect.sleep(interval))))
  }

  return {
    read: (bytes) => {
      position = bytes
    },
    reached: (offset) => {
      // The first time, and after an interruption: what was not kept is sent again.
      if (phase === "reading" || offset < position)
        began = { position: offset, at: clock.currentTimeMillisUnsafe() }
      phase = "sending"
      position = offset
    },
    sent: (bytes) => {
      position += bytes
    },
    tell: (text) => write(`${isTerminal ? clearLine : ""}modelforge: ${text}\n`),
  } satisfies Progress as Progress
})
