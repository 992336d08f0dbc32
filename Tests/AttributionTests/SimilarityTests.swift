import Foundation
import Kernels
import Models
import TestSupport
import Testing

@testable import Attribution

@Suite("Similarity")
struct SimilarityTests {
  @Test("similarity is the cosine after standardising")
  func similarity() {
    let found = similarities(
      of: [1, 0], to: [[1, 0], [0, 1], [-1, 0]], standardises: false)
    #expect(found == [1, 0, -1])
    let scaled = similarities(
      of: [100, 1], to: [[100, 1], [0, 0], [200, 0]], standardises: true)
    #expect(scaled[0] > 0.99 && scaled[0] > scaled[2])
  }

  @Test("a feature that all tracks share says nothing after standardising, whatever its unit")
  func units() {
    let tracks: [[Float]] = [[1, 500], [2, 500], [6, 500]]
    let found = similarities(of: [5, 500], to: tracks, standardises: true)
    for (score, expected) in zip(found, [-1.0, -1, 1]) { #expect(abs(score - expected) < 1e-9) }
    let scaled = similarities(
      of: [5e-3, 500], to: tracks.map { [$0[0] * 1e-3, $0[1]] }, standardises: true)
    for (a, b) in zip(found, scaled) { #expect(abs(a - b) < 1e-5) }
  }

  @Test("nothing is like nothing: 0, not a number that is none")
  func zeros() {
    #expect(similarities(of: [0, 0], to: [[1, 2], [0, 0]], standardises: false) == [0, 0])
    #expect(similarities(of: [1, 2], to: [[0, 0]], standardises: false) == [0])
    #expect(similarities(of: [1], to: [], standardises: true).isEmpty)
  }

  private func latent(_ values: [Float], channels: Int) -> LossItem {
    LossItem(
      id: "x", frames: values.count / channels,
      content: .latent(values, channels: channels, context: [], tokens: 0, global: []))
  }

  @Test("codec features of latents are mean and deviation of every channel")
  func moments() throws {
    let tiny = try TinyDiffusion()
    let model = try AskedModel(folder: tiny.model)
    let extractor = FeatureExtractor(model: model, window: 4, pool: ComputePool())
    let found = try extractor.codec(latent([1, 3, 1, 3, 5, 5, 5, 5], channels: 2))
    #expect(found == [2, 5, 1, 0])
  }

  @Test("codec features of codes are those of the sums of their entries")
  func codes() throws {
    let model = try AskedModel(folder: fixture("MusicGen/mono/model"))
    let music = try #require(model.music)
    let extractor = FeatureExtractor(model: model, window: 4, pool: ComputePool())
    let (frames, books) = (6, 4)
    let codes = (0..<books * frames).map { Int32($0 * 5 % 16) }  // (K, T)
    let found = try extractor.codec(
      LossItem(id: "x", frames: frames, content: .codes(codes, books: books)))
    let width = music.codec.quantiser.width
    var rows = FloatBuffer(count: frames * width)
    do {
      let turned = (0..<frames).flatMap { t in (0..<books).map { codes[$0 * frames + t] } }
      var target = rows.mutableSpan
      music.codec.quantiser.decode(turned.span, count: frames, books: books, into: &target)
    }
    let latents = rows.array()
    let turned = (0..<width).flatMap { d in (0..<frames).map { latents[$0 * width + d] } }
    #expect(found == (try extractor.codec(latent(turned, channels: width))))
    #expect(throws: AttributionError.self) {
      try extractor.codec(LossItem(id: "x", frames: 6, content: .codes(codes, books: 2)))
    }
  }

  @Test("activations are a row of length 1 per layer, of the first window alone")
  func activations() throws {
    let tiny = try TinyDiffusion()
    let model = try AskedModel(folder: tiny.model)
    let extractor = FeatureExtractor(model: model, window: 8, pool: ComputePool())
    let item = try Catalogue(folder: tiny.catalogue).item("track-1")
    let found = try extractor.activations(item)
    let width = found.count / model.loss.layers
    for layer in 0..<model.loss.layers {
      let length = found[layer * width..<(layer + 1) * width].reduce(0) { $0 + $1 * $1 }
      #expect(abs(length - 1) < 1e-4)
    }
    #expect(try extractor.activations(item) == found)
    #expect(
      try extractor.activations(Catalogue(folder: tiny.catalogue).item("track-2")) != found)
  }
}
