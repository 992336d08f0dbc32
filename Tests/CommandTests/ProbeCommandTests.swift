import Audio
import Engine
import Foundation
import Models
import TestSupport
import Testing

/// A whole way on the tiny model: sounds, probes, bundle, knob, evaluation.
@Suite("continuo probe")
struct ProbeCommandTests {
  let folder: TemporaryFolder
  let model = fixture("MusicGen/mono/model").path
  private let environment: [String: String]

  init() throws {
    folder = try TemporaryFolder()
    environment = [
      "XDG_DATA_HOME": folder.file("data").path, "XDG_CACHE_HOME": folder.file("cache").path,
    ]
    // Noise has the trait, silence-like tones do not.
    var random = TestRandom(seed: 4)
    for name in ["with", "without"] {
      try FileManager.default.createDirectory(
        at: folder.file(name), withIntermediateDirectories: true)
      for song in 0..<4 {
        let samples = (0..<32_000).map { index -> Float in
          name == "with"
            ? 0.4 * random.uniform()
            : 0.4 * Float(sin(2 * .pi * (110.0 * Double(song + 1)) * Double(index) / 32_000))
        }
        try AudioFile.write(
          AudioClip(rate: 32_000, channels: [samples]), to: folder.file("\(name)/song\(song).wav"))
      }
    }
  }

  private func run(_ arguments: String...) throws -> ProgramResult {
    try runProgram("continuo", arguments, environment: environment, in: folder.url)
  }

  /// The tiny codec hears all sounds alike, so the other side is the model's own output.
  /// Its random weights decide little, so only a large dose changes what is drawn.
  private func train(_ more: String...) throws -> ProgramResult {
    try runProgram(
      "continuo",
      [
        "probe", "train", "--model", model, "--trait", "noise", "--positive", "with",
        "--own-output", "--segment-seconds", "0.4", "--licence", "CC0-1.0", "--alpha", "1000",
        "--period",
        "1",
      ] + more, environment: environment, in: folder.url)
  }

  @Test("a trait is taught, drawn, packed, installed, turned and removed again")
  func wholeWay() throws {
    let first = try train("--out", "noise", "--picture", "heads.svg")
    #expect(first.status == 0, "\(first.errors)")
    #expect(first.output.contains("best head"))
    let bundle = try PresetBundle(at: folder.file("noise"))
    #expect(bundle.manifest.id == "local.noise" && bundle.manifest.traits[0].training?.tracks == 4)
    let picture = try String(contentsOf: folder.file("heads.svg"), encoding: .utf8)
    #expect(picture.hasPrefix("<svg") && picture.contains("held-out accuracy"))

    // The second training finds its activations and gives the same bundle.
    let second = try train("--out", "noise.continuo")
    #expect(second.status == 0)
    #expect(try PresetBundle(at: folder.file("noise.continuo")).files == bundle.files)

    let test = try run(
      "probe", "test", "noise", "--model", model, "--positive", "with", "--negative", "without",
      "--segment-seconds", "0.4")
    #expect(test.status == 0 && test.output.contains("monitors together"))
    #expect(try run("preset", "verify", "noise.continuo", "--model", model).status == 0)
    #expect(try run("preset", "install", "noise.continuo").status == 0)
    #expect(try run("preset", "list").output.contains("local.noise@1.0.0"))

    let plain = try render("plain", [])
    let off = try render("off", ["--knob", "noise=0"])
    let up = try render("up", ["--knob", "noise=2", "--meters", "m.csv", "--picture", "p.svg"])
    #expect(plain == off)
    #expect(plain != up)
    let meters = try String(contentsOf: folder.file("m.csv"), encoding: .utf8).split(
      separator: "\n")
    #expect(meters.count > 20 && meters[0] == "step,seconds,knob,strength,reading,threshold,gain")
    #expect(try String(contentsOf: folder.file("p.svg"), encoding: .utf8).contains("threshold"))

    #expect(try run("preset", "remove", "local.noise").status == 0)
    #expect(!(try run("preset", "list").output.contains("local.noise")))
  }

