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
  func fuzz() throws {
    let soak = ProcessInfo.processInfo.environment["CONTINUO_SOAK"] != nil
    let seconds = soak ? 300.0 : 0.3
    var random = TestRandom(seed: soak ? UInt64.random(in: 0...UInt64.max) : 1)
    let bundle = try PresetSamples.bundle()
    let archive = bundle.archive
    let end = Date(timeIntervalSinceNow: seconds)
    var refused = 0
    var rounds = 0
    while Date() < end {
      rounds += 1
      if rounds % 2 == 0 {
        var bytes = archive
        damage(&bytes, &random)
        if (try? PresetFiles(archive: bytes, bundle: "fuzz")) == nil { refused += 1 }
      } else {
        let name = rounds % 4 == 1 ? "preset.json" : "probes.safetensors"
        let files = try PresetSamples.files { contents in
          var bytes = contents[name] ?? Data()
          damage(&bytes, &random)
          contents[name] = bytes
        }
        do {
          let read = try PresetBundle(files: files, place: "fuzz")
          for probes in read.probes.values {
            #expect(probes.theta.allSatisfy(\.isFinite) && probes.sigma.allSatisfy { $0 > 0 })
          }
        } catch is PresetError { refused += 1 }
      }
    }
    #expect(refused > 0)
    if soak { print("fuzz: \(rounds) bundles, \(refused) refused, none crashed") }
  }

  private func damage(_ data: inout Data, _ random: inout TestRandom) {
    for _ in 0..<Int.random(in: 1...4, using: &random) {
      guard !data.isEmpty else { return }
      let place = Int.random(in: 0..<data.count, using: &random)
      switch Int.random(in: 0..<5, using: &random) {
      case 0: data[place] = UInt8.random(in: 0...255, using: &random)
      case 1: data[place] ^= 1 << UInt8.random(in: 0..<8, using: &random)
      case 2:
        let end = min(place + Int.random(in: 1...64, using: &random), data.count)
        data.removeSubrange(place..<end)
      case 3:
        let end = min(place + Int.random(in: 1...64, using: &random), data.count)
        data.insert(contentsOf: data[place..<end], at: place)
      default: data[place] = [0, 0xFF, 0x7F, 0x22, 0x7B, 0x5B].randomElement(using: &random) ?? 0
      }
      data = Data(data)
    }
  }
}
