import Foundation
import Kernels
import Models
import TestSupport
import Testing

@testable import Attribution

@Suite("The piece that is attributed")
struct PieceTests {
  private let folder: TemporaryFolder
  private let model: AskedModel

  init() throws {
    folder = try TemporaryFolder()
    model = try AskedModel(folder: fixture("MusicGen/mono/model"))
  }

  /// A take's folder with `frames` frames, of which the first `prompt` were the player's.
  private func take(frames: Int, prompt: Int) throws -> (url: URL, codes: [Int32]) {
    let url = folder.file("take-\(frames)-\(prompt)")
    try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
    let codes = (0..<frames * 4).map { Int32($0 % 16) }
    try SafetensorsWriter.write(
      [.init(name: "codes", shape: [frames, 4], integers: codes)],
      to: url.appendingPathComponent("codes.safetensors"))
    try JSONSerialization.data(
      withJSONObject: ["fingerprint": "abc", "model": "tiny", "promptFrames": prompt]
    ).write(to: url.appendingPathComponent("take.json"))
    return (url, codes)
  }

  @Test("a take is read as it was played, and its prompt is heard but not unlearned")
  func takes() throws {
    let (url, codes) = try take(frames: 100, prompt: 30)
    let piece = try Piece(path: url, model: model, pool: ComputePool())
    #expect(piece.maker == "abc" && !piece.isTrack && piece.item.frames == 100)
    #expect(piece.item.mask == (0..<100).map { $0 >= 30 })
    guard case .codes(let turned, let books) = piece.item.content else {
      Issue.record("no codes")
      return
    }
    #expect(books == 4)
    #expect(turned == (0..<4).flatMap { k in (0..<100).map { codes[$0 * 4 + k] } })
    let free = try Piece(
      path: try take(frames: 100, prompt: 0).url, model: model, pool: ComputePool())
    #expect(free.item.mask == nil && free.item.id == piece.item.id)
  }

  @Test("a file of codes stands for the same piece as the take that holds it")
  func files() throws {
    let (url, codes) = try take(frames: 60, prompt: 0)
    let other = folder.file("codes.safetensors")
    try CodesFile(codes: codes, codebooks: 4).write(to: other)
    let first = try Piece(path: url, model: model, pool: ComputePool())
    let second = try Piece(path: other, model: model, pool: ComputePool())
    #expect(first.item.id == second.item.id)
  }

  @Test("what is not there, and what is too short, is refused")
  func refused() throws {
    #expect(throws: AttributionError.self) {
      try Piece(path: folder.file("nowhere"), model: model, pool: ComputePool())
    }
    let empty = try take(frames: 0, prompt: 0).url
    #expect(throws: (any Error).self) {
      try Piece(path: empty, model: model, pool: ComputePool())
    }
  }
}
