import Foundation
import Models
import TestSupport
import Testing

@testable import Attribution

/// What is wrong with model, catalogue, store or disk is said, and nothing is lost by it.
@Suite("Attribution of what is broken")
struct BrokenInputTests {
  private func problem(_ body: () throws -> Void) -> String {
    do {
      try body()
      return "it was accepted"
    } catch { return "\(explanation(error))" }
  }

  private func explanation(_ error: any Error) -> String {
    (error as? AttributionError)?.problem ?? (error as? SafetensorsError)?.problem ?? "\(error)"
  }

  @Test("a model whose weights are not numbers: the piece is named, no ranking is written")
  func notANumber() throws {
    let tiny = try TinyDiffusion()
    let file = tiny.model.appendingPathComponent("dit.safetensors")
    let entries = try TensorStore(file: file).tensors.values.map { tensor in
      var values = try tensor.floats()
      if tensor.name.hasSuffix("project_out.weight") { values[0] = .nan }
      return SafetensorsWriter.Entry(name: tensor.name, shape: tensor.shape, floats: values)
    }
    try FileManager.default.removeItem(at: file)
    let words = problem {
      try SafetensorsWriter.write(entries, to: file)
      _ = try tiny.rank(tiny.request(), store: "a")
    }
    #expect(words.contains("not a number"), "\(words)")
  }

  @Test("a piece that is silent from start to end: said, unless the mask is off")
  func silence() throws {
    let tiny = try TinyDiffusion()
    try SafetensorsWriter.write(
      [
        .init(
          name: "track-0", shape: [20], integers: [Int32](repeating: 0, count: 20))
      ], to: tiny.catalogue.appendingPathComponent("masks.safetensors"))
    let words = problem { _ = try tiny.rank(tiny.request(), store: "a") }
    #expect(words.contains("silent"), "\(words)")
    var open = tiny.request()
    open.masksPiece = false
    #expect(try tiny.rank(open, store: "b").tracks.count == 9)
  }

  @Test("latents that are cut off: said before anything is computed")
  func truncated() throws {
    let tiny = try TinyDiffusion()
    let file = tiny.catalogue.appendingPathComponent("latents.safetensors")
    let bytes = try Data(contentsOf: file)
    try bytes.prefix(bytes.count - 5).write(to: file)
    let words = problem { _ = try tiny.rank(tiny.request(), store: "a") }
    #expect(words.contains("latents.safetensors"), "\(words)")
  }

  @Test("latents of another model's width: catalogue and model do not belong together")
  func width() throws {
    let tiny = try TinyDiffusion()
    let file = tiny.catalogue.appendingPathComponent("latents.safetensors")
    let entries = (0..<9).map {
      SafetensorsWriter.Entry(
        name: TinyDiffusion.id($0), shape: [5, 20], floats: [Float](repeating: 0.5, count: 100))
    }
    try FileManager.default.removeItem(at: file)
    try SafetensorsWriter.write(entries, to: file)
    let words = problem { _ = try tiny.rank(tiny.request(), store: "a") }
    #expect(words.contains("does not belong"), "\(words)")
  }

  @Test("a disk that is full: the command says so; with room again it goes on where it was")
  func full() throws {
    let tiny = try TinyDiffusion(tracks: 40)
    let whole = try tiny.rank(tiny.request(out: "quiet"), store: "quiet.sqlite")
    let store = tiny.folder.file("jobs.sqlite")
    let id = try JobStore(file: store).add(
      request: try JSONEncoder().encode(tiny.request(out: "made")))
    /// The largest file, in kilobytes, that the worker may write: to a program the same as a full disk.
    func work(limit: String) throws -> (status: Int32, words: String) {
      let process = Process()
      process.executableURL = URL(fileURLWithPath: "/bin/bash")
      let program = builtProducts.appendingPathComponent("continuo-worker").path
      let errors = tiny.folder.file("errors")
      try Data().write(to: errors)
      process.arguments = [
        "-c", "trap '' XFSZ; ulimit -f \(limit); exec \"$0\" \"$@\"", program, "--once", "--store",
        store.path, "--cache", tiny.folder.file("cache").path, "--osc-port", "0",
      ]
      process.standardError = try FileHandle(forWritingTo: errors)
      process.standardOutput = FileHandle.nullDevice
      try process.run()
      process.waitUntilExit()
      return (
        process.terminationStatus, String(decoding: try Data(contentsOf: errors), as: UTF8.self)
      )
    }
    let refused = try work(limit: "40")
    let state = try JobStore(file: store).job(id)
    #expect(try JobStore(file: store).faults().isEmpty)
    #expect(
      refused.words.contains("free some space")
        || state?.message.contains("free some space") == true,
      "\(refused) \(String(describing: state))")
    let again = try JobStore(file: store).add(
      request: try JSONEncoder().encode(tiny.request(out: "made")))
    #expect(try work(limit: "unlimited").status == 0)
    #expect(try JobStore(file: store).job(again)?.state == .done)
    #expect(try Ranking(folder: tiny.folder.file("made")).tracks == whole.tracks)
  }
}
