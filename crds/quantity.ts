// Kubernetes quantities of bytes, read as the API server reads them and written in one canonical form.

const binary: Record<string, bigint> = { Ki: 1n << 10n, Mi: 1n << 20n, Gi: 1n << 30n, Ti: 1n << 40n, Pi: 1n << 50n, Ei: 1n << 60n }
/** Powers of ten. */
const decimal: Record<string, number> = { n: -9, u: -6, m: -3, '': 0, k: 3, M: 6, G: 9, T: 12, P: 15, E: 18 }
const shape = /^([+-]?)([0-9]*)(?:\.([0-9]*))?(Ki|Mi|Gi|Ti|Pi|Ei|[numkMGTPE]|[eE][+-]?[0-9]{1,3})?$/

/**
 * Bytes of a quantity: a number of bytes, or digits with a unit (`1Gi`, `1.5G`, `2e9`). Fractions of a byte round away
 * from zero, as in apimachinery. Throws TypeError when it is no quantity, RangeError above 2^53 - 1 bytes.
 */
export function parseQuantity(quantity: string | number): number {
  const match = shape.exec(String(quantity))
  const [, sign, whole = '', fraction = '', suffix = ''] = match ?? []
  if (!match || whole + fraction === '') {
    throw new TypeError(`${quantity} is not a quantity: write a number of bytes, or one with a unit such as 512Mi or 2Gi`)
  }
  let numerator = BigInt(whole + fraction)
  let denominator = 10n ** BigInt(fraction.length)
  const unit = binary[suffix]
  if (unit !== undefined) numerator *= unit
  else {
    const power = decimal[suffix] ?? Number(suffix.slice(1))
    if (power >= 0) numerator *= 10n ** BigInt(power)
    else denominator *= 10n ** BigInt(-power)
  }
  const bytes = (numerator + denominator - 1n) / denominator
  if (bytes > BigInt(Number.MAX_SAFE_INTEGER)) throw new RangeError(`${quantity} is more than vireo can count: at most 8Pi less one byte`)
  return sign === '-' && bytes > 0n ? -Number(bytes) : Number(bytes)
}

const units = Object.entries(binary).map(([name, size]) => [name, Number(size)] as const).filter(([, size]) => Number.isSafeInteger(size)).toReversed()

/** A whole number of bytes in the largest binary unit that holds it exactly: 1073741824 is `1Gi`, 1073741825 itself. */
export function formatBytes(bytes: number): string {
  if (!Number.isSafeInteger(bytes)) throw new RangeError(`${bytes} is not a whole number of bytes`)
  if (bytes === 0) return '0'
  const unit = units.find(([, size]) => bytes % size === 0)
  return unit ? `${bytes / unit[1]}${unit[0]}` : String(bytes)
}
