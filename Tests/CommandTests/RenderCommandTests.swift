import Audio
import Foundation
import Models
import TestSupport
import Testing

/// A wrong command line or input, and what must come of it.
struct Refusal: Sendable, CustomTestStringConvertible {
  let arguments: [String]
  let status: Int32
  let words: String
  var testDescription: String { arguments.joined(separator: " ") }

  init(_ arguments: String, _ status: Int32, _ words: String) {
    self.arguments = arguments.split(separator: " ").map(String.init)
    self.status = status
    self.words = words
  }
}

@Suite("continuo render")
struct RenderCommandTests {
  let folder: TemporaryFolder
  let model = fixture("MusicGen/mono/model").path

  init() throws { folder = try TemporaryFolder() }

  private func render(_ arguments: [String]) throws -> ProgramResult {
    try runProgram("continuo", ["render", "--model", model] + arguments, in: folder.url)
  }

  /// A file with `seconds` of a sine at half scale on every channel.
  private func sine(
    _ name: String, rate: Int = 32_000, channels: Int = 1, seconds: Double = 0.5,
    height: Double = 0.5
  ) throws {
    let channel = (0..<Int(seconds * Double(rate))).map {
      Float(height * sin(2 * .pi * 440 * Double($0) / Double(rate)))
    }
    try AudioFile.write(
      AudioClip(rate: rate, channels: [[Float]](repeating: channel, count: channels)),
      to: folder.file(name))
  }

