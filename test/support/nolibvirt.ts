// Puts a program where the machine's own libvirtd is neither seen nor touched.

/** In front of a command: it runs in a view of its own, where /run is empty, and ends with its parent. */
export const withoutLibvirt = ['unshare', '--mount', '--propagation', 'private', 'setpriv', '--pdeathsig', 'KILL', '--', 'sh', '-c', 'mount -t tmpfs tmpfs /run && exec "$@"', 'sh']
