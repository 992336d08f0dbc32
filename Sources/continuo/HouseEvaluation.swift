// How good a generator is: continuations, text, held-out cross entropy, and what single heads know.
//
// Source: issue “The house band”, what must be shown; Training/evaluate.py measures the same in PyTorch.

import Audio
import Foundation
import Kernels
import Models
import Reporting

/// Runs the parts; each finished batch is kept by the store.
struct HouseEvaluation {
  let model: MusicGen
  let judge: Recogniser
  let songs: [TestSong]
  /// Groups that the songs' tags name; empty without a catalogue.
  let groups: [String]
  let promptSteps: Int
  let steps: Int
  /// Temperature, top k and guidance; every clip has a seed of its own.
  let sampling: SamplingSettings
  let seed: UInt64
  let store: EvaluationStore
  let pool: ComputePool

  /// Columns of one pass over the weights that give every clip the codes that it would get alone.
  private static var atOnce: Int { LanguageModel.exactColumns }
  /// Clips whose spectrograms are shown.
  static let shown = 3
  /// Seconds of music from a caption.
  static let textSeconds = 8
  /// Steps of a stretch whose cross entropy is measured: 10 s.
  static let stretch = 500

  private var codebooks: Int { model.config.decoder.codebooks }

  private func settings(_ seed: UInt64) -> SamplingSettings {
    var own = sampling
    own.seed = seed
    return own
  }

  // MARK: continuation

  /// Every prompt continued.
  func continuation() throws -> [ContinuationClip] {
    var clips: [ContinuationClip] = []
    let bar = ProgressBar("continuation", total: Double(songs.count))
    defer { bar.finish() }
    for start in stride(from: 0, to: songs.count, by: Self.atOnce) {
      let range = start..<min(start + Self.atOnce, songs.count)
      clips += try store.value("continuation-\(start)") {
        try continuation(range) { bar.show(Double(start) + $0 * Double(range.count)) }
      }
    }
    return clips
  }

  private func continuation(_ range: Range<Int>, progress: (Double) -> Void) throws
    -> [ContinuationClip]
  {
    let total = promptSteps + steps
    let generators = range.map { index -> CodeGenerator in
      let prompt = Array(songs[index].codes.prefix(promptSteps * codebooks))
      return CodeGenerator(
        model: model.languageModel, prompt: prompt,
        settings: settings(seed &* 1_000_003 &+ UInt64(index)),
        theme: model.pulse.theme(of: prompt), frameLimit: total, pool: pool)
    }
    while generators[0].wholeFrames < total {
      CodeGenerator.step(generators)
      let done = generators[0].wholeFrames - promptSteps
      if done % 50 == 0 { progress(0.5 * Double(done) / Double(steps)) }
    }
    // The song behind the last one lends its continuation too.
    let actual = try (range.lowerBound...range.upperBound).map {
      try sound(songs[$0 % songs.count].codes)
    }
    let cut = promptSteps * model.hop
    let rate = model.config.sampleRate
    return try generators.enumerated().map { place, generator in
      let codes = generator.codes(0..<total)
      let made = try sound(codes)
      let own = actual[place]
      let prompt = Array(own[..<cut])
      progress(0.5 + 0.5 * Double(place + 1) / Double(range.count))
      let index = range.lowerBound + place
      func figures(_ rest: [Float]) -> ContinuationFigures {
        ContinuationFigures(
          of: Array(rest[cut...]), behind: prompt, rate: rate, songTempo: songs[index].track?.bpm)
      }
      return ContinuationClip(
        song: songs[index].id, model: figures(made), own: figures(own),
        other: figures(actual[place + 1]), codes: index < Self.shown ? codes : nil)
    }
  }

  /// Mono sound of codes, the mean of all channels.
  private func sound(_ codes: [Int32]) throws -> [Float] {
    AudioClip(rate: model.config.sampleRate, channels: try model.decode(codes, pool: pool)).mono
  }

