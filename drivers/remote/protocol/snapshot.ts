// Snapshots and checkpoints.

import { Checkpoint, Domain, Snapshot, listed } from '../types.ts'
import { flag, nothing, string, struct } from '../xdr.ts'
import { changing, domainFlags, flags, reading, unhurried } from './procedure.ts'

const dom = Domain
const snap = struct({ snap: Snapshot, flags })
const checkpoint = struct({ checkpoint: Checkpoint, flags })
const made = struct({ dom, xml_desc: string, flags })
const named = struct({ dom, name: string, flags })
const ofDomain = struct({ dom, need_results: flag, flags })

export const snapshots = {
  domainSnapshotCreateXML: unhurried(changing(185, made, Snapshot)),
  domainSnapshotGetXMLDesc: reading(186, snap, string),
  domainSnapshotLookupByName: reading(189, named, Snapshot),
  domainHasCurrentSnapshot: reading(190, domainFlags, flag),
  domainSnapshotCurrent: reading(191, domainFlags, Snapshot),
  domainRevertToSnapshot: unhurried(changing(192, snap, nothing)),
  domainSnapshotDelete: unhurried(changing(193, snap, nothing)),
  domainSnapshotGetParent: reading(244, snap, Snapshot),
  domainSnapshotIsCurrent: reading(271, snap, flag),
  domainSnapshotHasMetadata: reading(272, snap, flag),
  domainListAllSnapshots: reading(274, ofDomain, listed(Snapshot)),
  domainSnapshotListAllChildren: reading(275, struct({ snapshot: Snapshot, need_results: flag, flags }), listed(Snapshot)),
  domainCheckpointCreateXML: unhurried(changing(411, made, Checkpoint)),
  domainCheckpointGetXMLDesc: reading(412, checkpoint, string),
  domainListAllCheckpoints: reading(413, ofDomain, listed(Checkpoint)),
  domainCheckpointListAllChildren: reading(414, struct({ checkpoint: Checkpoint, need_results: flag, flags }), listed(Checkpoint)),
  domainCheckpointLookupByName: reading(415, named, Checkpoint),
  domainCheckpointGetParent: reading(416, checkpoint, Checkpoint),
  domainCheckpointDelete: unhurried(changing(417, checkpoint, nothing)),
}
