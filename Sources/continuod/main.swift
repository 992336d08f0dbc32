// continuod: the JACK client that listens, goes on playing and obeys knobs.

import ArgumentParser
import Kernels

OpenBLASCore.restartIfSlow()
DaemonCommand.main()