  func table(of clips: [ContinuationClip]) -> FigureTable {
    var table = FigureTable(
      title:
        "Continuation: \(clips.count) prompts of \(seconds(promptSteps)) s, \(seconds(steps)) s each",
      note: """
        Tempo within 4 % of the prompt's as it is heard there, and of the song's as it was composed (where the \
        catalogue knows it), half and double counting; cosine of mean chroma; share with more than \
        2 s below -60 dB; loudness, new part against prompt, in LU: mean size and mean change. All through the codec.
        """,
      columns: [
        .share("same tempo"), .share("song's tempo"), .init("chroma"), .share("silent"),
        .init("drift LU", decimals: 1),
        .init("change LU", decimals: 1),
      ])
    let kinds: [(String, (ContinuationClip) -> ContinuationFigures)] = [
      ("the model", \.model), ("the song's own continuation", \.own), ("another song", \.other),
    ]
    for (name, figures) in kinds {
      let all = clips.map(figures)
      let isLong = all.map { $0.silence > ContinuationFigures.longSilence ? 1.0 : 0 }
      table.rows.append(
        .init(
          name,
          [
            meanOfFinite(all.map { $0.isSameTempo ? 1 : 0 }),
            meanOfFinite(all.compactMap { $0.isSongTempo.map { $0 ? 1 : 0 } }),
            meanOfFinite(all.map(\.chroma)),
            meanOfFinite(isLong), meanOfFinite(all.map { abs($0.change) }),
            meanOfFinite(all.map(\.change)),
          ]))
    }
    table.rows.append(.init("wanted", [0.8, 0.8, 0.85, 0.03, 3, nil]))
    return table
  }

  private func seconds(_ steps: Int) -> String {
    String(format: "%g", Double(steps) / Double(model.stepsPerSecond))
  }

  /// Spectrograms of the first clips, each above what really follows in its song.
  func pictures(of clips: [ContinuationClip]) throws -> [EvaluationPage.Picture] {
    try clips.enumerated().flatMap { index, clip -> [EvaluationPage.Picture] in
      guard let codes = clip.codes else { return [] }
      let join = Double(promptSteps) / Double(model.stepsPerSecond)
      return try [("continued by the model", codes), ("as it goes on", songs[index].codes)].map {
        title, codes in
        let clip = AudioClip(rate: model.config.sampleRate, channels: [try sound(codes)])
        let name = "\(songs[index].id), \(title)"
        return .init(title: name, svg: SoundPicture(title: name, clip: clip, join: join).svg())
      }
    }
  }

  // MARK: text

  /// Which groups a caption named, and how much of the music the judge heard each in.
  struct TextClip: Codable {
    var named: [Bool]
    /// Share of the seconds, per group; nil where the judge does not know it.
    var heard: [Double?]
  }

  /// One clip per song from captions that name a random half of the groups.
  func text() throws -> [TextClip] {
    let words = CaptionWords(tracks: songs.compactMap(\.track), groups: groups)
    var clips: [TextClip] = []
    let bar = ProgressBar("text", total: Double(songs.count))
    defer { bar.finish() }
    let atOnce = sampling.guidance == 1 ? Self.atOnce : Self.atOnce / 2
    for start in stride(from: 0, to: songs.count, by: atOnce) {
      let range = start..<min(start + atOnce, songs.count)
      clips += try store.value("text-\(start)") {
        try text(range, words) { bar.show(Double(start) + $0 * Double(range.count)) }
      }
    }
    return clips
  }

  private func text(_ range: Range<Int>, _ words: CaptionWords, progress: (Double) -> Void) throws
    -> [TextClip]
  {
    let total = Self.textSeconds * model.stepsPerSecond
    var named: [[Bool]] = []
    let generators = try range.map { index -> CodeGenerator in
      var random = SeededRandom(seed: seed &* 7919 &+ UInt64(index))
      var chosen = groups.map { _ in Bool.random(using: &random) }
      if !chosen.contains(true), let one = chosen.indices.randomElement(using: &random) {
        chosen[one] = true
      }
      named.append(chosen)
      let names = zip(groups, chosen).filter(\.1).map(\.0)
      let caption = songs[index].track.map { words.caption($0, naming: names, random: &random) }
      return CodeGenerator(
        model: model.languageModel,
        text: try model.textContext(caption ?? names.joined(separator: ", "), pool: pool),
        settings: settings(seed &* 2_000_003 &+ UInt64(index)), frameLimit: total, pool: pool)
    }
    while generators[0].wholeFrames < total {
      CodeGenerator.step(generators)
      progress(Double(generators[0].wholeFrames) / Double(total))
    }
    return try zip(generators, named).map { generator, named in
      let logits = judge.hear(try sound(generator.codes(0..<total))).logits
      let heard = groups.map { group -> Double? in
        guard let column = judge.groups.firstIndex(of: group), !logits.isEmpty else { return nil }
        return Double(logits.count { $0[column] > 0 }) / Double(logits.count)
      }
      return TextClip(named: named, heard: heard)
    }
  }

