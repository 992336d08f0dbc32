import Engine
import Foundation
import Models
import TestSupport
import Testing

@Suite("Preset bundle")
struct PresetBundleTests {
  @Test("packing the same files twice gives the same bytes, and a folder packs to the same")
  func deterministic() throws {
    let folder = try TemporaryFolder()
    let bundle = try PresetSamples.bundle()
    try bundle.write(to: folder.file("drums"))
    let read = try PresetBundle(at: folder.file("drums"))
    #expect(read.archive == bundle.archive)
    #expect(read.files.digest == bundle.files.digest && read.probes == bundle.probes)
    try read.write(to: folder.file("drums.continuo"))
    #expect(try PresetBundle(at: folder.file("drums.continuo")).files == bundle.files)
  }

  @Test("the fingerprint has three states: same, same dimensions, refused naming both")
  func fingerprint() throws {
    let bundle = try PresetSamples.bundle()
    #expect(try bundle.compatibility(with: PresetSamples.model()) == .same)
    let other = PresetSamples.model(fingerprint: "b")
    #expect(
      try bundle.compatibility(with: other)
        == .sameDimensions(.otherWeights(made: "tiny", model: "tiny")))
    var larger = other
    larger.layers = 48
    #expect { try bundle.compatibility(with: larger) } throws: {
      "\($0)".contains("2 layers") && "\($0)".contains("48 layers")
    }
  }

  @Test("a missing licence is a warning, a useless probe too")
  func warnings() throws {
    #expect(try PresetSamples.bundle().warnings.isEmpty)
    let unlicensed = try PresetSamples.bundle(replacing: "CC0-1.0", with: "")
    #expect(unlicensed.warnings == [.noLicence])
    var probes = PresetSamples.probes()
    probes.accuracyTest = probes.accuracyTest.map { _ in 0.5 }
    let weak = try PresetBundle(
      manifest: PresetSamples.manifest(), probes: ["drums": probes], extras: [:], place: "b")
    #expect(weak.warnings == [.weakProbe(trait: "drums", accuracy: 0.5)])
  }

  @Test("a bundle without its two required files is refused")
  func required() throws {
    for name in ["preset.json", "probes.safetensors"] {
      let files = try PresetSamples.files { $0[name] = nil }
      #expect { try PresetBundle(files: files, place: "b") } throws: { "\($0)".contains(name) }
    }
    let readme = try PresetSamples.files { $0["README.md"] = Data([0xFF]) }
    #expect { try PresetBundle(files: readme, place: "b") } throws: { "\($0)".contains("README") }
  }

  @Test("writing over something that is no bundle is refused and changes nothing")
  func inTheWay() throws {
    let folder = try TemporaryFolder()
    let place = folder.file("music")
    try FileManager.default.createDirectory(at: place, withIntermediateDirectories: false)
    try Data("song".utf8).write(to: place.appendingPathComponent("song.txt"))
    #expect(throws: PresetError.self) { try PresetSamples.bundle().write(to: place) }
    #expect(try FileManager.default.contentsOfDirectory(atPath: place.path) == ["song.txt"])
    #expect(try folder.names() == ["music"])
  }

  @Test("bundles with random damage are refused or read, never anything else")
  func fuzzBroken() throws {
    let bundle = try PresetSamples.bundle()
    let zip = fuzz("preset-zip", [bundle.archive], rounds: 1500) { bytes in
      _ = try PresetFiles(archive: bytes, bundle: "fuzz")
    }
    #expect(zip.refused > 0)
    for name in ["preset.json", "probes.safetensors"] {
      let good = try #require(bundle.files.contents[name])
      let result = fuzz("preset-\(name)", [good], rounds: 400) { bytes in
        let files = try PresetSamples.files { $0[name] = bytes }
        let read = try PresetBundle(files: files, place: "fuzz")
        for probes in read.probes.values {
          #expect(probes.theta.allSatisfy(\.isFinite) && probes.sigma.allSatisfy { $0 > 0 })
        }
      }
      #expect(result.refused > 0)
    }
  }
}
