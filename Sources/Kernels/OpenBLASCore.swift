// Makes OpenBLAS use the instructions that the processor has.
//
// OpenBLAS chooses its kernels once, when the library loads. Debian 12's 0.3.21 does not know newer
// processors and takes its Haswell kernels for them, at half the speed (measured: 111 against 210 GFLOP/s
// on one core). The variable OPENBLAS_CORETYPE corrects it, but only before the library loads: so a
// program starts itself once more, as the first thing it does.

import COpenBLAS
import Foundation

#if canImport(Glibc)
  import Glibc
#endif

/// OpenBLAS's choice of kernels.
package enum OpenBLASCore {
  /// The kernels that OpenBLAS uses now, by its own name for them.
  package static var name: String { unsafe String(cString: openblas_get_corename()) }

  /// The kernels to ask for, nil when the present ones are right.
  /// - Parameters:
  ///   - name: what OpenBLAS chose.
  ///   - flags: the processor's features, as Linux names them.
  package static func better(than name: String, flags: Set<String>) -> String? {
    let needed: Set<String> = ["avx512f", "avx512cd", "avx512bw", "avx512dq", "avx512vl"]
    let fast: Set<String> = ["skylakex", "cooperlake", "sapphirerapids"]
    return needed.isSubset(of: flags) && !fast.contains(name.lowercased()) ? "SkylakeX" : nil
  }

  /// Starts the program again with the right kernels where OpenBLAS chose slow ones and nobody set
  /// OPENBLAS_CORETYPE. Call it first in `main`, before any thread; returns when there is nothing to do.
  package static func restartIfSlow() {
    #if os(Linux) && arch(x86_64)
      guard unsafe getenv("OPENBLAS_CORETYPE") == nil,
        let core = better(than: name, flags: processorFlags)
      else { return }
      unsafe setenv("OPENBLAS_CORETYPE", core, 1)
      unsafe execv("/proc/self/exe", CommandLine.unsafeArgv)
    // Still here: the system refused. The program is slower, and right all the same.
    #endif
  }

  /// The features that Linux says the processor has.
  package static var processorFlags: Set<String> {
    guard let text = try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8),
      let line = text.split(separator: "\n").first(where: { $0.hasPrefix("flags") })
    else { return [] }
    return Set(line.split(separator: " ").map(String.init))
  }
}
