// What a codec keeps: waveform, log-mel spectra, the use of its codebooks, and which instruments its codes tell.
//
// Source: issue “The house band”; Training/evaluate.py measures the same in PyTorch on random windows.

import Audio
import Foundation
import Kernels
import Models
import Reporting

/// Runs over songs; each finished one is kept by the store.
struct CodecEvaluation {
  let model: MusicGen
  /// Sound files, or folders of stems.
  let files: [URL]
  /// Length that is taken of every file, in steps.
  let steps: Int
  /// What is known of the songs, by file name without its ending.
  let tracks: [String: ActivityCatalogue.Track]
  let groups: [String]
  /// Tells which groups sound in each second; nil leaves it out.
  let judge: Recogniser?
  /// nil leaves Opus out.
  let opus: OpusTools?
  let store: EvaluationStore
  let pool: ComputePool

  /// Steps of a window: 3 s.
  static let window = 150
  /// Quieter windows are left out: −60 dB.
  static let silence: Float = 1e-6
  /// A group that sounds less than this in a window is absent, more than that present; between, unclear.
  static let (absent, present) = (0.05, 0.3)
  /// Songs whose spectrograms are shown.
  static let shown = 2

  private var rate: Int { model.config.sampleRate }

  /// One version of one window against the original.
  struct Likeness: Codable {
    /// dB.
    var distortion: Double
    var logMel: Double
  }

  struct Window: Codable {
    /// First step.
    var start: Int
    /// Share of the time that each group sounds; empty when nobody knows.
    var shares: [Double]
    var codec: Likeness
    var unquantised: Likeness
    var opus: Likeness?
  }

  struct Song: Codable {
    var name: String
    /// (T, K).
    var codes: [Int32]
    var windows: [Window]
    var recognition: Recognition?
  }

  /// Seconds in which it is clear whether a group sounds, and those that the recogniser tells right: of the song as
  /// it was given, and through the codec. One number per group.
  struct Recognition: Codable {
    var clear: [Int]
    var given: [Int]
    var coded: [Int]
  }

  /// A song in all its versions.
  private struct Versions {
    var given: [Float]
    /// Steps in which each group's stems sound (G, T); nil without stems.
    var activity: [[Bool]]?
    var codes: [Int32]
    var codec: [Float]
    var unquantised: [Float]
    var opus: [Float]?
  }

  private func versions(of file: URL) throws -> Versions {
    let seconds = Double(steps) / Double(model.stepsPerSecond)
    let (sound, activity) = try given(file, seconds: seconds)
    var samples = sound
    // Whole steps, so that everything that comes back is as long.
    samples.removeLast(samples.count % model.hop)
    guard samples.count >= Self.window * model.hop else {
      throw ProbeMaterialError.tooLittle(
        what: "seconds of sound in \(printable(file.lastPathComponent))",
        found: samples.count / rate, needed: Self.window / model.stepsPerSecond)
    }
    let books = model.booksPerChannel
    let latents = try model.codec.latents(of: samples, pool: pool)
    let codes = model.codec.quantise(latents, codebooks: books, pool: pool)
    return Versions(
      given: samples, activity: activity, codes: codes,
      codec: try model.codec.decode(codes, codebooks: books, pool: pool),
      unquantised: try model.codec.decode(latents: latents, pool: pool),
      opus: try opus?.roundTrip(samples, rate: rate))
  }

  /// A sound file, or the mix of a folder of stems and when they sound: 20 ms above -52 dB.
  private func given(_ place: URL, seconds: Double) throws -> ([Float], [[Bool]]?) {
    func read(_ file: URL) throws -> [Float] {
      try AudioFile.read(file, part: .first(seconds: seconds), channels: .mono)
        .resampled(to: rate).mono
    }
    guard place.hasDirectoryPath else { return (try read(place), nil) }
    func add(_ sound: [Float], to sum: inout [Float]) {
      if sum.count < sound.count {
        sum += [Float](repeating: 0, count: sound.count - sum.count)
      }
      for index in sound.indices { sum[index] += sound[index] }
    }
    var mix: [Float] = []
    var parts = [[Float]](repeating: [], count: groups.count)
    for file in try ProbeMaterial.audioFiles(in: place) {
      let sound = try read(file)
      add(sound, to: &mix)
      let name = file.deletingPathExtension().lastPathComponent.lowercased()
      if let group = groups.firstIndex(where: { name.contains($0) }) {
        add(sound, to: &parts[group])
      }
    }
    let hop = model.hop
    let least = Float(SegmentCutter.stemSilence * SegmentCutter.stemSilence)
    let activity = parts.map { part in
      (0..<mix.count / hop).map { step -> Bool in
        guard (step + 1) * hop <= part.count else { return false }
        var sum: Float = 0
        for index in step * hop..<(step + 1) * hop { sum += part[index] * part[index] }
        return sum / Float(hop) >= least
      }
    }
    return (mix, activity)
  }

