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
    subcommands: [ModelCommand.self, PresetCommand.self])

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
      exit(withError: error)
    }
  }
}
