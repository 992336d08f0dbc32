import Foundation
import Kernels
import Models
import TestSupport
import Testing

@testable import Attribution

@Suite("What attributions share")
struct AttributionContextTests {
  @Test("a catalogue of codes does not go with a diffusion model")
  func mismatch() throws {
    let tiny = try TinyDiffusion()
    let latents = tiny.catalogue.appendingPathComponent("latents.safetensors")
    try FileManager.default.moveItem(
      at: latents, to: tiny.catalogue.appendingPathComponent("codes.safetensors"))
    do {
      _ = try tiny.rank(tiny.request(), store: "a")
      Issue.record("it was accepted")
    } catch let error as AttributionError {
      #expect(error.problem.contains("does not belong to the model"))
    }
  }

  @Test("a catalogue of another number of steps per second is refused")
  func rates() throws {
    let tiny = try TinyDiffusion()
    let file = tiny.catalogue.appendingPathComponent("catalogue.json")
    for (rate, isRight) in [(50.0, true), (25, false)] {
      var head = try #require(
        try JSONSerialization.jsonObject(with: Data(contentsOf: file)) as? [String: Any])
      head["steps_per_second"] = rate
      try JSONSerialization.data(withJSONObject: head).write(to: file)
      if isRight {
        _ = try AttributionContext(tiny.request())
      } else {
        #expect(throws: AttributionError.self) { try AttributionContext(tiny.request()) }
      }
    }
  }

  @Test("captions are for language models")
  func captions() throws {
    let tiny = try TinyDiffusion()
    var request = tiny.request()
    request.hearsCaptions = true
    do {
      _ = try AttributionContext(request)
      Issue.record("it was accepted")
    } catch AttributionError.badSetting(let name, _, _) { #expect(name == "--captions") }
  }

  @Test("no number of threads means one per processor")
  func threads() throws {
    let tiny = try TinyDiffusion()
    var request = tiny.request()
    request.threads = 0
    #expect(
      try AttributionContext(request).threads == ProcessInfo.processInfo.activeProcessorCount)
    request.threads = 3
    #expect(try AttributionContext(request).threads == 3)
  }

  @Test("every track has features, a planted twin those of its track")
  func features() throws {
    let tiny = try TinyDiffusion()
    let context = try AttributionContext(tiny.request())
    let features = try context.trackFeatures()
    #expect(features.count == 9 && features[7] == features[8], "the last two are the same music")
    #expect(Set(features).count == 8)
    let planted = try context.planting(twinsOf: ["track-3"])
    #expect(planted.catalogue.tracks.count == 10 && planted.print != context.print)
    #expect(try planted.trackFeatures() == features + [features[3]])
    #expect(throws: AttributionError.self) { try context.planting(twinsOf: ["nobody"]) }
  }
}
