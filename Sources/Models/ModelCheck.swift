// Comparing this build with a reference implementation, tensor by tensor.
//
// A folder of golden values holds safetensors files; each file has a checker that knows its tensors.
// Every tensor ends as ok, FAIL or “not computed”: nothing is passed over in silence.

package import Foundation
package import Reporting

/// What became of one golden tensor.
package struct CheckResult: Sendable, Codable {
  package enum Status: String, Sendable, Codable {
    case ok
    case failed = "FAIL"
    case notComputed = "not computed"
  }

  /// `file/tensor`.
  package var name: String
  /// Largest absolute difference.
  package var absolute: Double
  /// Largest absolute difference over the largest absolute golden value.
  package var relative: Double
  /// Bound on `relative`.
  package var tolerance: Double
  package var status: Status
  /// What else there is to say, for example why something was not computed.
  package var note: String

  package init(
    name: String, absolute: Double, relative: Double, tolerance: Double, status: Status,
    note: String = ""
  ) {
    self.name = name
    self.absolute = absolute
    self.relative = relative
    self.tolerance = tolerance
    self.status = status
    self.note = note
  }
}

/// What can keep a check from running at all.
package enum CheckError: Explained {
  case noGolden(folder: String)
  case unknownFile(file: String)

  package var kind: FailureKind { .noInput }
  package var problem: String {
    switch self {
    case .noGolden(let folder): "\(folder) holds no *.safetensors with golden values"
    case .unknownFile(let file): "\(file) is no file of golden values that this program knows"
    }
  }
  package var remedy: String { "make golden values with the oracle scripts" }
}

/// The golden tensors of one file, and what has been found about them so far.
package final class CheckSheet {
  /// The file's name.
  package let file: String
  package let golden: TensorStore
  private var results: [String: CheckResult] = [:]

  package init(file: URL) throws {
    self.file = file.lastPathComponent
    golden = try TensorStore(file: file)
  }

  package func has(_ name: String) -> Bool { golden.tensors[name] != nil }

  /// Golden floats of `name`.
  package func floats(_ name: String) throws -> [Float] { try golden.tensor(name).floats() }
  /// Golden integers of `name`.
  package func integers(_ name: String) throws -> [Int32] { try golden.tensor(name).integers() }
  /// Shape of `name`.
  package func shape(_ name: String) throws -> [Int] { try golden.tensor(name).shape }

  /// Compares what was computed with the golden floats of `name`.
  ///
  /// Places where the golden value is not a number count only when the computed one is a number.
  /// - Parameters:
  ///   - tolerance: bound on the largest difference over the largest golden value.
  ///   - scale: divides the difference instead of the largest golden value, when given.
  package func compare(
    _ name: String, _ computed: [Float], tolerance: Double = 1e-4, scale: Double? = nil,
    note: String = ""
  ) throws {
    guard has(name) else { return }
    let expected = try floats(name)
    guard expected.count == computed.count else {
      record(
        name, .infinity, .infinity, tolerance, .failed,
        "\(computed.count) values were computed for \(expected.count)")
      return
    }
    var largest = 0.0
    var difference = 0.0
    for (a, b) in zip(expected, computed) {
      if a.isNaN && b.isNaN { continue }
      let distance = abs(Double(a) - Double(b))
      difference = max(difference, distance.isNaN ? .infinity : distance)
      if a.isFinite { largest = max(largest, abs(Double(a))) }
    }
    let divisor = scale ?? largest
    let relative = difference == 0 ? 0 : difference / max(divisor, .leastNormalMagnitude)
    record(name, difference, relative, tolerance, relative <= tolerance ? .ok : .failed, note)
  }

  /// Compares integers; `excused` of the differing places are known to be ties in the reference.
  package func compare(_ name: String, _ computed: [Int32], excused: Int = 0) throws {
    guard has(name) else { return }
    let expected = try integers(name)
    guard expected.count == computed.count else {
      record(
        name, .infinity, .infinity, 0, .failed,
        "\(computed.count) values were computed for \(expected.count)")
      return
    }
    let differing = zip(expected, computed).count { $0 != $1 }
    let bad = differing - excused
    record(
      name, Double(bad), Double(bad) / Double(max(expected.count, 1)), 0, bad <= 0 ? .ok : .failed,
      excused > 0 ? "\(excused) ties in the reference differ" : "")
  }

  /// Compares integers of which the share `least` must be equal.
  package func compareShare(
    _ name: String, _ computed: [Int32], expected: [Int32], least: Double, note: String = ""
  ) {
    guard expected.count == computed.count, !expected.isEmpty else {
      record(
        name, .infinity, .infinity, 1 - least, .failed,
        "\(computed.count) values were computed for \(expected.count)")
      return
    }
    let differing = zip(expected, computed).count { $0 != $1 }
    let share = Double(differing) / Double(expected.count)
    let words = "\(expected.count - differing) of \(expected.count) places are the same"
    record(
      name, Double(differing), share, 1 - least, share <= 1 - least ? .ok : .failed,
      note.isEmpty || differing == 0 ? words : "\(words); \(note)")
  }

  /// Says that `name` is an input that the computation read, so there is nothing to compare.
  package func input(_ name: String) {
    guard has(name) else { return }
    record(name, 0, 0, 0, .ok, "input")
  }

  /// Says why `name` was not computed.
  package func skip(_ name: String, because reason: String) {
    guard has(name) else { return }
    record(name, .nan, .nan, .nan, .notComputed, reason)
  }

  /// One result per golden tensor, sorted by name; tensors that nobody mentioned are not computed.
  package func finish() -> [CheckResult] {
    golden.tensors.keys.sorted().map { name in
      results[name]
        ?? CheckResult(
          name: "\(file)/\(name)", absolute: .nan, relative: .nan, tolerance: .nan,
          status: .notComputed, note: "this program does not know it")
    }
  }

  private func record(
    _ name: String, _ absolute: Double, _ relative: Double, _ tolerance: Double,
    _ status: CheckResult.Status, _ note: String
  ) {
    results[name] = CheckResult(
      name: "\(file)/\(name)", absolute: absolute, relative: relative, tolerance: tolerance,
      status: status, note: note)
  }
}