  /// Measures every song.
  func songs() throws -> [Song] {
    let bar = ProgressBar("codec", total: Double(files.count))
    defer { bar.finish() }
    let mel = MelDistance(rate: rate)
    return try files.enumerated().map { index, file in
      let name = file.deletingPathExtension().lastPathComponent
      let song: Song = try store.value("codec-\(index)") {
        let versions = try versions(of: file)
        return Song(
          name: name, codes: versions.codes, windows: windows(of: versions, name, mel),
          recognition: recognition(of: versions, name))
      }
      bar.show(Double(index + 1))
      return song
    }
  }

  private func windows(of song: Versions, _ name: String, _ mel: MelDistance) -> [Window] {
    let length = Self.window * model.hop
    var windows: [Window] = []
    for start in Swift.stride(from: 0, through: song.given.count - length, by: length) {
      let range = start..<start + length
      let given = Array(song.given[range])
      guard given.reduce(0, { $0 + $1 * $1 }) / Float(length) >= Self.silence else { continue }
      let spectra = mel.spectra(of: given)
      func likeness(_ sound: [Float]) -> Likeness {
        let part = Array(sound[range])
        return Likeness(
          distortion: scaleInvariantDistortion(of: part, reference: given),
          logMel: mel.distance(spectra, mel.spectra(of: part)))
      }
      let first = start / model.hop
      windows.append(
        Window(
          start: first,
          shares: shares(song, name, first..<first + Self.window),
          codec: likeness(song.codec), unquantised: likeness(song.unquantised),
          opus: song.opus.map(likeness)))
    }
    return windows
  }

  /// Share of some steps in which each group sounds; empty when nobody knows.
  private func shares(_ song: Versions, _ name: String, _ range: Range<Int>) -> [Double] {
    if let activity = song.activity {
      return activity.map { group in
        Double(group[range].count { $0 }) / Double(range.count)
      }
    }
    guard let track = tracks[name] else { return [] }
    return groups.map { ActivityCatalogue.share(track, $0, range) }
  }

  /// Listens to a song and to what came back of it; nil when nobody knows what sounds, or without a judge.
  private func recognition(of song: Versions, _ name: String) -> Recognition? {
    guard let judge, !shares(song, name, 0..<1).isEmpty else { return nil }
    let none = [Int](repeating: 0, count: groups.count)
    var result = Recognition(clear: none, given: none, coded: none)
    let perSecond = model.stepsPerSecond
    let hearings = [judge.hear(song.given).logits, judge.hear(song.codec).logits]
    for second in 0..<min(hearings[0].count, hearings[1].count) {
      let range = second * perSecond..<(second + 1) * perSecond
      guard range.upperBound * model.hop <= song.given.count else { break }
      for (group, share) in shares(song, name, range).enumerated() {
        // A second in which a group sounds for less than 0.16 s is not clear.
        let steps = share * Double(perSecond)
        guard steps < 0.5 || steps >= 7.5,
          let column = judge.groups.firstIndex(of: groups[group])
        else { continue }
        result.clear[group] += 1
        if (hearings[0][second][column] > 0) == (steps >= 7.5) { result.given[group] += 1 }
        if (hearings[1][second][column] > 0) == (steps >= 7.5) { result.coded[group] += 1 }
      }
    }
    return result
  }

  // MARK: tables

