// `continuo model`: what models there are, what they are, and whether this build agrees with the
// reference about them.

import ArgumentParser

struct ModelCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "model", abstract: "Lists, describes and checks models.",
    subcommands: [
      ModelListCommand.self, ModelInfoCommand.self, ModelPrepareCommand.self,
      ModelCheckCommand.self,
    ])
}
