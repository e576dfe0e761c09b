// Settings of the JavaScript engine; they count only for what is loaded after them.

import { enableCompileCache } from 'node:module'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { setFlagsFromString } from 'node:v8'

// A controller is idle nearly always: a heap that is collected early costs it little, and halves what it holds.
setFlagsFromString('--optimize-for-size')

// Not in the folder for temporary files, as is usual: what stands there is executed, and anybody could have put it there.
enableCompileCache(join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'vireo', 'compiled'))
