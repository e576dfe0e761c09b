// Runs one program to its end and hands back what it printed: the one way scripts and tests start a short-lived program.
import { spawn } from 'node:child_process'

export interface RunResult {
  stdout: string
  stderr: string
  /** The exit code; 128 + the signal's number is not used: a program ended by a signal has code null → -1. */
  code: number
}

export interface RunOptions {
  input?: string
  cwd?: string
  env?: NodeJS.ProcessEnv
  /** Milliseconds after which the program is killed and the call rejects. */
  timeoutMs?: number
}

/** Runs `command` and resolves whatever its exit code; rejects only where it cannot be started or outlives its deadline. */
export function run(command: readonly string[], options: RunOptions = {}): Promise<RunResult> {
  const [file, ...args] = command
  if (file === undefined) throw new TypeError('run: an empty command')
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, { cwd: options.cwd, env: options.env, stdio: 'pipe' })
    const stdout: Buffer[] = []
    const stderr: Buffer[] = []
    const deadline = options.timeoutMs === undefined ? undefined : setTimeout(() => {
      child.kill('SIGKILL')
      reject(new Error(`${command.join(' ')} did not end within ${options.timeoutMs} ms`))
    }, options.timeoutMs)
    child.stdout.on('data', (chunk: Buffer) => stdout.push(chunk))
    child.stderr.on('data', (chunk: Buffer) => stderr.push(chunk))
    child.on('error', error => {
      clearTimeout(deadline)
      reject(new Error(`cannot run ${file}: ${error.message}`, { cause: error }))
    })
    child.on('close', code => {
      clearTimeout(deadline)
      resolve({ stdout: Buffer.concat(stdout).toString(), stderr: Buffer.concat(stderr).toString(), code: code ?? -1 })
    })
    // A program that does not read its input closes the pipe early; its exit code tells what matters.
    child.stdin.on('error', () => {})
    child.stdin.end(options.input ?? '')
  })
}

/** Runs `command` and throws, with what it printed, unless it ends with code 0. Answers its standard output. */
export async function runOk(command: readonly string[], options: RunOptions = {}): Promise<string> {
  const result = await run(command, options)
  if (result.code !== 0) {
    throw new Error(`${command.join(' ')} ended with code ${result.code}: ${result.stderr.trim() || result.stdout.trim()}`)
  }
  return result.stdout
}
