import Foundation
import Kernels
import Models
import TestSupport
import Testing

@testable import Attribution

/// The check on sheets that a plain loop makes here from the same model.
@Suite("Attribution check")
struct AttributionCheckTests {
  private let folder: TemporaryFolder
  private let place = fixture("MusicGen/mono/model")
  private static let (tracks, frames, books) = (3, 7, 4)

  init() throws { folder = try TemporaryFolder() }

  private func write(change: (inout [String: ([Int], [Float])]) -> Void = { _ in }) throws {
    let config = try MusicGenConfig(folder: place).decoder
    let network = LanguageModelLoss(config: config)
    let parameters = try Parameters(
      layout: network.layout, from: try TensorStore(directory: place),
      prefix: LanguageModelLoss.prefix)
    let w = network.makeWorkspace(frames: Self.frames)
    let size = Self.frames * Self.books
    let codes = (0..<Self.tracks * size).map { Int32($0 * 11 % 16) }
    let windows = (0..<Self.tracks).map {
      LanguageModelLoss.Window(
        codes: Array(codes[$0 * size..<($0 + 1) * size]), frames: Self.frames)
    }
    let everything = network.layout.entries.map { _ in true }
    func sums(_ windows: [LanguageModelLoss.Window], _ rule: GradientAccumulator.Rule) -> [Float] {
      let it = GradientAccumulator(layout: network.layout, wanted: everything, rule: rule)
      for window in windows { _ = network.gradient(of: window, parameters, w, into: it) }
      return it.sums.array()
    }
    let gradient = sums([windows[0]], .sum)
    let fisher = sums(windows, .squares).map { $0 / Float(Self.tracks) }
    let before = windows.map { network.loss(of: $0, parameters, w) }
    var tensors: [String: ([Int], [Float])] = [
      "loss": ([Self.tracks], before.map { Float($0) }), "unlearning": ([3], [3, 1e-4, 0.1]),
    ]
    for entry in network.layout.entries {
      tensors["grad." + entry.name] = (entry.shape, Array(gradient[entry.range]))
      tensors["fisher." + entry.name] = (entry.shape, Array(fisher[entry.range]))
    }
    func held(_ values: [Float]) -> WorkBuffer {
      let buffer = WorkBuffer(count: values.count)
      buffer.copy(from: values.span)
      return buffer
    }
    let (slope, information) = (held(gradient), held(fisher))
    let step = UnlearningStep(
      items: 3, learningRate: Double(Float(1e-4)), damping: Double(Float(0.1)))
    let end = step.apply(
      to: parameters, gradient: slope.span, fisher: information.span,
      wanted: LayerChoice.selfAttention.wanted(of: network.layout))
    withExtendedLifetime((slope, information)) {}
    tensors["score.self_attention"] = (
      [Self.tracks], zip(windows, before).map { Float(network.loss(of: $0, end, w) - $1) }
    )
    change(&tensors)
    try SafetensorsWriter.write(
      [.init(name: "codes", shape: [Self.tracks, Self.books, Self.frames], integers: codes)]
        + tensors.sorted { $0.key < $1.key }.map {
          .init(name: $0.key, shape: $0.value.0, floats: $0.value.1)
        }, to: folder.file("lm_attribution.safetensors"))
  }

  private func verdicts() throws -> [String: CheckResult.Status] {
    let sheet = try CheckSheet(file: folder.file("lm_attribution.safetensors"))
    #expect(AttributionCheck.knowsLanguage(sheet))
    try AttributionCheck(language: place, sheet: sheet).run()
    return Dictionary(
      uniqueKeysWithValues: sheet.finish().map {
        (String($0.name.split(separator: "/")[1]), $0.status)
      })
  }

  @Test("losses, every gradient, Fisher information and scores of a true sheet agree")
  func agreement() throws {
    try write()
    let verdicts = try verdicts()
    let compared = verdicts.filter { $0.value == .ok }
    #expect(!verdicts.values.contains(.failed), "\(verdicts.filter { $0.value == .failed })")
    #expect(compared.keys.contains("score.self_attention") && compared.keys.contains("loss"))
    #expect(compared.keys.count { $0.hasPrefix("grad.") } > 20)
    #expect(
      compared.keys.count { $0.hasPrefix("fisher.") }
        == compared.keys.count { $0.hasPrefix("grad.") })
  }

  @Test(
    "a number that is off by a hundredth is found in its tensor",
    arguments: ["loss", "grad.model.decoder.layers.0.fc1.weight", "fisher.lm_heads.1.weight"])
  func tampering(name: String) throws {
    try write { tensors in
      guard let (shape, values) = tensors[name] else { return }
      let place = values.indices.max { abs(values[$0]) < abs(values[$1]) } ?? 0
      var wrong = values
      wrong[place] *= 1.01
      tensors[name] = (shape, wrong)
    }
    #expect(try verdicts()[name] == .failed)
  }

  @Test("scores in another order are wrong even where the numbers are near")
  func order() throws {
    try write { tensors in
      guard let (shape, values) = tensors["score.self_attention"] else { return }
      tensors["score.self_attention"] = (shape, values.reversed())
    }
    #expect(try verdicts()["score.self_attention"] == .failed)
  }

  @Test("knows its files")
  func files() throws {
    try write { $0["unlearning"] = nil }
    let sheet = try CheckSheet(file: folder.file("lm_attribution.safetensors"))
    #expect(!AttributionCheck.knowsLanguage(sheet))
    #expect(!AttributionCheck.isDiffusion(folder: folder.url))
    try Data().write(to: folder.file("dit.json"))
    #expect(AttributionCheck.isDiffusion(folder: folder.url))
  }
}
