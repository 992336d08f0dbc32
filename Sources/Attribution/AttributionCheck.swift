// `continuo model check` for the attribution's golden values: losses, gradients, Fisher information
// and scores after one unlearning step, of the language model (lm_attribution.safetensors) and of the
// diffusion transformer (golden.safetensors beside dit.safetensors).

package import Foundation
import Kernels
package import Models

/// Computes everything that the oracle scripts write about a training loss.
package struct AttributionCheck {
  private let model: LossModel
  private let sheet: CheckSheet
  /// Draws of each track: plain, and with the mask.
  private let plain: [[LossDraw]]
  private let masked: [[LossDraw]]

  /// Whether the file is one of the language model's attribution.
  package static func knowsLanguage(_ sheet: CheckSheet) -> Bool {
    sheet.has("codes") && sheet.has("unlearning") && sheet.has("loss")
  }

  /// Whether `folder` holds a diffusion transformer as the oracle script writes it.
  package static func isDiffusion(folder: URL) -> Bool {
    FileManager.default.fileExists(atPath: folder.appendingPathComponent("dit.json").path)
  }

  /// - Parameter folder: of the MusicGen checkpoint.
  package init(language folder: URL, sheet: CheckSheet) throws {
    let config = try MusicGenConfig(folder: folder).decoder
    let network = LanguageModelLoss(config: config)
    let parameters = try Parameters(
      layout: network.layout, from: try TensorStore(directory: folder),
      prefix: LanguageModelLoss.prefix)
    model = LossModel(.language(network), parameters)
    self.sheet = sheet
    let shape = try sheet.shape("codes")
    let codes = try sheet.integers("codes")
    let size = shape[1] * shape[2]
    plain = (0..<shape[0]).map { track in
      [
        .window(
          LanguageModelLoss.Window(
            codes: Array(codes[track * size..<(track + 1) * size]), frames: shape[2]))
      ]
    }
    masked = plain
  }

  /// - Parameter folder: with `dit.json` and `dit.safetensors`.
  package init(diffusion folder: URL, sheet: CheckSheet) throws {
    let config = try DiffusionTransformerConfig(file: folder.appendingPathComponent("dit.json"))
    let (network, parameters) = try DiffusionTransformer.load(
      config: config,
      from: try TensorStore(file: folder.appendingPathComponent("dit.safetensors")))
    model = LossModel(.diffusion(network), parameters)
    self.sheet = sheet
    let shape = try sheet.shape("noise")  // tracks, draws, io, frames
    let tokens = try sheet.shape("cross")[1]
    let (tracks, draws, size, frames) = (shape[0], shape[1], shape[2] * shape[3], shape[3])
    let latents = try sheet.floats("latents")
    let noise = try sheet.floats("noise")
    let cross = try sheet.floats("cross")
    let global = try sheet.floats("global")
    let times = try sheet.floats("t")
    let masks = try sheet.floats("mask")
    func part(_ values: [Float], _ index: Int, _ count: Int) -> [Float] {
      Array(values[index * count..<(index + 1) * count])
    }
    func all(masked: Bool) -> [[LossDraw]] {
      (0..<tracks).map { track in
        (0..<draws).map { draw in
          .diffusion(
            DiffusionDraw(
              latent: part(latents, track, size), frames: frames, time: times[track * draws + draw],
              noise: part(noise, track * draws + draw, size),
              context: part(cross, track, tokens * config.conditioningWidth), tokens: tokens,
              global: part(global, track, config.globalWidth),
              mask: masked ? part(masks, track, frames).map { $0 > 0 } : nil))
        }
      }
    }
    plain = all(masked: false)
    masked = all(masked: true)
  }

  /// Computes and compares all tensors of the sheet.
  package func run() throws {
    for name in ["codes", "latents", "cross", "global", "t", "noise", "mask", "unlearning"] {
      sheet.input(name)
    }
    let evaluator = model.makeEvaluator()
    try compareOutput()
    let base = plain.map { $0.map { evaluator.loss(of: $0, model.parameters) } }
    try sheet.compare("loss", base.flatMap { $0 }.map { Float($0) }, tolerance: 1e-5)
    if sheet.has("loss_masked") {
      let losses = masked.flatMap { $0 }.map { Float(evaluator.loss(of: $0, model.parameters)) }
      try sheet.compare("loss_masked", losses, tolerance: 1e-5)
    }
    let everything = model.layout.entries.map { _ in true }
    let gradient = GradientAccumulator(layout: model.layout, wanted: everything, rule: .sum)
    _ = evaluator.gradient(of: masked[0][0], model.parameters, into: gradient)
    try compareTensors("grad.", gradient.sums.array())
    let fisher = GradientAccumulator(layout: model.layout, wanted: everything, rule: .squares)
    let draws = plain.flatMap { $0 }
    for draw in draws { _ = evaluator.gradient(of: draw, model.parameters, into: fisher) }
    let mean = WorkBuffer(count: model.layout.count)
    do {
      var target = mean.mutableSpan
      for i in 0..<target.count { target[i] = fisher.sums.span[i] / Float(draws.count) }
    }
    try compareTensors("fisher.", mean.array())
    try compareScores(base: base, fisher: mean, evaluator)
  }

  private func compareOutput() throws {
    guard case .diffusion(let network) = model.network, sheet.has("output") else { return }
    var outputs: [Float] = []
    for draws in plain {
      guard case .diffusion(let draw) = draws[0] else { continue }
      let w = DiffusionWorkspace(network, frames: draw.frames, tokens: draw.tokens)
      var output = FloatBuffer(count: draw.latent.count)
      do {
        var span = output.mutableSpan
        network.forward(
          FloatBuffer(draw.latent).span, time: draw.time, context: FloatBuffer(draw.context).span,
          global: FloatBuffer(draw.global).span, model.parameters, w, into: &span)
      }
      outputs += output.array()
    }
    try sheet.compare("output", outputs, tolerance: 1e-4)
  }

  private func compareTensors(_ prefix: String, _ values: [Float]) throws {
    for entry in model.layout.entries {
      try sheet.compare(prefix + entry.name, Array(values[entry.range]), tolerance: 1e-3)
    }
  }

  private func compareScores(base: [[Double]], fisher: WorkBuffer, _ evaluator: LossEvaluator)
    throws
  {
    let settings = try sheet.floats("unlearning")
    guard settings.count == 3 else { return }
    let step = UnlearningStep(
      items: Int(settings[0]), learningRate: Double(settings[1]), damping: Double(settings[2]))
    let everything = model.layout.entries.map { _ in true }
    for name in sheet.golden.tensors.keys.sorted() where name.hasPrefix("score.") {
      let parts = name.split(separator: ".").map(String.init)
      guard let layers = LayerChoice(oracleName: parts[1]) else { continue }
      let draws = parts.last == "unmasked" ? plain[0] : masked[0]
      let gradient = GradientAccumulator(layout: model.layout, wanted: everything, rule: .sum)
      for draw in draws { _ = evaluator.gradient(of: draw, model.parameters, into: gradient) }
      let mean = WorkBuffer(count: model.layout.count)
      do {
        var target = mean.mutableSpan
        for i in 0..<target.count { target[i] = gradient.sums.span[i] / Float(draws.count) }
      }
      let unlearned = step.apply(
        to: model.parameters, gradient: mean.span, fisher: fisher.span,
        wanted: layers.wanted(of: model.layout))
      let scores = plain.enumerated().map { track, draws in
        let rises = draws.enumerated().map { draw, input in
          evaluator.loss(of: input, unlearned) - base[track][draw]
        }
        return Float(rises.reduce(0, +) / Double(rises.count))
      }
      let expected = try sheet.floats(name)
      let sameOrder = order(scores) == order(expected)
      try sheet.compare(
        name, sameOrder ? scores : scores.map { _ in .nan }, tolerance: 1e-3,
        note: sameOrder ? "same order" : "the order of the tracks differs")
    }
  }

  private func order(_ scores: [Float]) -> [Int] {
    scores.indices.sorted { (scores[$0], $1) > (scores[$1], $0) }
  }
}