  func table(of clips: [TextClip]) -> FigureTable {
    var table = FigureTable(
      title: "Text: \(clips.count) captions, \(Self.textSeconds) s each",
      note: """
        Share of the seconds in which the recogniser hears a group whose name is in the caption, and whose name is \
        not; each caption names a random half of the groups. Wanted: twice as often. Guidance \
        \(String(format: "%g", sampling.guidance)).
        """,
      columns: [.share("named"), .share("not named"), .init("ratio", decimals: 2)])
    for (index, group) in groups.enumerated() {
      func heard(_ isNamed: Bool) -> Double {
        meanOfFinite(clips.filter { $0.named[index] == isNamed }.compactMap { $0.heard[index] })
      }
      let (yes, no) = (heard(true), heard(false))
      table.rows.append(.init(group, [yes, no, yes / no]))
    }
    return table
  }

  // MARK: language

  /// Losses without and with a caption of what sounds in the stretch.
  struct LanguageLoss: Codable {
    var plain: NextCodeReader.Loss
    var told: NextCodeReader.Loss
  }

  /// The loss of one stretch of 10 s of every song.
  func language() throws -> LanguageLoss {
    let words = CaptionWords(tracks: songs.compactMap(\.track), groups: groups)
    let reader = NextCodeReader(model: model.languageModel, pool: pool)
    var sum = LanguageLoss(
      plain: .init(codebooks: codebooks), told: .init(codebooks: codebooks))
    let bar = ProgressBar("language", total: Double(songs.count))
    defer { bar.finish() }
    for start in Swift.stride(from: 0, to: songs.count, by: 20) {
      let part: LanguageLoss = try store.value("language-\(start)") {
        var part = LanguageLoss(
          plain: .init(codebooks: codebooks), told: .init(codebooks: codebooks))
        for index in start..<min(start + 20, songs.count) {
          bar.show(Double(index))
          let song = songs[index]
          let frames = min(song.codes.count / codebooks, Self.stretch)
          let first = (song.codes.count / codebooks - frames) * index / max(songs.count - 1, 1)
          let codes = Array(song.codes[first * codebooks..<(first + frames) * codebooks])
          part.plain += reader.loss(of: codes)
          guard let track = song.track, !groups.isEmpty else { continue }
          let sounding = groups.filter {
            ActivityCatalogue.share(track, $0, first..<first + frames) > 0.08
          }
          var random = SeededRandom(seed: seed &* 104_729 &+ UInt64(index))
          let caption = words.caption(track, naming: sounding, random: &random)
          part.told += reader.loss(of: codes, text: try model.textContext(caption, pool: pool))
        }
        return part
      }
      sum.plain += part.plain
      sum.told += part.told
    }
    return sum
  }

  func table(of loss: LanguageLoss) -> FigureTable {
    var table = FigureTable(
      title: "Held-out cross entropy, nats per code",
      note: String(
        format: "%d steps of %d songs, a stretch of up to 10 s each; a uniform guess has %.3f.",
        loss.plain.count, songs.count, log(Double(model.config.decoder.cardinality))),
      columns: (0..<codebooks).map { .init("book \($0 + 1)") } + [.init("mean")])
    func row(_ name: String, _ loss: NextCodeReader.Loss) {
      guard loss.count > 0 else { return }
      table.rows.append(
        .init(name, loss.means + [loss.means.reduce(0, +) / Double(codebooks)]))
    }
    row("without text", loss.plain)
    row("with its caption", loss.told)
    return table
  }
}
