// `continuo evaluate house`: how good a generator is, on songs that no training saw.

import ArgumentParser
import Engine
import Foundation
import HouseModel
import Kernels
import Models
import Reporting

/// What is measured.
enum HousePart: String, CaseIterable, ExpressibleByArgument {
  case continuation, text, language, heads, distance
}

struct EvaluateHouseCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "house",
    abstract: "Continuations, text, cross entropy and heads of a generator.",
    discussion: """
      Songs are the shipped test songs, those of --catalogue, or the sound files of --audio. continuation: \
      prompts are continued and compared with the song's own continuation and with another song's. text: the \
      recogniser listens for the groups that captions name. language: cross entropy per codebook. heads: the \
      best single head's linear probe of each group, taught by --learn-from. distance: Fréchet distance, in the \
      recogniser's embedding, of clips from nothing (and of a --diffusion model's) to the catalogue's songs \
      through the codec, beside the songs' own two halves. Without a catalogue, text, heads and distance are \
      left out.

      With --out every finished part is kept there, so that an interrupted run goes on.

      Examples:
        continuo evaluate house --out figures
        continuo evaluate house --songs 20 --part continuation --report house.html
        continuo evaluate house --model my-model --audio songs/ --seconds 20 --json
      """)

  @OptionGroup var machine: ProbeModelOptions
  @Option(help: "How weights are kept in memory: f32, bf16, int8 or int4.")
  var weights: WeightFormat = .f32
  @Option(help: "A catalogue of test songs; may be repeated; default: the shipped ones.")
  var catalogue: [String] = []
  @Option(help: "A folder of sound files instead of a catalogue.") var audio: String?
  @Option(help: "What is measured; default: everything; repeated.") var part: [HousePart] = []
  @Option(help: "Songs, at most.") var songs = 200
  @Option(help: "A diffusion model whose clips are measured by distance too.") var diffusion:
    String?
  @Option(help: "Seconds of new music per prompt.") var seconds = 20.0
  @Option(name: .customLong("prompt-seconds"), help: "Seconds of prompt.") var promptSeconds = 10.0
  @Option(help: "Sampling temperature, from 0 (always the likeliest).") var temperature: Float = 1
  @Option(name: .customLong("top-k"), help: "How many of the likeliest codes are drawn from.")
  var topK = 250
  @Option(help: "How strongly the prompt comes back; default: the model's; see “continuo render”.")
  var recall: Float?
  @Option(help: "Classifier-free guidance with text.") var guidance: Float = 3
  @Option(help: "Chooses the random numbers.") var seed: UInt64 = 1
  @Option(
    name: .customLong("learn-from"),
    help: "Catalogue that teaches the heads; default: the shipped one.")
  var learnFrom: String?
  @Option(name: .customLong("learn-songs"), help: "Songs that teach the heads, at most.")
  var learnSongs = 400
  @Option(help: "The folder of the outside judge; default: the shipped one.") var recogniser:
    String?
  @Option(help: "A folder for finished parts and report.txt, report.json, report.html.")
  var out: String?
  @Option(help: "An HTML page to write, with the spectrograms of a few clips.") var report: String?
  @Flag(help: "The figures as JSON.") var json = false

  func run() throws {
    guard (2...100_000).contains(songs), (1...100_000).contains(learnSongs) else {
      throw CommandError.badValue(
        option: "--songs or --learn-songs", value: "\(songs), \(learnSongs)",
        expected: "2 to 100000 songs")
    }
    guard (1.0...600).contains(seconds), (0.5...29).contains(promptSeconds) else {
      throw CommandError.badValue(
        option: "--seconds or --prompt-seconds", value: "\(seconds), \(promptSeconds)",
        expected: "1 to 600 seconds behind prompts of 0.5 to 29 seconds")
    }
    guard guidance.isFinite, (1...10).contains(guidance) else {
      throw CommandError.badValue(option: "--guidance", value: "\(guidance)", expected: "1 to 10")
    }
    guard recall.map(ModelSampling.recalls.contains) ?? true else {
      throw CommandError.badValue(
        option: "--recall", value: "\(recall ?? 0)", expected: "0 to 20 nats")
    }
    guard (0.0...10).contains(temperature), topK >= 0 else {
      throw CommandError.badValue(
        option: "--temperature or --top-k", value: "\(temperature), \(topK)",
        expected: "a temperature of 0 to 10, a top k from 1 (0: all codes)")
    }
    if audio != nil, !catalogue.isEmpty {
      throw CommandError.clash(what: "--audio and --catalogue", remedy: "give one of them")
    }
    if let report {
      try OutputPlace.check(URL(fileURLWithPath: report), option: "--report")
    }
    let loaded = try machine.load(weights: weights)
    let judge = try Recogniser(
      folder: recogniser.map { URL(fileURLWithPath: $0) }
        ?? HouseModel.resources.appendingPathComponent("recogniser"))
    guard judge.rate == loaded.model.config.sampleRate else {
      throw CommandError.clash(
        what: "the judge hears \(judge.rate) frames per second, the model makes "
          + "\(loaded.model.config.sampleRate)", remedy: "give a judge of the model's rate")
    }
    let recall = recall ?? loaded.model.sampling.recall
    let sampling = SamplingSettings(
      temperature: temperature, topK: topK, guidance: guidance, recall: recall)
    let rate = Double(loaded.model.stepsPerSecond)
    let promptSteps = Int((promptSeconds * rate).rounded())
    let steps = Int((seconds * rate).rounded())
    let codebooks = loaded.model.config.decoder.codebooks
    let places = catalogue.isEmpty && audio == nil ? [TestSongs.shipped] : catalogue
    let catalogues = try places.map { try ActivityCatalogue(named: $0) }
    let found =
      try audio.map {
        try TestSongs.of(
          URL(fileURLWithPath: $0), model: loaded.model, frames: promptSteps + steps, count: songs,
          pool: loaded.pool)
      }
      ?? TestSongs.of(
        catalogues, codebooks: codebooks, frames: promptSteps + steps, count: songs)
    try TestSongs.check(found, seconds: promptSeconds + seconds)
    let groups = catalogues.first?.groups ?? []
    let folder = out.map { URL(fileURLWithPath: $0) }
    if let folder { try DataFolders.make(folder) }
    let codes = found.flatMap(\.codes).reduce(UInt64(0)) {
      $0 &* 31 &+ UInt64(bitPattern: Int64($1))
    }
    let evaluation = HouseEvaluation(
      model: loaded.model, judge: judge, songs: found, groups: groups, promptSteps: promptSteps,
      steps: steps, sampling: sampling, seed: seed,
      store: EvaluationStore(
        folder: folder,
        key:
          "\(loaded.reader.fingerprint) \(judge.digest) \(codes) \(promptSteps) \(steps) \(guidance) \(seed)"
          + " \(temperature) \(topK) \(recall) \(weights.rawValue)"
      ),
      pool: loaded.pool)
    var page = EvaluationPage(title: "Music of model \(printable(loaded.identity.name))")
    page.notes = [
      "\(found.count) songs that no training saw, \(audio == nil ? "as codes" : "from sound files"); seed \(seed), "
        + "temperature \(temperature), top k \(topK), recall \(recall), weights \(weights.rawValue)."
    ]
    for part in part.isEmpty ? HousePart.allCases : HousePart.allCases.filter(part.contains) {
      switch part {
      case .continuation:
        let clips = try evaluation.continuation()
        page.tables.append(evaluation.table(of: clips))
        page.pictures = try evaluation.pictures(of: clips)
      case .text where groups.isEmpty:
        page.notes.append("Text was left out: sound files name no groups of instruments.")
      case .text: page.tables.append(evaluation.table(of: try evaluation.text()))
      case .language: page.tables.append(evaluation.table(of: try evaluation.language()))
      case .heads where groups.isEmpty:
        page.notes.append("Heads were left out: sound files do not say what sounds when.")
      case .heads: page.tables.append(try heads(loaded, catalogues))
      case .distance where audio != nil:
        page.notes.append("Distance was left out: it is measured against the songs of a catalogue.")
      case .distance: page.tables.append(try distance(loaded, places[0], found.count))
      }
      if let folder { try page.write(to: folder) }
    }
    if let report {
      try AtomicFile.write(Data(page.html.utf8), to: URL(fileURLWithPath: report))
    }
    if json { try printJSON(page) } else { print(page.text) }
  }

  /// How far clips lie from the songs of a catalogue; every second song is the reference.
  private func distance(
    _ loaded: ProbeModelOptions.Loaded, _ catalogue: String, _ count: Int
  ) throws -> FigureTable {
    func ear(_ folder: URL, companion: URL?) throws -> GenerationQuality {
      try GenerationQuality(
        model: folder, companion: companion,
        recogniser: recogniser.map { URL(fileURLWithPath: $0) }
          ?? HouseModel.resources.appendingPathComponent("recogniser"),
        catalogue: catalogue, count: count, threads: machine.threads ?? 0)
    }
    let own = try ear(loaded.model.folder, companion: nil)
    let reference = try own.songs { $0 % 2 == 1 }
    var table = FigureTable(
      title: "Fréchet distance to test songs through the codec, recogniser's embedding",
      note:
        "\(count) clips of \(GenerationQuality.seconds) s; fewer vectors give larger distances.",
      columns: [.init("distance", decimals: 1), .init("seconds", decimals: 0)])
    func add(_ name: String, _ fit: GaussianFit) {
      table.rows.append(.init(name, [fit.distance(to: reference), Double(fit.count)]))
    }
    add("the other half of the songs, through the codec", try own.songs { $0 % 2 == 0 })
    add("language model, from nothing", try own.clips(count))
    if let diffusion {
      let folder = try AttributeRunCommand.folder(ofModel: diffusion)
      add(
        "diffusion model, from the songs' tags",
        try ear(folder, companion: loaded.model.folder).clips(count))
    }
    return table
  }

  /// The best head's probe of each group: taught by one catalogue, examined by the test songs.
  private func heads(_ loaded: ProbeModelOptions.Loaded, _ test: [ActivityCatalogue]) throws
    -> FigureTable
  {
    let place =
      learnFrom ?? HouseModel.resources.appendingPathComponent("catalogue").path
    let teacher = try ActivityCatalogue(named: place)
    let config = loaded.model.config.decoder
    let frames = min(3 * loaded.model.stepsPerSecond, 1400)
    var table = FigureTable(
      title: "What single heads know: linear probes of presence",
      note:
        "z of the last step of 3 s; share of held-out segments told right, both kinds weighing the same; the best head is chosen on them.",
      columns: [
        .share("best head"), .init("layer", decimals: 0), .init("head", decimals: 0),
        .share("mean head"), .init("learned", decimals: 0), .init("examined", decimals: 0),
      ])
    let wanted = ["drums": 0.93, "bass": 0.85, "guitar": 0.85, "piano": 0.85]
    for group in test[0].groups where teacher.groups.contains(group) {
      var items = evenly(
        try teacher.items(group: group, frames: frames, perItem: 2, codebooks: config.codebooks),
        learnSongs)
      for index in items.indices { items[index].side = .train }
      var examined = try test.flatMap {
        try $0.items(group: group, frames: frames, perItem: 3, codebooks: config.codebooks)
      }
      for index in examined.indices { examined[index].side = .test }
      let dataset = try loaded.reader.read(items + examined, title: group)
      let labels = dataset.values.map { $0 > 0.5 }
      var split = dataset.split(testShare: 0.25, seed: seed)
      split.train = balanced(split.train, labels, limit: nil, seed: seed)
      split.test = balanced(split.test, labels, limit: nil, seed: seed)
      guard split.train.count >= 4, !split.test.isEmpty else {
        table.rows.append(.init(group, [nil, nil, nil, nil, 0, 0]))
        continue
      }
      let probes = ProbeTraining.train(
        dataset.activations, labels: labels, split: split, pool: loaded.pool)
      let best = probes.bestHeads(count: 1).first ?? 0
      table.rows.append(
        .init(
          group + (wanted[group].map { String(format: " (wanted %.0f %%)", $0 * 100) } ?? ""),
          [
            Double(probes.accuracyTest[best]), Double(best / probes.heads + 1),
            Double(best % probes.heads + 1),
            Double(probes.accuracyTest.reduce(0, +)) / Double(probes.headCount),
            Double(split.train.count), Double(split.test.count),
          ]))
    }
    return table
  }
}
