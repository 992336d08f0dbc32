// What `bench` found, as text, JSON, or a line of a history.

import Foundation
import Kernels
import Reporting

struct BenchReport: Codable {
  var date = ISO8601DateFormatter().string(from: Date())
  var commit = BenchReport.currentCommit()
  var processor = BenchReport.processorName()
  var instructions = InstructionSet.selected.rawValue
  var threads: Int
  /// Best read bandwidth of the run, 10⁹ bytes per second: a step's own is measured beside it.
  var bandwidth = 0.0
  var kernels: [KernelMeasurement] = []
  var steps: [StepMeasurement] = []
  var steering: [SteeringMeasurement] = []
  var whole: [WholeMeasurement] = []

  init(threads: Int) { self.threads = threads }

  mutating func note(bandwidth found: Double) { bandwidth = max(bandwidth, found / 1e9) }

  /// Appends one line.
  /// - Throws: `OutputError`.
  func append(to file: URL) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = .sortedKeys
    encoder.keyEncodingStrategy = .convertToSnakeCase
    let old = (try? Data(contentsOf: file)) ?? Data()
    try AtomicFile.write(old + (try encoder.encode(self)) + Data("\n".utf8), to: file)
  }

  func text() -> String {
    func column(_ value: Double, _ digits: Int, _ width: Int) -> String {
      let text = String(format: "%.\(digits)f", value)
      return String(repeating: " ", count: max(0, width - text.count)) + text
    }
    func name(_ text: String, _ width: Int) -> String {
      text.padding(toLength: width, withPad: " ", startingAt: 0)
    }
    var lines = [
      "\(processor), \(threads) threads, \(instructions); memory reads up to "
        + String(format: "%.1f GB/s", bandwidth)
    ]
    if !kernels.isEmpty {
      lines.append("kernel                     GB/s   share of bandwidth")
      for each in kernels {
        lines.append(
          name(each.kernel, 22) + column(each.gigabytesPerSecond, 1, 9) + column(each.share, 2, 9))
      }
    }
    if !steps.isEmpty {
      lines.append(
        "size    weights  cache  columns           ms      MB   floor ms  ratio  share   to one")
      for each in steps {
        lines.append(
          name(each.size, 8) + name(each.weights.rawValue, 7) + column(Double(each.length), 0, 7)
            + "  " + name(each.columns, 14) + column(each.milliseconds, 2, 7)
            + column(each.megabytes, 1, 8) + column(each.floorMilliseconds, 2, 10)
            + column(each.ratio, 2, 8) + column(1 / each.ratio, 2, 7)
            + column(each.ratioToOne, 2, 8))
      }
    }
    for each in steering {
      lines.append(
        String(
          format:
            "steering, %d directions of %d monitors pushed at every step: %.3f ms, %.2f %% of a step "
            + "(%@, %d in the cache)", each.directions, each.monitors, each.milliseconds,
          each.share * 100, each.weights.rawValue as NSString, each.length))
    }
    if !whole.isEmpty {
      lines.append("seconds of computing per second of audio")
      for each in whole { lines.append(name(each.what, 64) + column(each.secondsPerSecond, 3, 8)) }
    }
    return lines.joined(separator: "\n") + "\n"
  }

  private static func processorName() -> String {
    guard let text = try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8),
      let line = text.split(separator: "\n").first(where: { $0.hasPrefix("model name") }),
      let colon = line.firstIndex(of: ":")
    else { return "unknown processor" }
    return line[line.index(after: colon)...].trimmingCharacters(in: .whitespaces)
  }

  /// The commit of the repository that the program is run in, if any.
  private static func currentCommit() -> String {
    let git = Process()
    git.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    git.arguments = ["git", "rev-parse", "--short", "HEAD"]
    let pipe = Pipe()
    git.standardOutput = pipe
    git.standardError = FileHandle.nullDevice
    guard (try? git.run()) != nil else { return "unknown" }
    let data = pipe.fileHandleForReading.readDataToEndOfFile()
    git.waitUntilExit()
    let text = String(decoding: data, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
    return git.terminationStatus == 0 && !text.isEmpty ? text : "unknown"
  }
}
