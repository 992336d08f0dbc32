import Foundation
import Kernels
import Models
import TestSupport
import Testing

@Suite("Prepared weights")
struct PreparedWeightsTests {
  @Test("a model runs close to float32 in every format, closer with more bits")
  func formats() throws {
    let checkpoint = try QuantisedCheckpoint()
    let passes = [Int](repeating: 1, count: 20)
    let exact = checkpoint.logits(try checkpoint.model(nil), passes: passes)
    // Roundings of 2⁻⁹, 2⁻⁸ and 2⁻⁵ of a group's largest weight; a few layers add up.
    for (format, limit) in [(WeightFormat.f32, 1e-6), (.bf16, 0.02), (.int8, 0.03), (.int4, 0.3)] {
      let model = try checkpoint.model(try checkpoint.weights(format))
      #expect(model.format == format)
      let distance = relativeDistance(checkpoint.logits(model, passes: passes), exact)
      #expect(distance <= Float(limit), "\(format): \(distance)")
      #expect(format == .f32 || distance > 0)
    }
  }

  @Test("passes and threads do not change a bit in any format", arguments: WeightFormat.allCases)
  func passesAndThreads(format: WeightFormat) throws {
    let checkpoint = try QuantisedCheckpoint()
    let model = try checkpoint.model(try checkpoint.weights(format))
    let single = checkpoint.logits(model, passes: [Int](repeating: 1, count: 20), threads: 1)
    for threads in 1...4 {
      #expect(checkpoint.logits(model, passes: [4, 1, 3, 2, 10], threads: threads) == single)
    }
  }

  @Test("instruction sets agree within 1e-3", arguments: WeightFormat.allCases)
  func instructionSets(format: WeightFormat) throws {
    let checkpoint = try QuantisedCheckpoint()
    let model = try checkpoint.model(try checkpoint.weights(format))
    let passes = [Int](repeating: 1, count: 20)
    let wanted = checkpoint.logits(model, passes: passes)
    for set in InstructionSet.allCases {
      let got = set.use { checkpoint.logits(model, passes: passes) }
      if let got { #expect(relativeDistance(got, wanted) <= 1e-3, "\(set)") }
    }
  }

  @Test("what is written is read back to the bit", arguments: WeightFormat.allCases)
  func roundTrip(format: WeightFormat) throws {
    let checkpoint = try QuantisedCheckpoint()
    let weights = try checkpoint.weights(format)
    let file = checkpoint.folder.file("weights")
    try weights.write(to: file)
    let again = try checkpoint.read(file, format: format)
    #expect(again.bytes == weights.bytes && again.fingerprint == weights.fingerprint)
    let passes = [3, 1, 1]
    #expect(
      checkpoint.logits(try checkpoint.model(again), passes: passes)
        == checkpoint.logits(try checkpoint.model(weights), passes: passes))
  }

  @Test("a flipped bit anywhere is noticed, and a file that ends early or late")
  func damage() throws {
    let checkpoint = try QuantisedCheckpoint()
    let file = checkpoint.folder.file("weights")
    try checkpoint.weights(.int8).write(to: file)
    let good = try Data(contentsOf: file)
    var random = TestRandom(seed: 20)
    // Zeros between matrices are no part of any; every other byte counts.
    var places = [0, 8, 12, 16, 40, good.count - good.count / 3]
    places += (0..<60).map { _ in Int.random(in: 0..<good.count, using: &random) }
    var noticed = 0
    for place in places {
      var bad = good
      bad[place] ^= 1 << UInt8.random(in: 0..<8, using: &random)
      try bad.write(to: file)
      do {
        let weights = try checkpoint.read(file)
        let model = try checkpoint.model(weights)
        #expect(
          checkpoint.logits(model, passes: [2])
            == checkpoint.logits(try checkpoint.model(try checkpoint.weights(.int8)), passes: [2]),
          "byte \(place)")
      } catch is PreparedWeightsError {
        noticed += 1
      }
    }
    #expect(noticed > places.count / 2)
    for bad in [good.prefix(5), good.prefix(100), good.dropLast(), good + [0], Data()] {
      try Data(bad).write(to: file)
      #expect(throws: PreparedWeightsError.self) { try checkpoint.read(file) }
    }
  }

  @Test("weights of another model, another format or no file at all are refused")
  func wrongFile() throws {
    let checkpoint = try QuantisedCheckpoint()
    let file = checkpoint.folder.file("weights")
    try checkpoint.weights(.int8).write(to: file)
    let other = try QuantisedCheckpoint(seed: 2)
    #expect(throws: PreparedWeightsError.self) {
      try checkpoint.read(file, fingerprint: ModelFingerprint.compute(other.store))
    }
    #expect(throws: PreparedWeightsError.self) { try checkpoint.read(file, format: .int4) }
    #expect(throws: PreparedWeightsError.self) {
      try checkpoint.read(checkpoint.folder.file("nothing"))
    }
  }

  @Test("output heads keep 8 bits where the rest has 4, and bytes are what a step reads")
  func bytes() throws {
    let checkpoint = try QuantisedCheckpoint()
    let model = try checkpoint.model(try checkpoint.weights(.int4))
    #expect(model.outputs.allSatisfy { $0.format == .int8 })
    #expect(model.layers.allSatisfy { $0.expand.format == .int4 && $0.keys.format == .int4 })
    let exact = try checkpoint.model(nil)
    let (C, F, V) = (72, 100, 50)
    #expect(exact.weightBytes(withText: false) == 4 * (2 * (4 * C * C + 2 * C * F) + 2 * V * C))
    #expect(
      exact.weightBytes(withText: true) - exact.weightBytes(withText: false) == 4 * 2 * 2 * C * C)
  }
}
