// Snapshots and checkpoints over RPC.

import type { SnapshotCalls } from '../../driver.ts'
import { procedures as p } from '../protocol.ts'
import type { Rpc } from './rpc.ts'

export const snapshotCalls = (rpc: Rpc): SnapshotCalls => ({
  domainSnapshotCreateXML: (dom, xml, flags) => rpc.aside(p.domainSnapshotCreateXML, { dom, xml_desc: xml, flags }),
  domainSnapshotGetXMLDesc: (snap, flags) => rpc.call(p.domainSnapshotGetXMLDesc, { snap, flags }),
  domainListAllSnapshots: (dom, flags) => rpc.call(p.domainListAllSnapshots, { dom, need_results: true, flags }),
  domainSnapshotListAllChildren: (snapshot, flags) => rpc.call(p.domainSnapshotListAllChildren, { snapshot, need_results: true, flags }),
  domainSnapshotLookupByName: (dom, name) => rpc.call(p.domainSnapshotLookupByName, { dom, name, flags: 0 }),
  domainHasCurrentSnapshot: (dom) => rpc.call(p.domainHasCurrentSnapshot, { dom, flags: 0 }),
  domainSnapshotCurrent: (dom) => rpc.call(p.domainSnapshotCurrent, { dom, flags: 0 }),
  domainSnapshotGetParent: (snap) => rpc.call(p.domainSnapshotGetParent, { snap, flags: 0 }),
  domainSnapshotIsCurrent: (snap) => rpc.call(p.domainSnapshotIsCurrent, { snap, flags: 0 }),
  domainSnapshotHasMetadata: (snap) => rpc.call(p.domainSnapshotHasMetadata, { snap, flags: 0 }),
  domainRevertToSnapshot: (snap, flags) => rpc.aside(p.domainRevertToSnapshot, { snap, flags }),
  domainSnapshotDelete: (snap, flags) => rpc.aside(p.domainSnapshotDelete, { snap, flags }),

  domainCheckpointCreateXML: (dom, xml, flags) => rpc.aside(p.domainCheckpointCreateXML, { dom, xml_desc: xml, flags }),
  domainCheckpointGetXMLDesc: (checkpoint, flags) => rpc.call(p.domainCheckpointGetXMLDesc, { checkpoint, flags }),
  domainListAllCheckpoints: (dom, flags) => rpc.call(p.domainListAllCheckpoints, { dom, need_results: true, flags }),
  domainCheckpointListAllChildren: (checkpoint, flags) => rpc.call(p.domainCheckpointListAllChildren, { checkpoint, need_results: true, flags }),
  domainCheckpointLookupByName: (dom, name) => rpc.call(p.domainCheckpointLookupByName, { dom, name, flags: 0 }),
  domainCheckpointGetParent: (checkpoint) => rpc.call(p.domainCheckpointGetParent, { checkpoint, flags: 0 }),
  domainCheckpointDelete: (checkpoint, flags) => rpc.aside(p.domainCheckpointDelete, { checkpoint, flags }),
})
