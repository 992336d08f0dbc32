// Which of the processor's instructions the inner loops use.

internal import CKernels

/// The instruction sets that kernels exist for.
package enum InstructionSet: String, Sendable, CaseIterable {
  case portable
  case avx2
  case avxVNNI = "avx-vnni"
  case avx512
  case neon
  case neonDot = "neon-dot"

  private var code: continuo_instructions {
    switch self {
    case .portable: CONTINUO_PORTABLE
    case .avx2: CONTINUO_AVX2
    case .avxVNNI: CONTINUO_AVX_VNNI
    case .avx512: CONTINUO_AVX512
    case .neon: CONTINUO_NEON
    case .neonDot: CONTINUO_NEON_DOT
    }
  }

  /// Whether this processor has it.
  package var isAvailable: Bool { continuo_instructions_available(code) != 0 }

  /// The set in use on this thread: the best available one, unless the environment variable
  /// `CONTINUO_INSTRUCTIONS` names another.
  package static var selected: InstructionSet {
    let code = continuo_instructions_selected()
    return allCases.first { $0.code == code } ?? .portable
  }

  /// Calls `body` with this set in use on the calling thread and in the pool runs that it starts, for
  /// tests and measurements.
  ///
  /// - Returns: nil, without calling `body`, when the processor lacks the set.
  @discardableResult package func use<Result>(_ body: () throws -> Result) rethrows -> Result? {
    guard isAvailable else { return nil }
    let before = continuo_instructions_force(Int32(code.rawValue))
    defer { _ = continuo_instructions_force(before) }
    return try body()
  }
}
