// One interface for both networks: the loss of a draw, and its gradient.

package import Models

/// One explicit input of a training loss: nothing is left to chance any more.
package enum LossDraw: Sendable {
  case window(LanguageModelLoss.Window)
  case diffusion(DiffusionDraw)
}

/// A network whose training loss can be asked for.
package struct LossModel: Sendable {
  package enum Network: Sendable {
    case language(LanguageModelLoss)
    case diffusion(DiffusionTransformer)
  }

  package let network: Network
  /// Θ0.
  package let parameters: Parameters

  package init(_ network: Network, _ parameters: Parameters) {
    self.network = network
    self.parameters = parameters
  }

  package var layout: ParameterLayout { parameters.layout }

  /// What is measured, for reports.
  package var objective: String {
    switch network {
    case .language: "cross entropy of the codes under the delay pattern, nats"
    case .diffusion: "v-objective, mean squared error"
    }
  }

  /// Something that computes losses on one thread.
  /// - Parameter keepsLayers: whether activations of all layers are kept for the backward pass or
  ///   computed again.
  package func makeEvaluator(keepsLayers: Bool = true) -> LossEvaluator {
    LossEvaluator(network, keepsLayers: keepsLayers)
  }
}

/// Computes losses and gradients; keeps its workspace from draw to draw. Belongs to one thread.
package final class LossEvaluator {
  private let network: LossModel.Network
  private let keepsLayers: Bool
  private var language: LanguageModelLoss.Workspace?
  private var diffusion: DiffusionWorkspace?

  fileprivate init(_ network: LossModel.Network, keepsLayers: Bool) {
    self.network = network
    self.keepsLayers = keepsLayers
  }

  /// The loss of a draw under `parameters`.
  package func loss(of draw: LossDraw, _ parameters: Parameters) -> Double {
    switch (network, draw) {
    case (.language(let model), .window(let window)):
      model.loss(of: window, parameters, workspace(model, window))
    case (.diffusion(let model), .diffusion(let draw)):
      model.loss(of: draw, parameters, workspace(model, draw))
    default: preconditionFailure("a draw of the other kind of network")
    }
  }

  /// The loss, and its gradient handed to `gradient`.
  package func gradient(
    of draw: LossDraw, _ parameters: Parameters, into gradient: GradientAccumulator
  ) -> Double {
    switch (network, draw) {
    case (.language(let model), .window(let window)):
      model.gradient(of: window, parameters, workspace(model, window), into: gradient)
    case (.diffusion(let model), .diffusion(let draw)):
      model.gradient(of: draw, parameters, workspace(model, draw), into: gradient)
    default: preconditionFailure("a draw of the other kind of network")
    }
  }

  private func workspace(_ model: LanguageModelLoss, _ window: LanguageModelLoss.Window)
    -> LanguageModelLoss.Workspace
  {
    let text = window.text.count / model.config.hidden
    if let found = language, found.frames == window.frames, found.text == text { return found }
    let made = model.makeWorkspace(frames: window.frames, text: text, keepsLayers: keepsLayers)
    language = made
    return made
  }

  private func workspace(_ model: DiffusionTransformer, _ draw: DiffusionDraw)
    -> DiffusionWorkspace
  {
    if let found = diffusion, found.frames == draw.frames, found.tokens == draw.tokens {
      return found
    }
    let made = DiffusionWorkspace(
      model, frames: draw.frames, tokens: draw.tokens, keepsLayers: keepsLayers)
    diffusion = made
    return made
  }
}

extension LossModel {
  /// Hidden states that `meanStates` gives: one per layer's output.
  var layers: Int {
    switch network {
    case .language(let model): model.config.layers
    case .diffusion(let model): model.config.depth
    }
  }
}

extension LossEvaluator {
  /// The mean over time of every layer's output, layer after layer.
  func meanStates(of draw: LossDraw, _ parameters: Parameters) -> [Float] {
    _ = loss(of: draw, parameters)
    switch network {
    case .language(let model):
      guard let w = language else { return [] }
      return model.meanStates(w)
    case .diffusion(let model):
      guard let w = diffusion else { return [] }
      return model.meanStates(w)
    }
  }
}
