import Audio
import Engine
import Foundation
import Models
import TestSupport
import Testing

@testable import continuo

@Suite("Preset preview")
struct PresetPreviewTests {
  let folder: TemporaryFolder
  private let model = fixture("MusicGen/mono/model").path

  init() throws {
    folder = try TemporaryFolder()
    try SmallCatalogue.bundle(["drums", "bass"]).write(to: folder.file("knobs"))
    try Data("Do what you like.\n".utf8).write(to: folder.file("LICENSE"))
  }

  private func new(_ more: String...) throws -> ProgramResult {
    try runProgram(
      "continuo",
      [
        "preset", "new", "made.continuo", "--id", "org.example.band", "--name", "Band", "--from",
        "knobs", "--model", model,
      ] + more, environment: ["XDG_DATA_HOME": folder.file("data").path], in: folder.url)
  }

  @Test("one command makes a bundle with a preview, a card with figures, and the licence's text")
  func whole() throws {
    let samples = (0..<32_000 * 4).map { Float(0.3 * sin(2 * .pi * 220 * Double($0) / 32_000)) }
    try AudioFile.write(
      AudioClip(rate: 32_000, channels: [samples]), to: folder.file("prompt.wav"))
    let result = try new(
      "--preview-seconds", "1", "--preview-prompt", "prompt.wav", "--card", "--licence-file",
      "LICENSE")
    #expect(result.status == 0, "\(result.errors)")
    let bundle = try PresetBundle(at: folder.file("made.continuo"))
    let contents = bundle.files.contents
    #expect(contents["LICENSE"] == Data("Do what you like.\n".utf8))
    let card = String(decoding: try #require(contents["README.md"]), as: UTF8.self)
    #expect(
      card.hasPrefix("# Band, for the model tiny")
        && card.contains("| drums | without | with |") == false)
    #expect(card.contains("| knob | without | with |") && card.contains("90.0 %"))
    let preview = folder.file("preview.flac")
    try #require(contents["preview.flac"]).write(to: preview)
    let clip = try AudioFile.read(preview)
    // Two knobs, each 3 + 1 s twice, half a second between.
    #expect(clip.rate == 32_000 && abs(clip.seconds - (4 * 4 + 3 * 0.5)) < 0.05)
    #expect(clip.peak > 0.01 && clip.peak < 1)
    #expect(try new("--preview-seconds", "100").status == 64)
    #expect(try new("--preview-seconds", "1", "--preview", "prompt.wav").status == 64)
    #expect(try new("--card", "--readme", "LICENSE").status == 64)
  }

  @Test("knobs keep their dose unless another is given")
  func dose() throws {
    func defaults() throws -> PresetTrait.Defaults {
      try PresetBundle(at: folder.file("made.continuo")).manifest.traits[1].defaults
    }
    #expect(try new().status == 0)
    let kept = try defaults()
    #expect(kept.alpha == 5 && kept.period == 5 && kept.direction == .probe)
    #expect(try new("--alpha", "2.5", "--direction", "mean-difference").status == 0)
    let changed = try defaults()
    #expect(changed.alpha == 2.5 && changed.period == 5 && changed.direction == .meanDifference)
    #expect(try new("--alpha", "0").status == 64)
    #expect(try new("--direction", "up").status == 64)
  }

  @Test("without a card and a preview a bundle holds what it held")
  func plain() throws {
    #expect(try new().status == 0)
    let names = try PresetBundle(at: folder.file("made.continuo")).files.contents.keys.sorted()
    #expect(names == ["SHA256SUMS", "preset.json", "probes.safetensors"])
  }
}