  @Test("a prompt goes on: sound, codes and picture have the lengths that were asked for")
  func continuation() throws {
    try sine("in.wav", seconds: 1)
    let result = try render([
      "--prompt", "in.wav", "--prompt-seconds", "0.5", "--seconds", "0.33", "--seed", "1",
      "--out", "out.flac", "--codes", "out.safetensors", "--picture", "out.svg",
    ])
    #expect(result.status == 0, "\(result.errors)")
    let clip = try AudioFile.read(folder.file("out.flac"))
    #expect(clip.rate == 32_000 && clip.channels.count == 1 && clip.frames == 16_000 + 10_560)
    let codes = try CodesFile(
      contentsOf: folder.file("out.safetensors"), codebooks: 4, cardinality: 16)
    #expect(codes.frames == 25 + 17 && codes.metadata["prompt_frames"] == "25")
    let picture = try String(contentsOf: folder.file("out.svg"), encoding: .utf8)
    #expect(picture.contains("continuation") && picture.contains("seed 1"))
    #expect(result.output.contains("real-time factor"))
    #expect(
      try folder.names() == ["in.wav", "out.flac", "out.safetensors", "out.svg"])
  }

  @Test("the same seed gives the same codes with one thread and with two, another seed others")
  func reproducible() throws {
    func codes(_ threads: String, _ seed: String) throws -> CodesFile {
      let result = try render([
        "--seconds", "0.5", "--seed", seed, "--threads", threads, "--out", "o.wav", "--codes",
        "o.safetensors",
      ])
      #expect(result.status == 0, "\(result.errors)")
      return try CodesFile(contentsOf: folder.file("o.safetensors"))
    }
    let one = try codes("1", "5")
    #expect(try codes("2", "5") == one)
    #expect(try codes("2", "6").codes != one.codes)
  }

  @Test(
    "prompts of any rate and channel count are heard",
    arguments: [(8_000, 1), (192_000, 2), (44_100, 8), (22_050, 3)])
  func anyPrompt(rate: Int, channels: Int) throws {
    try sine("in.wav", rate: rate, channels: channels)
    let result = try render(["--prompt", "in.wav", "--seconds", "0.1", "--out", "o.wav"])
    #expect(result.status == 0, "\(result.errors)")
    #expect(try AudioFile.info(folder.file("o.wav")).frames == 16_000 + 3_200)
  }

  @Test("the new music alone is the end of what is written with the prompt")
  func withoutPrompt() throws {
    try sine("in.wav")
    let common = ["--prompt", "in.wav", "--seconds", "0.2", "--seed", "3", "--out"]
    #expect(try render(common + ["a.wav"]).status == 0)
    #expect(try render(common + ["b.wav", "--without-prompt"]).status == 0)
    let whole = try AudioFile.read(folder.file("a.wav")).channels[0]
    let new = try AudioFile.read(folder.file("b.wav")).channels[0]
    #expect(new == Array(whole.suffix(6_400)) && whole.count == 16_000 + 6_400)
  }

  @Test("recall loops the end of the prompt")
  func recall() throws {
    let beat = 16_000
    let clicks = (0..<4 * 32_000).map { place -> Float in
      let (at, turn) = (place % beat, place / beat % 2)
      return at < 4000
        ? Float(0.5 * sin(2 * .pi * (turn == 0 ? 220 : 330) * Double(at) / 32_000)) : 0
    }
    try AudioFile.write(
      AudioClip(rate: 32_000, channels: [clicks]), to: folder.file("clicks.wav"))
    func codes(_ recall: String) throws -> [Int32] {
      let result = try runProgram(
        "continuo",
        [
          "render", "--model", "house", "--prompt", "clicks.wav", "--prompt-seconds", "4",
          "--seconds", "3", "--seed", "1", "--recall", recall, "--out", "out.wav", "--codes",
          "out.safetensors",
        ], environment: ["XDG_CACHE_HOME": folder.file("cache").path], in: folder.url)
      #expect(result.status == 0, "\(result.errors)")
      return try CodesFile(
        contentsOf: folder.file("out.safetensors"), codebooks: 4, cardinality: 1024
      ).codes
    }
    /// Share of the new frames whose first code stood a number of frames earlier.
    func share(_ codes: [Int32], _ frames: Int) -> Double {
      let new = stride(from: 200 * 4, to: codes.count - 12, by: 4)
      return Double(new.count { codes[$0] == codes[$0 - frames * 4] })
        / Double(new.underestimatedCount)
    }
    let looped = try codes("20")
    let best = (40...200).map { share(looped, $0) }.max() ?? 0
    #expect(best > 0.9, "\(best)")
    let plain = try codes("0")
    #expect((40...200).allSatisfy { share(plain, $0) < 0.5 })
  }

  @Test("a text for a model without vocabulary is refused with what is missing")
  func noVocabulary() throws {
    try check(
      Refusal("--text jazz --seconds 0.1 --out o.wav", 66, "spiece.model"), leaving: [])
  }

  @Test("music goes on behind the window of 30 seconds")
  func long() throws {
    let result = try render(["--seconds", "31", "--seed", "1", "--out", "o.flac"])
    #expect(result.status == 0, "\(result.errors)")
    #expect(try AudioFile.info(folder.file("o.flac")).frames == 31 * 32_000)
  }

  @Test("a stereo model plays two sides that differ, whatever the prompt's channels")
  func stereo() throws {
    try sine("in.wav", channels: 1)
    let result = try render([
      "--model", fixture("MusicGen/stereo/model").path, "--prompt", "in.wav", "--seconds", "0.2",
      "--seed", "1", "--out", "o.wav",
    ])
    #expect(result.status == 0, "\(result.errors)")
    let clip = try AudioFile.read(folder.file("o.wav"))
    #expect(clip.channels.count == 2 && clip.channels[0] != clip.channels[1])
  }

  @Test("a text is read, an empty one is none, and the summary is JSON on request")
  func text() throws {
    let model = folder.file("spoken")
    try FileManager.default.copyItem(at: fixture("MusicGen/mono/model"), to: model)
    try FileManager.default.copyItem(
      at: fixture("tokenizer/spiece.model"), to: model.appendingPathComponent("spiece.model"))
    let common = ["--model", model.path, "--seconds", "0.1", "--seed", "3", "--json", "--out"]
    let spoken = try render(common + ["a.wav", "--text", "slow jazz 🎷", "--guidance", "100"])
    #expect(spoken.status == 0, "\(spoken.errors)")
    #expect(try render(common + ["b.wav", "--text", " "]).status == 0)
    #expect(try render(common + ["c.wav"]).status == 0)
    let texts = try ["a.wav", "b.wav", "c.wav"].map { try Data(contentsOf: folder.file($0)) }
    #expect(texts[1] == texts[2] && texts[0] != texts[1])
    let summary = try JSONSerialization.jsonObject(with: Data(spoken.output.utf8))
    #expect((summary as? [String: Any])?["seed"] as? Int == 3)
  }

  @Test(
    "what makes no sense is one line with the right status, and nothing is written",
    arguments: [
      Refusal("--seconds 0 --out o.wav", 64, "--seconds 0.0"),
      Refusal("--seconds -3 --out o.wav", 64, "--seconds -3.0"),
      Refusal("--seconds 1e300 --out o.wav", 64, "--seconds 1e+300"),
      Refusal("--seconds nan --out o.wav", 64, "--seconds nan"),
      Refusal("--seconds many --out o.wav", 64, "many"),
      Refusal("--prompt-seconds 0 --out o.wav", 64, "--prompt-seconds"),
      Refusal("--temperature -1 --out o.wav", 64, "--temperature"),
      Refusal("--top-p 0 --out o.wav", 64, "--top-p"),
      Refusal("--top-k -1 --out o.wav", 64, "--top-k"),
      Refusal("--recall 21 --out o.wav", 64, "--recall"),
      Refusal("--guidance inf --out o.wav", 64, "--guidance"),
      Refusal("--threads 0 --out o.wav", 64, "--threads"),
      Refusal("--seed -1 --out o.wav", 64, "seed"),
      Refusal("--weights f8 --out o.wav", 64, "f8"),
      Refusal("--seconds 1", 64, "--out"),
      Refusal("--unknown --out o.wav", 64, "--unknown"),
      Refusal("--out o.mp4", 64, ".wav"),
      Refusal("--out o.wav --codes o.wav", 64, "same file"),
      Refusal("--prompt o.wav --out ./o.wav", 64, "overwrite"),
      Refusal("--out none/o.wav", 73, "does not exist"),
      Refusal("--out . --seconds 1", 73, "folder"),
      Refusal("--out o.wav --picture none/o.svg", 73, "--picture"),
      Refusal("--prompt none.wav --out o.wav", 66, "no such file"),
      Refusal("--prompt . --out o.wav", 66, "no regular file"),
    ])
  func refused(refusal: Refusal) throws {
    try check(refusal, leaving: [])
  }

  @Test(
    "prompts without sound are refused", arguments: ["empty", "zero", "silent", "text", "short"])
  func badPrompts(kind: String) throws {
    let name = "\(kind).wav"
    let status: Int32 = 65
    switch kind {
    case "empty": try Data().write(to: folder.file(name))
    case "zero": try sine(name, seconds: 0)
    case "silent": try sine(name, height: 0)
    case "text": try Data("no sound here".utf8).write(to: folder.file(name))
    default: try sine(name, seconds: 0.01)
    }
    try check(Refusal("--prompt \(name) --seconds 0.1 --out o.wav", status, name), leaving: [name])
  }

  @Test("models that cannot be used are refused: a name, a folder, broken weights")
  func badModels() throws {
    func refuse(_ model: String, _ status: Int32, _ words: String) throws {
      let result = try runProgram(
        "continuo", ["render", "--model", model, "--seconds", "0.1", "--out", "o.wav"],
        in: folder.url)
      #expect(result.status == status && result.errors.contains(words), "\(result.errors)")
      #expect(result.errors.split(separator: "\n").count == 1 && !result.crashed)
    }
    try refuse("huose", 66, "huose")
    try refuse("./none", 66, "./none")
    try refuse(folder.url.path, 65, "config.json")
    let copy = folder.file("copy")
    try FileManager.default.copyItem(at: fixture("MusicGen/mono/model"), to: copy)
    let weights = copy.appendingPathComponent("model.safetensors")
    try Data(contentsOf: weights).prefix(50_000).write(to: weights)
    try refuse(copy.path, 65, "model.safetensors")
  }

  private func check(_ refusal: Refusal, leaving files: [String]) throws {
    let result = try render(refusal.arguments)
    #expect(result.status == refusal.status, "\(result.errors)")
    #expect(result.errors.hasPrefix("continuo: error: ") && result.errors.contains(refusal.words))
    #expect(result.errors.split(separator: "\n").count == 1, "\(result.errors)")
    #expect(!result.crashed && result.output.isEmpty)
    #expect(try folder.names() == files)
  }
}
