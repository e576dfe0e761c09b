// Kubernetes quantities of any size and precision, as rules compare and add them (apimachinery resource.Quantity).

const binary: Record<string, bigint> = { Ki: 1n << 10n, Mi: 1n << 20n, Gi: 1n << 30n, Ti: 1n << 40n, Pi: 1n << 50n, Ei: 1n << 60n }
/** Powers of ten. */
const decimal: Record<string, number> = { n: -9, u: -6, m: -3, '': 0, k: 3, M: 6, G: 9, T: 12, P: 15, E: 18 }
const shape = /^([+-]?)([0-9]*)(?:[.]([0-9]*))?(Ki|Mi|Gi|Ti|Pi|Ei|[numkMGTPE]|[eE][+-]?[0-9]{1,3})?$/
/** Quantities count billionths; a smaller part rounds up. */
const nano = 10n ** 9n
const int64 = { min: -(2n ** 63n), max: 2n ** 63n - 1n }

/** A quantity in billionths. Immutable. */
export class Quantity {
  readonly nanos: bigint

  constructor(nanos: bigint) {
    this.nanos = nanos
  }

  /** Undefined where the text is no quantity. */
  static parse(text: string): Quantity | undefined {
    const [all, sign, whole = '', fraction = '', suffix = ''] = shape.exec(text) ?? []
    if (all === undefined || whole + fraction === '') return undefined
    let numerator = BigInt(whole + fraction) * nano
    let denominator = 10n ** BigInt(fraction.length)
    const unit = binary[suffix]
    if (unit !== undefined) numerator *= unit
    else {
      const power = decimal[suffix] ?? Number(suffix.slice(1))
      if (power >= 0) numerator *= 10n ** BigInt(power)
      else denominator *= 10n ** BigInt(-power)
    }
    const nanos = (numerator + denominator - 1n) / denominator
    return new Quantity(sign === '-' ? -nanos : nanos)
  }

  static of(integer: bigint): Quantity { return new Quantity(integer * nano) }

  compareTo(other: Quantity): bigint { return this.nanos === other.nanos ? 0n : this.nanos < other.nanos ? -1n : 1n }
  add(other: Quantity): Quantity { return new Quantity(this.nanos + other.nanos) }
  sub(other: Quantity): Quantity { return new Quantity(this.nanos - other.nanos) }
  get sign(): bigint { return this.nanos === 0n ? 0n : this.nanos < 0n ? -1n : 1n }
  get approximately(): number { return Number(this.nanos) / 1e9 }

  /** Undefined where it is no whole number of 64 bits. */
  get integer(): bigint | undefined {
    const whole = this.nanos / nano
    return whole * nano === this.nanos && whole >= int64.min && whole <= int64.max ? whole : undefined
  }
}
