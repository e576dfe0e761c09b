// The drivers of libvirt beside QEMU, Test and Xen: containers, and those that libvirt reaches through a gateway or by a stand-in of their programs.

import { randomUUID } from 'node:crypto'
import type { DomainRef } from '../../../drivers/driver.ts'
import { createRegistry } from '../../../drivers/registry.ts'
import { EsxServer, type EsxKind, machineXML as esxMachine } from '../../support/hosts/esx.ts'
import { containerRoot, containerXML, lxc, startContainer } from '../../support/hosts/lxc.ts'
import { containerXML as openvzContainer, openvz } from '../../support/hosts/openvz.ts'
import { machineXML as vmwareMachine, vmware, vmwareDisk } from '../../support/hosts/vmware.ts'
import { startLibvirtd } from '../../support/libvirtd.ts'
import { settings } from '../traits.ts'
import { type SurveyStage, survey } from './survey.ts'

const open = async (uri: string, options = {}): Promise<SurveyStage['connection']> => await createRegistry({}, { allowLocal: true }).open(uri, { ...settings, ...options })

/** Names guests in a row. */
function counted(document: (name: string) => string | Promise<string>): () => Promise<string> {
  let count = 0
  return async () => await document(`guest${++count}`)
}

survey({
  title: 'LXC',
  start: async () => {
    const host = await startLibvirtd({ name: 'survey-lxc', extensions: [lxc] })
    const connection = await open(host.uri('lxc:///system'))
    const start = async (dom: DomainRef): Promise<DomainRef> => {
      await startContainer(host, connection, dom)
      return dom
    }
    return { connection, start, another: counted(async name => containerXML(name, await containerRoot(host, name), { uuid: randomUUID() })), [Symbol.asyncDispose]: async () => { await connection.close(); await host.stop() } }
  },
})

for (const [kind, title] of [['esx', 'ESX'], ['vpx', 'vCenter']] as [EsxKind, string][]) {
  survey({
    title,
    start: async () => {
      const server = new EsxServer(kind)
      const gateway = await startLibvirtd({ name: `survey-${kind}`, extensions: [server.extension] })
      const connection = await open(server.uri(gateway.socket))
      return { connection, another: counted(async name => esxMachine(name, randomUUID(), await server.disk(name))), [Symbol.asyncDispose]: async () => { await connection.close(); await gateway.stop() } }
    },
  })
}

survey({
  title: 'VMware Workstation',
  start: async () => {
    const host = await startLibvirtd({ name: 'survey-vmware', extensions: [vmware] })
    const connection = await open(host.uri('vmwarews:///session'))
    return { connection, another: counted(async name => vmwareMachine(name, randomUUID(), await vmwareDisk(host, name))), [Symbol.asyncDispose]: async () => { await connection.close(); await host.stop() } }
  },
})

survey({
  title: 'OpenVZ',
  start: async () => {
    const host = await startLibvirtd({ name: 'survey-openvz', extensions: [openvz] })
    const connection = await open(host.uri('openvz:///system'))
    let number = 100
    return { connection, another: () => Promise.resolve(openvzContainer(++number, randomUUID())), [Symbol.asyncDispose]: async () => { await connection.close(); await host.stop() } }
  },
})
