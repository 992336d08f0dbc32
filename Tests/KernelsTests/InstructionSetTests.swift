import Kernels
import Synchronization
import Testing

@Suite("Instruction sets")
struct InstructionSetTests {
  @Test("the portable one is always there, and the selected one is available")
  func available() {
    #expect(InstructionSet.portable.isAvailable)
    #expect(InstructionSet.selected.isAvailable)
  }

  @Test("a forced one holds for the pool's threads too, and only for that call")
  func scope() {
    let before = InstructionSet.selected
    let pool = ComputePool(threads: 3)
    let others = Atomic<Int>(0)
    InstructionSet.portable.use {
      #expect(InstructionSet.selected == .portable)
      pool.run(chunks: 100) { _ in
        if InstructionSet.selected != .portable { others.add(1, ordering: .relaxed) }
      }
    }
    #expect(others.load(ordering: .relaxed) == 0)
    #expect(InstructionSet.selected == before)
    pool.run(chunks: 100) { _ in
      if InstructionSet.selected != before { others.add(1, ordering: .relaxed) }
    }
    #expect(others.load(ordering: .relaxed) == 0)
  }

  @Test("one that the processor lacks is refused")
  func refused() {
    for set in InstructionSet.allCases where !set.isAvailable {
      #expect(set.use { true } == nil)
    }
  }
}
