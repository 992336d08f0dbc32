import Engine
import Foundation
import Models
import TestSupport
import Testing

#if canImport(Glibc)
  import Glibc
#endif

@Suite("continuo preset")
struct PresetCommandTests {
  let folder: TemporaryFolder
  private let environment: [String: String]

  init() throws {
    folder = try TemporaryFolder()
    environment = [
      "XDG_DATA_HOME": folder.file("data").path, "XDG_CACHE_HOME": folder.file("cache").path,
    ]
  }

  private func run(_ arguments: String...) throws -> ProgramResult {
    try runProgram("continuo", ["preset"] + arguments, environment: environment, in: folder.url)
  }

  /// A bundle for a model of one layer with `layers` × 2 heads.
  private func bundle(_ version: String, layers: Int = 2) throws -> PresetBundle {
    let count = layers * 2
    let ones = [Float](repeating: 0.9, count: count)
    let vectors = [Float](repeating: 0.5, count: count * 4)
    var manifest = PresetManifest(
      id: "org.example.bell", name: "Bell", version: version,
      model: ModelIdentity(
        family: "musicgen", name: "tiny", layers: layers, heads: 2, headDimension: 4,
        fingerprint: String(repeating: "0", count: 64)),
      traits: [PresetTrait(id: "bell", label: "Bell", ends: [], tensors: "bell")])
    manifest.licence = "CC0-1.0"
    let probes = ProbeSet(
      layers: layers, heads: 2, headDimension: 4, theta: vectors, bias: ones, sigma: ones,
      accuracyTrain: ones, accuracyTest: ones, meanDifference: vectors)
    return try PresetBundle(
      manifest: manifest, probes: ["bell": probes], extras: [:], place: "sample")
  }

  @Test("two versions are listed, the lower as hidden; removing the higher brings the lower back")
  func versions() throws {
    for version in ["1.0.0", "1.1.0"] {
      try bundle(version).write(to: folder.file("bell.continuo"))
      #expect(try run("install", "bell.continuo").status == 0)
    }
    let list = try run("list").output
    #expect(list.contains("org.example.bell@1.1.0") && list.contains("(hidden by "))
    let info = try run("info", "org.example.bell").output
    #expect(info.contains("org.example.bell@1.1.0"))
    let removed = try run("remove", "org.example.bell")
    #expect(removed.output.contains("org.example.bell@1.0.0 is used from now on"))
  }

  @Test("packing is the same everywhere; what is packed verifies; what is damaged does not")
  func pack() throws {
    try bundle("1.0.0").write(to: folder.file("bell"))
    #expect(try run("pack", "bell", "--out", "a.continuo").status == 0)
    #expect(try run("pack", "bell", "--out", "b.continuo").status == 0)
    var data = try Data(contentsOf: folder.file("a.continuo"))
    #expect(try data == Data(contentsOf: folder.file("b.continuo")))
    #expect(try run("verify", "a.continuo").output.contains("good"))
    data[data.count / 2] ^= 1
    try data.write(to: folder.file("c.continuo"))
    let refused = try run("verify", "c.continuo")
    #expect(refused.status == 65 && refused.errors.split(separator: "\n").count == 1)
    #expect(try run("verify", "nowhere.continuo").status == 66)
  }

  @Test("new puts knobs of several bundles together")
  func new() throws {
    try bundle("1.0.0").write(to: folder.file("bell"))
    let made = try run(
      "new", "band.continuo", "--id", "org.example.band", "--name", "Band", "--from", "bell",
      "--author", "Ann")
    #expect(made.status == 0, "\(made.errors)")
    let band = try PresetBundle(at: folder.file("band.continuo"))
    #expect(band.manifest.id == "org.example.band" && band.trait("bell") != nil)
    #expect(band.manifest.authors == ["Ann"])
  }

  @Test("an install that is killed at a random point leaves the old bundle whole")
  func killedSoak() throws {
    let soak = ProcessInfo.processInfo.environment["CONTINUO_SOAK"] != nil
    try bundle("1.0.0").write(to: folder.file("old.continuo"))
    #expect(try run("install", "old.continuo").status == 0)
    // The same version with other contents: it would replace the old file.
    try bundle("1.0.0", layers: 400).write(to: folder.file("new.continuo"))
    let place = folder.file("data/continuo/presets/org.example.bell@1.0.0.continuo")
    let old = try Data(contentsOf: place)
    let new = try bundle("1.0.0", layers: 400).archive
    var kept = 0
    // Kills are spread over a little more than the time that a whole install takes here and now.
    let clock = ContinuousClock()
    let started = clock.now
    #expect(try run("install", "new.continuo").status == 0)
    let whole = UInt32(min((clock.now - started) / .microseconds(1), 5e6))
    for _ in 0..<(soak ? 100 : 6) {
      try old.write(to: place)
      let process = Process()
      process.executableURL = URL(fileURLWithPath: CommandLine.arguments[0])
        .resolvingSymlinksInPath().deletingLastPathComponent().appendingPathComponent("continuo")
      process.arguments = ["preset", "install", folder.file("new.continuo").path]
      process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
      process.standardOutput = FileHandle.nullDevice
      process.standardError = FileHandle.nullDevice
      try process.run()
      usleep(UInt32.random(in: 0...whole + whole / 3))
      kill(process.processIdentifier, SIGKILL)
      process.waitUntilExit()
      let now = try Data(contentsOf: place)
      #expect(now == old || now == new)
      if now == old { kept += 1 }
    }
    if soak { print("killed installs: \(kept) of 100 left the old bundle, the others the new one") }
    #expect(try run("install", "new.continuo").status == 0)
    let names = try FileManager.default.contentsOfDirectory(
      atPath: place.deletingLastPathComponent().path)
    #expect(names == [place.lastPathComponent])
  }
}
