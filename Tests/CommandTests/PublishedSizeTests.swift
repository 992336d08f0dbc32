import Engine
import Foundation
import Models
import TestSupport
import Testing

#if canImport(Glibc)
  import Glibc
#endif

/// The daemon with a model of a published size, through JACK. Only with `Tests/soak small MODEL MINUTES`.
@Suite("Published size", .serialized)
struct PublishedSizeTests {
  private static let environment = ProcessInfo.processInfo.environment

  /// Eight traits of random probes for a model.
  private func bundle(_ folder: URL, knobs: Int) throws -> PresetBundle {
    let config = try MusicGenConfig(folder: folder).decoder
    let (layers, heads) = (config.layers, config.heads)
    let dimension = config.hidden / heads
    let count = layers * heads
    var manifest = PresetManifest(
      id: "org.example.eight", name: "Eight", version: "1.0.0",
      model: ModelIdentity(
        family: "musicgen", name: "random", layers: layers, heads: heads,
        headDimension: dimension,
        fingerprint: ModelFingerprint.compute(try MusicGen(folder: folder).tensors)),
      traits: (1...knobs).map {
        PresetTrait(id: "trait-\($0)", label: "Trait \($0)", ends: [], tensors: "trait-\($0)")
      })
    manifest.licence = "CC0-1.0"
    var random = TestRandom(seed: 11)
    var probes: [String: ProbeSet] = [:]
    for knob in 1...knobs {
      probes["trait-\(knob)"] = ProbeSet(
        layers: layers, heads: heads, headDimension: dimension,
        theta: random.normal(count * dimension), bias: random.normal(count),
        sigma: random.normal(count).map { abs($0) + 0.1 },
        accuracyTrain: (0..<count).map { _ in 0.75 + 0.2 * random.uniform() },
        accuracyTest: (0..<count).map { _ in 0.75 + 0.2 * random.uniform() },
        meanDifference: random.normal(count * dimension))
    }
    return try PresetBundle(manifest: manifest, probes: probes, extras: [:], place: "sample")
  }

  @Test(
    "eight knobs moving, windows changing: no underrun, and turns are heard soon",
    .enabled(if: environment["CONTINUO_SOAK_PART"] == "small" && JackServer.isInstalled))
  func live() throws {
    let path = try #require(Self.environment["CONTINUO_SOAK_MODEL"])
    let weights = Self.environment["CONTINUO_SOAK_WEIGHTS"] ?? "int8"
    let minutes = Double(Self.environment["CONTINUO_SOAK_MINUTES"] ?? "") ?? 10
    let home = try TemporaryFolder()
    let eight = home.file("eight.continuo")
    try bundle(URL(fileURLWithPath: path), knobs: 8).write(to: eight)
    let prepared = try runProgram(
      "continuo", ["model", "prepare", path, "--weights", weights],
      environment: ["XDG_CACHE_HOME": home.file("cache").path])
    try #require(prepared.status == 0, "\(prepared.errors)")

    let server = JackServer(rate: 48000, period: 256)
    defer { server.stop() }
    try #require(server.waits())
    let began = ContinuousClock.now
    let daemon = try #require(
      try RunningDaemon(
        server: server.name, ["--model", path, "--weights", weights, "--bundle", eight.path],
        folder: home))
    defer { daemon.stop() }
    try #require(daemon.waits(for: "loaded org.example.eight", seconds: 60), "\(daemon.log)")
    let ready = (ContinuousClock.now - began) / .seconds(1)
    try #require(daemon.waitsForJACK(), "\(daemon.log)")
    let socket = try OSCServer(port: 0)
    let peer = OSCPeer(host: "127.0.0.1", port: daemon.port)
    for knob in 1...8 {
      socket.send(
        OSCMessage("/subscribe", [.string("/knob/\(knob)/applied"), .int(3600)]), to: peer)
    }
    socket.send(OSCMessage("/transport/continue", [.float(0)]), to: peer)
    try #require(daemon.waits(for: "joined"), "\(daemon.log)")
    sleep(2)
    var random = TestRandom(seed: 3)
    var (seconds, factors): ([Double], [Double]) = ([], [])
    var (turns, underruns, first) = (0, 0, -1)
    let end = ContinuousClock.now + .seconds(minutes * 60)
    while ContinuousClock.now < end {
      let knob = 1 + Int(random.uniform() * 8)
      let strength = Float(Int(random.uniform() * 4)) - 1
      socket.send(OSCMessage("/knob/\(min(knob, 8))/strength", [.float(strength)]), to: peer)
      turns += 1
      if turns % 10 == 0 { socket.send(OSCMessage("/status"), to: peer) }
      let pause = ContinuousClock.now + .seconds(0.4 + 0.4 * Double(random.uniform()))
      while ContinuousClock.now < pause {
        for message in socket.receive().flatMap(\.messages) {
          if message.path.hasSuffix("/applied"), message.arguments.count == 3 {
            seconds.append(message.arguments[2].number ?? 0)
          } else if message.path == "/reply", message.arguments.count > 7 {
            factors.append(message.arguments[4].number ?? 0)
            underruns = Int(message.arguments[7].number ?? 0)
            if first < 0 { first = underruns }
            #expect(message.arguments[1].text == "playing")
          }
        }
        usleep(5000)
      }
    }
    try #require(!seconds.isEmpty && !factors.isEmpty, "\(daemon.log)")
    let sorted = seconds.sorted()
    let high = sorted[min(sorted.count - 1, sorted.count * 99 / 100)]
    let memory =
      (try? String(
        contentsOfFile: "/proc/\(daemon.processIdentifier)/status", encoding: .utf8)) ?? ""
    let peak = memory.split(separator: "\n").first { $0.hasPrefix("VmHWM:") } ?? ""
    print(
      """
      published size, \(weights), \(minutes) min: ready after \(String(format: "%.1f", ready)) s, \
      \(turns) turns, \(seconds.count) applied: median \(Int(sorted[sorted.count / 2] * 1000)) ms, \
      99th percentile \(Int(high * 1000)) ms; real-time factor \
      \(String(format: "%.2f", factors.reduce(0, +) / Double(factors.count))) (highest \
      \(String(format: "%.2f", factors.max() ?? 0))); underruns \(underruns - first) after the first \
      reading, \(first) before; \(peak)
      """)
    #expect(underruns == 0)
    #expect(high <= 0.4)
  }
}
