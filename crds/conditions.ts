// Condition types and the closed list of reasons: what `status.conditions` may say.

/** Ready, Synced and Connected are always present; the others only while True. */
export const ConditionType = {
  /** The observed generation is in force as far as possible without a restart, and the state is the wished one. */
  Ready: 'Ready',
  /** What the host holds, staged changes included, equals the spec. */
  Synced: 'Synced',
  /** Hypervisor: the connection is open and authenticated; the reason is the connection's state. */
  Connected: 'Connected',
  /** VirtualDomain: the guest agent answers. */
  AgentConnected: 'AgentConnected',
  RestartRequired: 'RestartRequired',
  DriftDetected: 'DriftDetected',
  DeletionBlocked: 'DeletionBlocked',
  /** kstatus: in progress. */
  Reconciling: 'Reconciling',
  /** kstatus: failed; nothing will change until somebody changes something. */
  Stalled: 'Stalled',
} as const
export type ConditionType = (typeof ConditionType)[keyof typeof ConditionType]

/** Ready=True. */
export const ReadyReason = { Available: 'Available', Stopped: 'Stopped', Paused: 'Paused', Observed: 'Observed' } as const
export type ReadyReason = (typeof ReadyReason)[keyof typeof ReadyReason]

/** Ready=False beside Reconciling=True. */
export const ReconcilingReason = {
  WaitingForReference: 'WaitingForReference',
  WaitingForHypervisor: 'WaitingForHypervisor',
  Creating: 'Creating',
  Starting: 'Starting',
  Stopping: 'Stopping',
  Updating: 'Updating',
  Transferring: 'Transferring',
  Deleting: 'Deleting',
} as const
export type ReconcilingReason = (typeof ReconcilingReason)[keyof typeof ReconcilingReason]

/** Ready=False beside Stalled=True. */
export const StalledReason = {
  /** A volume, pool or domain that was there and is not. */
  Lost: 'Lost',
  CrashLoop: 'CrashLoop',
  Invalid: 'Invalid',
  Conflict: 'Conflict',
  Forbidden: 'Forbidden',
  QuotaExceeded: 'QuotaExceeded',
  Unsupported: 'Unsupported',
  HostChanged: 'HostChanged',
  /** Checksum, 404, truncated, too large. */
  SourceFailed: 'SourceFailed',
  /** ObserveOnly: the host has no such object. */
  NotFound: 'NotFound',
  /** libvirt's own message; Reconciling until the third same answer. */
  HostError: 'HostError',
} as const
export type StalledReason = (typeof StalledReason)[keyof typeof StalledReason]

/** Ready=Unknown. */
export const UnknownReason = { HypervisorUnreachable: 'HypervisorUnreachable' } as const
export type UnknownReason = (typeof UnknownReason)[keyof typeof UnknownReason]

/** Synced only, beside those of Ready. */
export const SyncedReason = { Drifted: 'Drifted', ReconcilePaused: 'ReconcilePaused' } as const
export type SyncedReason = (typeof SyncedReason)[keyof typeof SyncedReason]

/** Connected: the states of the connection. */
export const ConnectedReason = {
  Connecting: 'Connecting',
  Authenticating: 'Authenticating',
  Opening: 'Opening',
  Open: 'Open',
  Draining: 'Draining',
  Broken: 'Broken',
  AuthFailed: 'AuthFailed',
  HostChanged: 'HostChanged',
} as const
export type ConnectedReason = (typeof ConnectedReason)[keyof typeof ConnectedReason]

export const DeletionBlockedReason = {
  InUse: 'InUse',
  HypervisorUnreachable: 'HypervisorUnreachable',
  ForeignObject: 'ForeignObject',
} as const
export type DeletionBlockedReason = (typeof DeletionBlockedReason)[keyof typeof DeletionBlockedReason]

/** Every reason of Ready and Synced. */
export const Reason = { ...ReadyReason, ...ReconcilingReason, ...StalledReason, ...UnknownReason, ...SyncedReason } as const
export type Reason = (typeof Reason)[keyof typeof Reason]
