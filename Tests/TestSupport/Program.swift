// Runs one of the built programs and collects what it says.

package import Foundation

/// What a program did.
package struct ProgramResult: Sendable {
  package let status: Int32
  package let output: String
  package let errors: String
  /// Whether it ended by a signal, so crashed.
  package let crashed: Bool
}

/// Runs `name`, which lies beside the tests, to its end.
/// - Parameters:
///   - environment: added to the present one.
///   - folder: where it runs.
package func runProgram(
  _ name: String, _ arguments: [String], environment: [String: String] = [:], in folder: URL? = nil
) throws -> ProgramResult {
  let process = Process()
  process.executableURL = builtProducts.appendingPathComponent(name)
  process.arguments = arguments
  process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
  if let folder { process.currentDirectoryURL = folder }
  let scratch = try TemporaryFolder()
  // Files, not pipes: nobody has to read while it runs.
  for file in ["out", "err"] {
    try Data().write(to: scratch.file(file))
  }
  process.standardInput = FileHandle.nullDevice
  process.standardOutput = try FileHandle(forWritingTo: scratch.file("out"))
  process.standardError = try FileHandle(forWritingTo: scratch.file("err"))
  try process.run()
  process.waitUntilExit()
  func text(_ file: String) throws -> String {
    String(decoding: try Data(contentsOf: scratch.file(file)), as: UTF8.self)
  }
  return ProgramResult(
    status: process.terminationStatus, output: try text("out"), errors: try text("err"),
    crashed: process.terminationReason == .uncaughtSignal)
}

/// The folder of the build's programs: that of the running tests.
package var builtProducts: URL {
  URL(fileURLWithPath: CommandLine.arguments[0]).resolvingSymlinksInPath()
    .deletingLastPathComponent()
}