  /// Codes of half a second from a fixed seed.
  private func render(_ name: String, _ knobs: [String]) throws -> Data {
    let result = try runProgram(
      "continuo",
      [
        "render", "--model", model, "--seconds", "0.5", "--seed", "5", "--temperature", "0",
        "--out", "\(name).wav",
        "--codes", "\(name).safetensors",
      ] + knobs, environment: environment, in: folder.url)
    #expect(result.status == 0, "\(result.errors)")
    return try Data(contentsOf: folder.file("\(name).safetensors"))
  }

  @Test("a knob gets the dose that its model asks for, but for what the command line says")
  func doses() throws {
    let own = folder.file("model")
    try FileManager.default.copyItem(atPath: model, toPath: own.path)
    func dose(_ more: String...) throws -> PresetTrait.Defaults {
      let result = try runProgram(
        "continuo",
        [
          "probe", "train", "--model", own.path, "--trait", "noise", "--positive", "with",
          "--own-output", "--segment-seconds", "0.4", "--out", "noise",
        ] + more, environment: environment, in: folder.url)
      #expect(result.status == 0, "\(result.errors)")
      return try PresetBundle(at: folder.file("noise")).manifest.traits[0].defaults
    }
    // The tiny model has four heads, far from a published size.
    let small = try dose()
    #expect(small.alpha == 5 && small.period == 1 && small.direction == .meanDifference)
    #expect(small.hardHeads == 1)
    try Data(#"{"alpha": 3, "direction": "mean-difference", "period": 2}"#.utf8).write(
      to: own.appendingPathComponent("steering.json"))
    let named = try dose()
    #expect(named.alpha == 3 && named.period == 2 && named.direction == .meanDifference)
    let mixed = try dose("--alpha", "5", "--direction", "probe")
    #expect(mixed.alpha == 5 && mixed.period == 2 && mixed.direction == .probe)
    try Data("{}".utf8).write(to: own.appendingPathComponent("steering.json"))
    let result = try runProgram(
      "continuo",
      [
        "probe", "train", "--model", own.path, "--trait", "noise", "--positive", "with",
        "--own-output", "--segment-seconds", "0.4", "--out", "other",
      ], environment: environment, in: folder.url)
    #expect(result.status == 65 && result.errors.contains("steering.json names no dose"))
  }

  @Test("what cannot be learned from is refused in one line")
  func refusals() throws {
    func refused(_ arguments: [String], _ status: Int32, _ words: String) throws {
      let result = try runProgram(
        "continuo", ["probe", "train", "--model", model] + arguments, environment: environment,
        in: folder.url)
      #expect(result.status == status, "\(arguments): \(result.status) \(result.errors)")
      #expect(result.errors.contains(words), "\(result.errors)")
      #expect(result.errors.split(separator: "\n").count == 1)
    }
    try refused(["--trait", "noise"], 64, "nothing to learn from")
    try refused(["--trait", "Noise!", "--positive", "with"], 64, "--trait")
    try refused(["--trait", "noise", "--positive", "with"], 64, "--negative")
    try refused(["--trait", "noise", "--positive", "x", "--negative", "without"], 66, "no such")
    try refused(["--trait", "noise", "--stems", "with"], 64, "--stem")
    try refused(
      ["--trait", "noise", "--positive", "with", "--negative", "without"], 65,
      "at least 4 are needed")
  }

  @Test("classes and numbers are learned too")
  func otherTasks() throws {
    let classes = try runProgram(
      "continuo",
      [
        "probe", "train", "--model", model, "--trait", "kind", "--classes", "with", "--classes",
        "without", "--segment-seconds", "0.4", "--json",
      ], environment: environment, in: folder.url)
    #expect(classes.status == 0 && classes.output.contains("\"best\""), "\(classes.errors)")
    let rows = (0..<4).map { "with/song\($0).wav,0.\($0)" }
    try Data((["file,value"] + rows).joined(separator: "\n").utf8).write(to: folder.file("t.csv"))
    let targets = try run(
      "probe", "train", "--model", model, "--trait", "value", "--targets", "t.csv",
      "--segment-seconds", "0.4")
    #expect(targets.status == 0 && targets.output.contains("regression"), "\(targets.errors)")
  }
}
