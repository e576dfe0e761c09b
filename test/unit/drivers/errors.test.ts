// What a refusal means for what is done next.
import { expect, test } from 'vitest'
import { ErrorNumber, LibvirtError, isUnsupported } from '../../../drivers/errors.ts'

test.each<[string, number, string, boolean]>([
  ['a missing function', ErrorNumber.NO_SUPPORT, 'this function is not supported by the connection driver: virDomainReset', true],
  ['an operation that the hypervisor lacks', ErrorNumber.OPERATION_UNSUPPORTED, 'Operation not supported: Unable to modify live devices', true],
  ['an argument that the driver does not know', ErrorNumber.ARGUMENT_UNSUPPORTED, 'argument unsupported: Unknown IP address data source 0', true],
  ['a flag that the driver does not know', ErrorNumber.INVALID_ARG, 'unsupported flags (0x1) in function esxDomainCreateWithFlags', true],
  ['the same in OpenVZ\'s words', ErrorNumber.INVALID_ARG, 'invalid argument: unsupported flags (0x2)', true],
  ['an argument that is wrong', ErrorNumber.INVALID_ARG, 'invalid argument: no such disk', false],
  ['a refusal for now', ErrorNumber.OPERATION_INVALID, 'Requested operation is not valid: domain is not running', false],
])('%s', (_what, code, message, unsupported) => {
  expect(isUnsupported(new LibvirtError({ code, domain: 10, level: 2, message, procedure: 'any' }))).toBe(unsupported)
})
