import Kernels

/// Calls `body` once with each instruction set that this processor has.
func withEverySet(_ body: (InstructionSet) -> Void) {
  for set in InstructionSet.allCases { set.use { body(set) } }
}
