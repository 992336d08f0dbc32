// `continuo evaluate`: the tables that say how well things work, on whatever model is given.

import ArgumentParser

struct EvaluateCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "evaluate", abstract: "Measures quality.",
    subcommands: [
      EvaluateAttributionCommand.self, EvaluateCodecCommand.self, EvaluateHouseCommand.self,
      EvaluateProbesCommand.self, EvaluateQuantisationCommand.self, EvaluateSteeringCommand.self,
    ])
}
