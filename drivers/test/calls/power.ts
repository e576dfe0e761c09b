// Domains: creation, destruction, power, devices.

import type { DomainCalls } from '../../driver.ts'
import { attach, detach, detachAlias, update } from '../domain/hotplug.ts'
import type { Desk } from './desk.ts'

export const powerCalls = (desk: Desk) => ({
  domainDefineXMLFlags: (xml, flags) => desk.call('domainDefineXMLFlags', ({ domains }) => domains.define(xml, flags).ref),
  domainCreateXML: (xml, flags) => desk.call('domainCreateXML', ({ domains }) => domains.createXML(xml, flags).ref),
  domainCreateWithFlags: (dom, flags) => desk.domain('domainCreateWithFlags', dom, (domain, { domains }) => {
    domains.create(domain, flags)
    return domain.ref
  }),
  domainShutdownFlags: (dom, flags) => desk.domain('domainShutdownFlags', dom, (domain, { domains }) => domains.shutdown(domain, flags)),
  domainReboot: (dom, flags) => desk.domain('domainReboot', dom, (domain, { domains }) => domains.reboot(domain, flags)),
  domainReset: dom => desk.domain('domainReset', dom, (domain, { domains }) => domains.reset(domain)),
  domainDestroyFlags: (dom, flags) => desk.domain('domainDestroyFlags', dom, (domain, { domains }) => domains.destroy(domain, flags)),
  domainUndefineFlags: (dom, flags) => desk.domain('domainUndefineFlags', dom, (domain, { domains }) => domains.undefine(domain, flags)),
  domainManagedSaveRemove: dom => desk.domain('domainManagedSaveRemove', dom, (domain, { domains }) => domains.managedSaveRemove(domain)),
  domainSuspend: dom => desk.domain('domainSuspend', dom, (domain, { domains }) => domains.suspend(domain)),
  domainResume: dom => desk.domain('domainResume', dom, (domain, { domains }) => domains.resume(domain)),
  domainAttachDeviceFlags: (dom, xml, flags) => desk.domain('domainAttachDeviceFlags', dom, (domain, { guests }) => attach(guests, domain, xml, flags)),
  domainDetachDeviceFlags: (dom, xml, flags) => desk.domain('domainDetachDeviceFlags', dom, (domain, { guests }) => detach(guests, domain, xml, flags)),
  domainDetachDeviceAlias: (dom, alias, flags) => desk.domain('domainDetachDeviceAlias', dom, (domain, { guests }) => detachAlias(guests, domain, alias, flags)),
  domainUpdateDeviceFlags: (dom, xml, flags) => desk.domain('domainUpdateDeviceFlags', dom, (domain, { guests }) => update(guests, domain, xml, flags)),
  domainRename: (dom, name) => desk.domain('domainRename', dom, (domain, { domains }) => domains.rename(domain, name)),
  domainManagedSave: (dom, flags) => desk.domain('domainManagedSave', dom, (domain, { domains }) => domains.managedSave(domain, flags)),
  domainManagedSaveGetXMLDesc: (dom, flags) => desk.domain('domainManagedSaveGetXMLDesc', dom, (domain, { domains }) => domains.savedText(domain, flags)),
} satisfies Partial<DomainCalls>)
