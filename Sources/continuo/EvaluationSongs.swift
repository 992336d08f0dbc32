// Cells of real songs: what the judge and the probes say where the truth is known.
//
// A judge that errs hears instruments that are not there, and probes miss some that are. Held-out songs with and
// without an instrument, through the codec, bound what any method can show from both sides [ours; the paper has
// real music in its listening test only].

import Foundation
import Kernels
import Models

extension EvaluationRunner {
  /// Share of a song's window in which a target sounds, to count as a song with it.
  static var wholly: Double { 0.95 }

  /// Judges and reads windows of songs of a prompt and `plan.seconds`, as clips made behind such prompts would be.
  ///
  /// Fewer windows than `plan.clips` when the songs have no more.
  func measureSongs(
    _ plan: CellPlan, _ figures: inout CellFigures, progress: (Double) throws -> Void
  ) throws {
    let prompt = songs.frames * songs.codebooks
    var source = PromptSongs(
      catalogues: songs.catalogues, codebooks: songs.codebooks,
      frames: songs.frames + Int((plan.seconds * 50).rounded()))
    source.leastShare = Self.wholly
    var seen = Set<[Int32]>()
    let windows = try source.prompts(
      targets: plan.targets, present: plan.start == .with, isValidation: plan.isValidation,
      count: plan.clips
    ).map(\.codes).filter { seen.insert($0).inserted }
    for start in stride(from: 0, to: windows.count, by: Self.atOnce) {
      let batch = Array(windows[start..<min(start + Self.atOnce, windows.count)])
      let readings = try read(batch, plan)
      for (index, codes) in batch.enumerated() {
        if start + index < listening { try keep(codes, plan, start + index) }
        let heard = try judged(
          plan, Array(codes[prompt...]), prompt: Array(codes[..<prompt]), &figures)
        figures.clips.append(
          ClipFigures(
            success: readings[index].success, reading: readings[index].mean,
            presence: heard.presence, logit: heard.logit, similarity: heard.similarity, gain: .nan))
      }
      try progress(Double(start + batch.count) / Double(windows.count))
    }
  }

  /// What the probes say of each step behind the prompts of windows (T, K) of one length: the share of steps in
  /// which they find each target, and their mean reading.
  func read(_ windows: [[Int32]], _ plan: CellPlan) throws -> [(
    success: [Float], mean: [Float]
  )] {
    let language = model.languageModel
    let pattern = DelayPattern(
      codebooks: language.config.codebooks, channels: language.config.audioChannels)
    let frames = windows[0].count / pattern.codebooks
    let workspace = LanguageModelWorkspace(config: language.config)
    let streams = windows.map { _ in
      LanguageModelStream(config: language.config, capacity: frames)
    }
    let racks = try windows.map { _ in try steering(plan) }
    let slots = plan.targets.indices
    for rack in racks { for slot in slots { rack.settings[slot].start = 1 + songs.frames } }
    var sums = windows.map { _ in [Float](repeating: 0, count: plan.targets.count) }
    var tokens = [Int32](repeating: 0, count: pattern.codebooks)
    for position in 0..<frames {
      for (stream, codes) in zip(streams, windows) {
        for book in tokens.indices {
          let frame = pattern.frame(step: position, codebook: book)
          tokens[book] =
            frame >= 0
            ? codes[frame * pattern.codebooks + book] : Int32(language.config.cardinality)
        }
        stream.feed(tokens)
      }
      language.step(streams, workspace: workspace, pool: pool)
      for (index, rack) in racks.enumerated() {
        streams[index].withHeadOutputs { rack.observe(headOutputs: $0.span, step: position + 1) }
        guard position >= songs.frames else { continue }
        for slot in slots { sums[index][slot] += rack.state.slots[slot].reading }
      }
    }
    let count = Float(max(frames - songs.frames, 1))
    return racks.indices.map { index in
      (
        slots.map { racks[index].state.slots[$0].successRate ?? 0 },
        sums[index].map { $0 / count }
      )
    }
  }
}