  func likeness(_ songs: [Song]) -> FigureTable {
    let windows = songs.flatMap(\.windows)
    let known = windows.filter { !$0.shares.isEmpty }
    let bits =
      Double(model.stepsPerSecond * model.booksPerChannel)
      * log2(Double(model.config.decoder.cardinality))
    var table = FigureTable(
      title: "What comes back: \(windows.count) windows of 3 s of \(songs.count) songs",
      note: """
        SI-SDR in dB; log-mel distance (natural logarithm, four resolutions), also over the windows in which a \
        group sounds. Songs pass whole, windows below -60 dB are left out. Wanted of the codec: 6 dB.
        """
          + (opus == nil
            ? " Opus was left out: opusenc and opusdec (package opus-tools) were not asked or not found."
            : ""),
      columns: [.init("SI-SDR", decimals: 2), .init("log-mel")]
        + (known.isEmpty ? [] : groups.map { .init($0) }))
    func row(_ name: String, _ version: (Window) -> Likeness?) {
      var values: [Double?] = [
        meanOfFinite(windows.compactMap { version($0)?.distortion }),
        meanOfFinite(windows.compactMap { version($0)?.logMel }),
      ]
      if !known.isEmpty {
        values += groups.indices.map { group in
          meanOfFinite(
            known.filter { $0.shares[group] >= Self.present }.compactMap { version($0)?.logMel })
        }
      }
      table.rows.append(.init(name, values))
    }
    row(String(format: "the codec, %.1f kbit/s", bits / 1000)) { $0.codec }
    row("without its quantiser") { $0.unquantised }
    if opus != nil { row("Opus, \(OpusTools.kilobits) kbit/s asked for") { $0.opus } }
    return table
  }

  /// How often the recogniser is right; nil when it was not asked.
  func recogniser(_ songs: [Song]) -> FigureTable? {
    let found = songs.compactMap(\.recognition)
    guard !found.isEmpty else { return nil }
    var table = FigureTable(
      title: "The recogniser: seconds told right",
      note: "A second in which a group sounds for less than 0.16 s leaves it out. "
        + "Wanted: 95 % as given, 90 % through the codec.",
      columns: [.share("as given"), .share("coded"), .init("seconds", decimals: 0)])
    for (group, name) in groups.enumerated() {
      func sum(_ part: (Recognition) -> [Int]) -> Double {
        Double(found.reduce(0) { $0 + part($1)[group] })
      }
      let clear = sum(\.clear)
      table.rows.append(.init(name, [sum(\.given) / clear, sum(\.coded) / clear, clear]))
    }
    return table
  }

  /// e to the entropy of each book's codes.
  func perplexity(_ songs: [Song]) -> FigureTable {
    let (books, V) = (model.booksPerChannel, model.config.decoder.cardinality)
    let codes = songs.flatMap(\.codes)
    var table = FigureTable(
      title: "Use of the codebooks",
      note: "Perplexity over \(codes.count / books) steps, of \(V) codes; wanted: 40 % of them.",
      columns: (0..<books).map { .init("book \($0 + 1)", decimals: 0) })
    table.rows.append(
      .init("perplexity", (0..<books).map { Self.perplexity(codes, book: $0, books: books, V) }))
    table.rows.append(.init("wanted", (0..<books).map { _ in 0.4 * Double(V) }))
    return table
  }

  static func perplexity(_ codes: [Int32], book: Int, books: Int, _ cardinality: Int) -> Double {
    var counts = [Double](repeating: 0, count: cardinality)
    for place in stride(from: book, to: codes.count, by: books) { counts[Int(codes[place])] += 1 }
    let total = counts.reduce(0, +)
    let entropy = counts.reduce(0.0) {
      $1 > 0 ? $0 - $1 / total * log($1 / total) : $0
    }
    return exp(entropy)
  }

  // MARK: presence

