// URLs as rules take them apart (Kubernetes' CEL library url, after Go's net/url ParseRequestURI).

const shape = /^(?:([a-zA-Z][a-zA-Z0-9+.-]*):)?(?:\/\/(?:([^/?@]*)@)?([^/?]*))?(\/[^?]*)?(?:\?(.*))?$/s
const host = /^(?:\[([0-9a-fA-F:.]+(?:%25[^\]]*)?)\]|([^:[\]]*))(?::(\d*))?$/

const decoded = (text: string): string => {
  const spaced = text.replaceAll('+', ' ')
  try {
    return decodeURIComponent(spaced)
  } catch {
    return spaced
  }
}

/** A URL: absolute, or an absolute path. Immutable. */
export class Url {
  readonly scheme: string
  readonly host: string
  readonly hostname: string
  readonly port: string
  readonly path: string
  readonly query: string

  private constructor(parts: { scheme: string; host: string; hostname: string; port: string; path: string; query: string }) {
    this.scheme = parts.scheme
    this.host = parts.host
    this.hostname = parts.hostname
    this.port = parts.port
    this.path = parts.path
    this.query = parts.query
  }

  /** Undefined where it is no URL; a fragment counts as part of what stands before it. */
  static parse(text: string): Url | undefined {
    // eslint-disable-next-line no-control-regex
    if (text === '' || /[\x00-\x1f\x7f]/.test(text) || /%(?![0-9a-fA-F]{2})/.test(text.split('?')[0]!)) return undefined
    const match = shape.exec(text)
    const [, scheme = '', , authority = '', path = '', query = ''] = match ?? []
    if (!match || (scheme === '' && path === '')) return opaque(text)
    const parts = host.exec(authority)
    if (!parts || /[ <>"\\^`{|}]/.test(authority)) return undefined
    return new Url({ scheme: scheme.toLowerCase(), host: authority, hostname: parts[1] ?? parts[2] ?? '', port: parts[3] ?? '', path: escaped(path), query })
  }

  static opaque(scheme: string): Url {
    return new Url({ scheme: scheme.toLowerCase(), host: '', hostname: '', port: '', path: '', query: '' })
  }

  /** The values of each name, unescaped. */
  get queries(): Record<string, string[]> {
    const found: Record<string, string[]> = {}
    for (const pair of this.query.split('&').filter(Boolean)) {
      const [name, ...value] = pair.split('=')
      ;(found[decoded(name!)] ??= []).push(decoded(value.join('=')))
    }
    return found
  }

  equals(other: Url): boolean {
    return this.scheme === other.scheme && this.host === other.host && this.path === other.path && this.query === other.query
  }
}

/** `mailto:x`: a scheme and what nobody takes apart. */
function opaque(text: string): Url | undefined {
  const match = /^([a-zA-Z][a-zA-Z0-9+.-]*):[^/]/.exec(text)
  return match ? Url.opaque(match[1]!) : undefined
}

const escaped = (path: string): string => path.replaceAll(/[^A-Za-z0-9\-_.~$&+,/:;=@!'()*%[\]]/gu, char => encodeURIComponent(char))
