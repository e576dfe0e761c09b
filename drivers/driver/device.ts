// The host's own devices and network interfaces.

export interface NodeDeviceRef { name: string }
export interface InterfaceRef { name: string; mac: string }

/** virConnectListAllNodeDeviceFlags. */
export const NodeDeviceFlags = {
  SYSTEM: 1, PCI_DEV: 2, USB_DEV: 4, USB_INTERFACE: 8, NET: 16, SCSI_HOST: 32, SCSI_TARGET: 64, SCSI: 128, STORAGE: 256, FC_HOST: 512, VPORTS: 1024, SCSI_GENERIC: 2048, DRM: 4096,
  MDEV_TYPES: 8192, MDEV: 16_384, CCW_DEV: 32_768, CSS_DEV: 65_536, VDPA: 131_072, AP_CARD: 262_144, AP_QUEUE: 524_288, AP_MATRIX: 1_048_576, VPD: 2_097_152,
  INACTIVE: 1 << 30, ACTIVE: 2 ** 31,
} as const
/** virConnectListAllInterfacesFlags. */
export const ListInterfacesFlags = { INACTIVE: 1, ACTIVE: 2 } as const

/** Absence is NO_NODE_DEVICE. */
export interface NodeDeviceCalls {
  /** Flags of `NodeDeviceFlags`; default all. */
  connectListAllNodeDevices(flags?: number): Promise<NodeDeviceRef[]>
  nodeDeviceLookupByName(name: string): Promise<NodeDeviceRef>
  nodeDeviceLookupSCSIHostByWWN(wwnn: string, wwpn: string): Promise<NodeDeviceRef>
  nodeDeviceGetXMLDesc(dev: NodeDeviceRef): Promise<string>
  /** Null for the root. */
  nodeDeviceGetParent(dev: NodeDeviceRef): Promise<string | null>
  nodeDeviceListCaps(dev: NodeDeviceRef): Promise<string[]>
  /** Takes the device from the host's driver, for passthrough; `driverName` null is the hypervisor's usual one. */
  nodeDeviceDetachFlags(dev: NodeDeviceRef, driverName: string | null): Promise<void>
  nodeDeviceReAttach(dev: NodeDeviceRef): Promise<void>
  nodeDeviceReset(dev: NodeDeviceRef): Promise<void>
  /** Makes a virtual device (NPIV host, mediated device) until the next boot. */
  nodeDeviceCreateXML(xml: string, flags: number): Promise<NodeDeviceRef>
  nodeDeviceDestroy(dev: NodeDeviceRef): Promise<void>
  nodeDeviceDefineXML(xml: string, flags: number): Promise<NodeDeviceRef>
  /** Changes a mediated device; flags of `Affect`. Unsupported before libvirt 10.1. */
  nodeDeviceUpdate(dev: NodeDeviceRef, xml: string, flags: number): Promise<void>
  nodeDeviceCreate(dev: NodeDeviceRef): Promise<void>
  nodeDeviceUndefine(dev: NodeDeviceRef): Promise<void>
  nodeDeviceGetAutostart(dev: NodeDeviceRef): Promise<boolean>
  nodeDeviceSetAutostart(dev: NodeDeviceRef, autostart: boolean): Promise<void>
  nodeDeviceIsPersistent(dev: NodeDeviceRef): Promise<boolean>
  nodeDeviceIsActive(dev: NodeDeviceRef): Promise<boolean>
}

/** Absence is NO_INTERFACE. */
export interface InterfaceCalls {
  /** Flags of `ListInterfacesFlags`; default all. */
  connectListAllInterfaces(flags?: number): Promise<InterfaceRef[]>
  interfaceLookupByName(name: string): Promise<InterfaceRef>
  /** MULTIPLE_INTERFACES where several have the address. */
  interfaceLookupByMACString(mac: string): Promise<InterfaceRef>
  /** Flag 1: as configured for the next boot. */
  interfaceGetXMLDesc(iface: InterfaceRef, flags: number): Promise<string>
  interfaceIsActive(iface: InterfaceRef): Promise<boolean>
  interfaceDefineXML(xml: string, flags: number): Promise<InterfaceRef>
  interfaceUndefine(iface: InterfaceRef): Promise<void>
  interfaceCreate(iface: InterfaceRef): Promise<void>
  interfaceDestroy(iface: InterfaceRef): Promise<void>
  /** Begins a change of the host's network that a rollback (or a reboot) takes back. */
  interfaceChangeBegin(): Promise<void>
  interfaceChangeCommit(): Promise<void>
  interfaceChangeRollback(): Promise<void>
}
