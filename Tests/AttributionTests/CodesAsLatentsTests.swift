import Foundation
import Kernels
import Models
import TestSupport
import Testing

@testable import Attribution

@Suite("Codes as a diffusion model hears them")
struct CodesAsLatentsTests {
  let folder: TemporaryFolder
  private let companion: URL
  private let music: MusicGen

  /// A transformer of random weights for the codec and the text encoder of Fixtures/MusicGen/mono.
  init() throws {
    folder = try TemporaryFolder()
    companion = folder.file("companion")
    try FileManager.default.copyItem(at: fixture("MusicGen/mono/model"), to: companion)
    try FileManager.default.copyItem(
      at: fixture("tokenizer/spiece.model"), to: companion.appendingPathComponent("spiece.model"))
    music = try MusicGen(folder: companion)
    try write(channels: music.codec.quantiser.width)
  }

  private var model: URL { folder.file("dit") }

  private func write(channels: Int) throws {
    try writeRandomDiffusion(
      to: model,
      arguments: [
        "io_channels": channels, "embed_dim": 64, "depth": 1, "num_heads": 2, "cond_token_dim": 0,
      ], rate: music.stepsPerSecond, mean: 2, deviation: 4)
  }

  private func catalogue(tracks: Int, frames: Int) throws -> URL {
    var random = TestRandom(seed: 5)
    let place = folder.file("catalogue")
    try FileManager.default.createDirectory(at: place, withIntermediateDirectories: true)
    try SafetensorsWriter.write(
      (0..<tracks).map {
        .init(
          name: "t\($0)", shape: [4, frames],
          integers: (0..<4 * frames).map { _ in Int32(random.next() % 16) })
      }, to: place.appendingPathComponent("codes.safetensors"))
    try JSONSerialization.data(
      withJSONObject: [
        "tracks": (0..<tracks).map {
          [
            "id": "t\($0)", "tags": "drums and bass",
            "activity": ["drums": [[0, frames / 2]], "bass": [[frames / 4, frames - 2]]],
          ]
        }
      ]
    ).write(to: place.appendingPathComponent("catalogue.json"))
    return place
  }

  @Test("latents are the sums of the codebooks' entries, scaled as in training")
  func latents() throws {
    let codes: [Int32] = [1, 2, 3, 4, 5, 6, 7, 8]  // (4, 2)
    let hearing = try CodesAsLatents(model: model, companion: companion)
    let item = LossItem(id: "x", frames: 2, content: .codes(codes, books: 4))
    let heard = try hearing.heard(item, seconds: 1)
    guard case .latent(let latent, let channels, let context, let tokens, _) = heard.content else {
      Issue.record("no latent")
      return
    }
    let width = music.codec.quantiser.width
    #expect(channels == width && tokens == 0 && context.isEmpty && latent.count == 2 * width)
    var rows = FloatBuffer(count: 2 * width)
    do {
      var target = rows.mutableSpan
      music.codec.quantiser.decode(
        [1, 3, 5, 7, 2, 4, 6, 8].span, count: 2, books: 4, into: &target)
    }
    for channel in 0..<width {
      for t in 0..<2 {
        #expect(latent[channel * 2 + t] == (rows.span[t * width + channel] - 2) / 4)
      }
    }
    // A model that reads no text hears the same with one.
    let told = hearing.told(heard, ids: [3, 4, 5], pool: ComputePool(threads: 1))
    guard case .latent(let same, _, let states, 0, _) = told.content else {
      Issue.record("it was told a text")
      return
    }
    #expect(same == latent && states.isEmpty)
  }

  @Test(
    "a diffusion model of the house's kind is asked about a catalogue of codes, and about a take")
  func attribution() throws {
    var request = AttributionRequest(
      model: model.path, catalogue: try catalogue(tracks: 6, frames: 60).path, piece: "t2",
      out: folder.file("out").path)
    request.companion = companion.path
    request.isTrack = true
    request.pieceDraws = 4
    request.windowSeconds = 0.5
    request.fisherTracks = 3
    request.threads = 2
    func rank() throws -> [Ranking] {
      try AttributionRun(
        request, store: try JobStore(file: folder.file("jobs.sqlite")), cache: folder.file("cache")
      ) { _ in }.run()
    }
    let own = try rank()
    #expect(own.map(\.method) == ["unlearning", "codec similarity", "activation similarity"])
    #expect(own[0].tracks.count == 6 && own[1].tracks[0].track.id == "t2")
    let piece = folder.file("piece.safetensors")
    try SafetensorsWriter.write(
      [.init(name: "codes", shape: [30, 4], integers: (0..<120).map { Int32($0 % 16) })], to: piece)
    request.piece = piece.path
    request.isTrack = false
    #expect(try rank()[0].kind == "similarity")
    request.companion = nil
    #expect(throws: AttributionError.self) { try rank() }
  }

  @Test("a model of other latents is refused")
  func mismatch() throws {
    try write(channels: music.codec.quantiser.width + 2)
    #expect(throws: AttributionError.self) {
      try CodesAsLatents(model: model, companion: companion)
    }
  }

  @Test("where a catalogue has no masks, a track is silent where no group of its activity sounds")
  func silence() throws {
    let item = try Catalogue(folder: try catalogue(tracks: 2, frames: 20)).item("t1")
    #expect(item.mask == (0..<20).map { $0 < 18 })
  }
}
