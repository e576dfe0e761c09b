// Network filters and what they are bound to.

export interface NWFilterRef { name: string; uuid: string }
export interface NWFilterBindingRef { /** The host's interface, as `vnet0`. */ portdev: string; filtername: string }

/** Absence is NO_NWFILTER, of a binding NO_NWFILTER_BINDING. */
export interface NWFilterCalls {
  connectListAllNWFilters(): Promise<NWFilterRef[]>
  nwfilterLookupByName(name: string): Promise<NWFilterRef>
  nwfilterLookupByUUID(uuid: string): Promise<NWFilterRef>
  nwfilterGetXMLDesc(nwfilter: NWFilterRef): Promise<string>
  /** Replaces the filter of that name, on running guests too. */
  nwfilterDefineXML(xml: string): Promise<NWFilterRef>
  nwfilterDefineXMLFlags(xml: string, flags: number): Promise<NWFilterRef>
  /** OPERATION_INVALID while something refers to it. */
  nwfilterUndefine(nwfilter: NWFilterRef): Promise<void>

  connectListAllNWFilterBindings(): Promise<NWFilterBindingRef[]>
  nwfilterBindingLookupByPortDev(portdev: string): Promise<NWFilterBindingRef>
  nwfilterBindingGetXMLDesc(binding: NWFilterBindingRef): Promise<string>
  nwfilterBindingCreateXML(xml: string, flags: number): Promise<NWFilterBindingRef>
  nwfilterBindingDelete(binding: NWFilterBindingRef): Promise<void>
}
