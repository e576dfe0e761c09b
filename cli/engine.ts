// Settings of the JavaScript engine; they count only for what is loaded after them.

import { enableCompileCache } from 'node:module'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { setFlagsFromString } from 'node:v8'

// Garbage may make up a third of the old objects. By itself V8 lets it be three quarters, on a machine with much memory.
setFlagsFromString('--heap-growing-percent=50')

// Not in the folder for temporary files, as is usual: what stands there is executed, and anybody could have put it there.
enableCompileCache(join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'vireo', 'compiled'))