  /// A linear classifier of presence on counts of codes over 3 s, taught by a catalogue, examined on the songs.
  /// - Parameter limit: windows to learn from, at most.
  func presence(_ songs: [Song], teacher: ActivityCatalogue, limit: Int) throws -> FigureTable {
    let (books, V) = (model.booksPerChannel, model.config.decoder.cardinality)
    let examined = songs.flatMap { song in
      song.windows.filter { !$0.shares.isEmpty }.map { window in
        (
          features: Self.counts(
            song.codes, window.start, books: books, cardinality: V), shares: window.shares
        )
      }
    }
    var learned: [(features: [Float], shares: [Double])] = []
    let perTrack = max(limit / max(teacher.tracks.count, 1), 1)
    for track in evenly(teacher.tracks, limit) {
      let codes = try teacher.codes(track, codebooks: books)
      let last = codes.count / books - Self.window
      guard last >= 0 else { continue }
      for start in evenly(Array(Swift.stride(from: 0, through: last, by: Self.window)), perTrack) {
        learned.append(
          (
            Self.counts(codes, start, books: books, cardinality: V),
            groups.map { ActivityCatalogue.share(track, $0, start..<start + Self.window) }
          ))
      }
    }
    var table = FigureTable(
      title: "What counts of codes tell: a linear classifier of presence over 3 s",
      note: """
        Share of held-out windows told right, both kinds weighing the same; a group that sounds in 5 to 30 % of a \
        window leaves it out. Wanted: drums and bass 96 %, the others 93 %.
        """,
      columns: [.share("right"), .init("learned", decimals: 0), .init("examined", decimals: 0)])
    let bar = ProgressBar("classifier", total: Double(groups.count))
    defer { bar.finish() }
    for (group, name) in groups.enumerated() {
      func isClear(_ window: (features: [Float], shares: [Double])) -> Bool {
        window.shares[group] <= Self.absent || window.shares[group] >= Self.present
      }
      let (lessons, questions) = (learned.filter(isClear), examined.filter(isClear))
      let labels = lessons.map { $0.shares[group] >= Self.present ? 1 : 0 }
      guard Set(labels).count == 2, !questions.isEmpty else {
        table.rows.append(
          .init(name, [nil, Double(lessons.count), Double(questions.count)]))
        continue
      }
      // The penalty of Training/linear_probe.py, 0.01 ‖w‖² per window, for two models whose difference decides.
      let models = multinomialRegression(
        features: lessons.flatMap(\.features), labels: labels, classes: 2,
        dimension: books * V, regularisation: 0.04 * Double(lessons.count))
      var right = [0.0, 0.0]
      var total = [0.0, 0.0]
      for question in questions {
        let scores = models.map { model in
          zip(model.weight, question.features).reduce(model.bias) { $0 + $1.0 * $1.1 }
        }
        let isPresent = question.shares[group] >= Self.present
        total[isPresent ? 1 : 0] += 1
        if (scores[1] > scores[0]) == isPresent { right[isPresent ? 1 : 0] += 1 }
      }
      let shares = zip(right, total).filter { $0.1 > 0 }.map { $0.0 / $0.1 }
      table.rows.append(
        .init(
          name, [meanOfFinite(shares), Double(lessons.count), Double(questions.count)]))
      bar.show(Double(group + 1))
    }
    return table
  }

  /// Square roots of how often each code occurs in a window.  // (K · V)
  static func counts(_ codes: [Int32], _ start: Int, books: Int, cardinality: Int) -> [Float] {
    var counts = [Float](repeating: 0, count: books * cardinality)
    for place in start * books..<(start + window) * books {
      counts[place % books * cardinality + Int(codes[place])] += 1
    }
    return counts.map { $0.squareRoot() }
  }

  /// Spectrograms of the first songs in all versions.
  func pictures() throws -> [EvaluationPage.Picture] {
    try files.prefix(Self.shown).flatMap { file in
      let song = try versions(of: file)
      let all: [(name: String, sound: [Float]?)] = [
        ("as given", song.given), ("through the codec", song.codec),
        ("without its quantiser", song.unquantised), ("through Opus", song.opus),
      ]
      return all.compactMap { version -> EvaluationPage.Picture? in
        guard let sound = version.sound else { return nil }
        let title = "\(file.deletingPathExtension().lastPathComponent), \(version.name)"
        let clip = AudioClip(rate: rate, channels: [Array(sound.prefix(10 * rate))])
        return EvaluationPage.Picture(
          title: title, svg: SoundPicture(title: title, clip: clip).svg())
      }
    }
  }
}
