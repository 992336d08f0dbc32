// The command line: everything that is not real time. One file per subcommand.

import ArgumentParser
import Foundation
import Kernels
import Reporting

@main
struct Continuo: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "continuo",
    abstract: "Makes music go on: renders, checks models, trains probes, credits sources.",
    version: "0.1.0",
    subcommands: [
      SendCommand.self, WatchCommand.self, PlayCommand.self,
      RenderCommand.self,
      DoctorCommand.self,
      ModelCommand.self,
      PresetCommand.self,
      ProbeCommand.self,
      EvaluateCommand.self,
      BenchCommand.self,
      CatalogueCommand.self,
      AttributeCommand.self,
      ManualCommand.self,
    ])

  /// Parses, runs, and turns errors into one line on standard error and a sysexits status.
  static func main() async {
    OpenBLASCore.restartIfSlow()
    do {
      var command = try parseAsRoot()
      if var asynchronous = command as? any AsyncParsableCommand {
        try await asynchronous.run()
      } else {
        try command.run()
      }
    } catch let error as any Explained {
      FileHandle.standardError.write(Data("continuo: error: \(explanation(of: error))\n".utf8))
      Foundation.exit(error.kind.rawValue)
    } catch {
      // Help, the version and a plain exit status are no errors; the rest is a wrong command line.
      guard exitCode(for: error) == .validationFailure else { exit(withError: error) }
      let line = message(for: error).split(separator: "\n").joined(separator: ", ")
      FileHandle.standardError.write(
        Data("continuo: error: \(printable(line, limit: 2000)); see continuo help\n".utf8))
      Foundation.exit(FailureKind.usage.rawValue)
    }
  }
}
