// The diagonal Fisher information of a model on a catalogue: the mean over items and draws of the
// squared per-draw gradient. Computed once per model, catalogue, layers and draws, and kept on disk.
//
// Files: KEY.safetensors, one tensor per parameter that was asked for, the checkpoint's names; while it
// is being computed KEY.partial.safetensors with both lanes' sums and how many items they hold, so that
// a killed run goes on from there and ends with the same bits.
// Source: METHOD 6.

internal import Crypto
package import Foundation
package import Kernels
import Models
import Reporting

/// A diagonal Fisher information.
package struct FisherInformation {
  /// In the layout's order; zero where nothing was asked for.
  package let values: WorkBuffer
  /// Items and draws that it is the mean of.
  package let items: Int
  package let draws: Int
}

/// Computes a Fisher information, or reads it when it is there.
package struct FisherEstimate {
  package let runner: LossRunner
  package let layers: LayerChoice
  package let plan: DrawPlan
  /// The folder of cached results.
  package let cache: URL
  /// Names the inputs: model, catalogue, items.
  package let identity: String
  /// Seconds between two saves of what is done so far.
  package var saveInterval = 30.0

  package init(
    runner: LossRunner, layers: LayerChoice, plan: DrawPlan, cache: URL, identity: String
  ) {
    self.runner = runner
    self.layers = layers
    self.plan = plan
    self.cache = cache
    self.identity = identity
  }

  /// The name of the cached file: a hash of everything that the values depend on.
  package var key: String {
    let text =
      "fisher 3\0\(identity)\0\(layers.rawValue)\0\(plan.draws)\0\(plan.window)\0\(plan.masks)\0\(plan.times)"
    return String(hexadecimal(SHA256.hash(data: Data(text.utf8))).prefix(32))
  }

  private var file: URL { cache.appendingPathComponent(key + ".safetensors") }
  private var partial: URL { cache.appendingPathComponent(key + ".partial.safetensors") }

  /// The information over `ids`.
  ///
  /// - Parameters:
  ///   - item: gives the music of an id.
  ///   - progress: called with the number of items done; throws to stop, and what is done is kept.
  /// - Throws: `AttributionError`, `OutputError`, what `item` and `progress` throw.
  package func compute(
    ids: [String], item: (String) throws -> LossItem, progress: (Int) throws -> Void
  ) throws -> FisherInformation {
    if let found = try? load() { return found }
    try FileManager.default.createDirectory(at: cache, withIntermediateDirectories: true)
    let layout = runner.model.layout
    let wanted = layers.wanted(of: layout)
    let lanes = (0..<LossRunner.lanes).map { _ in
      GradientAccumulator(layout: layout, wanted: wanted, rule: .squares)
    }
    var done = restore(lanes)
    var saved = ContinuousClock.now
    while done < ids.count {
      do { try progress(done) } catch {
        try? save(lanes, done: done)
        throw error
      }
      let draws = try plan.draws(
        of: try item(ids[done]), for: .fisher, network: runner.model.network)
      let losses = runner.accumulate(draws, runner.model.parameters, into: lanes)
      guard losses.allSatisfy(\.isFinite) else {
        throw AttributionError.lossNotFinite(item: ids[done])
      }
      done += 1
      if ContinuousClock.now - saved > .seconds(saveInterval), done < ids.count {
        try save(lanes, done: done)
        saved = .now
      }
    }
    let result = FisherInformation(
      values: LossRunner.mean(of: lanes, draws: ids.count * plan.draws), items: ids.count,
      draws: plan.draws)
    try write(result)
    try? FileManager.default.removeItem(at: partial)
    return result
  }

  private func write(_ result: FisherInformation) throws {
    let layout = runner.model.layout
    let wanted = layers.wanted(of: layout)
    let entries = zip(layout.entries, wanted).filter { $0.1 }.map { entry, _ in
      SafetensorsWriter.Entry(
        name: entry.name, shape: entry.shape, floats: floats(result.values.span(entry.range)))
    }
    try SafetensorsWriter.write(
      entries,
      metadata: ["items": "\(result.items)", "draws": "\(result.draws)", "identity": identity],
      to: file)
  }

  private func load() throws -> FisherInformation {
    let source = try SafetensorsFile(url: file)
    let store = try TensorStore(file: file)
    let layout = runner.model.layout
    let values = WorkBuffer(count: layout.count)
    for (entry, isWanted) in zip(layout.entries, layers.wanted(of: layout)) where isWanted {
      let found = try store.buffer(entry.name, shape: entry.shape)
      var target = values.mutableSpan(entry.range)
      for i in 0..<target.count { target[i] = found.span[i] }
    }
    return FisherInformation(
      values: values, items: Int(source.metadata["items"] ?? "") ?? 0,
      draws: Int(source.metadata["draws"] ?? "") ?? 0)
  }

  private func save(_ lanes: [GradientAccumulator], done: Int) throws {
    let entries = lanes.enumerated().map { lane, sums in
      SafetensorsWriter.Entry(
        name: "lane.\(lane)", shape: [sums.layout.count], floats: sums.sums.array())
    }
    try SafetensorsWriter.write(
      entries, metadata: ["items": "\(done)", "identity": identity], to: partial)
  }

  /// Takes up what a run before this one had done; returns the number of items.
  private func restore(_ lanes: [GradientAccumulator]) -> Int {
    guard let source = try? SafetensorsFile(url: partial),
      let store = try? TensorStore(file: partial),
      let done = Int(source.metadata["items"] ?? "")
    else { return 0 }
    for (lane, accumulator) in lanes.enumerated() {
      guard let found = try? store.buffer("lane.\(lane)", shape: [accumulator.layout.count]) else {
        for other in lanes { other.sums.clear() }
        return 0
      }
      accumulator.sums.copy(from: found.span)
    }
    return done
  }
}

func floats(_ span: Span<Float>) -> [Float] {
  var result: [Float] = []
  result.reserveCapacity(span.count)
  for i in 0..<span.count { result.append(span[i]) }
  return result
}
