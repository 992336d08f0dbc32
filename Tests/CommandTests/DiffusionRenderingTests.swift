import Audio
import Foundation
import TestSupport
import Testing

@Suite("continuo render with a diffusion model")
struct DiffusionRenderingTests {
  let folder: TemporaryFolder

  init() throws {
    folder = try TemporaryFolder()
    try SmallDiffusion.write(to: folder.file("dit"))
  }

  private func render(_ arguments: String) throws -> ProgramResult {
    try runProgram(
      "continuo",
      ["render", "--model", "./dit"] + arguments.split(separator: " ").map(String.init),
      in: folder.url)
  }

  @Test("the same seed makes the same music, on one thread and on two")
  func seeds() throws {
    let common = "--text jazz --seconds 0.5 --steps 4"
    for (seed, threads, name) in [(1, 1, "a"), (1, 2, "b"), (2, 2, "c")] {
      let result = try render("\(common) --seed \(seed) --threads \(threads) --out \(name).wav")
      #expect(result.status == 0, "\(result.errors)")
      #expect(result.output.contains("0.50 s of new music"))
    }
    let clips = try ["a", "b", "c"].map { try AudioFile.read(folder.file("\($0).wav")) }
    #expect(clips[0].frames == 16_000 && clips[0].peak > 0)
    #expect(clips[0].channels == clips[1].channels && clips[0].channels != clips[2].channels)
  }

  @Test("text and guidance change what is made")
  func text() throws {
    for (name, more) in [("a", ""), ("b", "--text drums"), ("c", "--text drums --guidance 1")] {
      let result = try render("--seconds 0.2 --steps 3 --seed 1 --out \(name).wav \(more)")
      #expect(result.status == 0, "\(result.errors)")
    }
    let clips = try ["a", "b", "c"].map { try AudioFile.read(folder.file("\($0).wav")).channels }
    #expect(clips[0] != clips[1] && clips[1] != clips[2])
  }

  @Test("what makes no sense with it is refused by name, and nothing is written")
  func refusals() throws {
    for (arguments, words) in [
      ("--prompt x.wav", "--prompt"), ("--weights int8", "--weights"), ("--steps 0", "--steps"),
      ("--seconds -1", "--seconds"),
    ] {
      let result = try render("\(arguments) --out no.wav")
      #expect(result.status == 64 && result.errors.contains(words), "\(result.errors)")
    }
    #expect(!FileManager.default.fileExists(atPath: folder.file("no.wav").path))
    let other = try runProgram(
      "continuo", ["render", "--sampler", "ddim", "--out", "x.wav"], in: folder.url)
    #expect(other.status == 64 && other.errors.contains("--sampler"))
  }
}
