import Audio
import Engine
import Foundation
import TestSupport
import Testing

#if canImport(Glibc)
  import Glibc
#endif

/// Hours of music without a seam. Only with `Tests/soak endless MINUTES`.
@Suite("Endless play", .serialized)
struct EndlessPlayTests {
  private static let environment = ProcessInfo.processInfo.environment
  private static var minutes: Double {
    Double(environment["CONTINUO_SOAK_MINUTES"] ?? "") ?? 60
  }

  /// Resident memory of a process in MiB.
  private func memory(of process: Int32) -> Double {
    let text = (try? String(contentsOfFile: "/proc/\(process)/status", encoding: .utf8)) ?? ""
    let line = text.split(separator: "\n").first { $0.hasPrefix("VmRSS:") } ?? ""
    return (Double(line.filter(\.isNumber)) ?? 0) / 1024
  }

  @Test(
    "no underrun, flat memory, steady loudness",
    .enabled(if: environment["CONTINUO_SOAK_PART"] == "endless" && JackServer.isInstalled),
    arguments: [64, 1024])
  func endless(period: Int) throws {
    let server = JackServer(rate: 48000, period: period)
    defer { server.stop() }
    try #require(server.waits())
    let daemon = try #require(try RunningDaemon(server: server.name, ["--bundle", "drums"]))
    defer { daemon.stop() }
    try #require(daemon.waitsForJACK(), "\(daemon.log)")
    let socket = try OSCServer(port: 0)
    let peer = OSCPeer(host: "127.0.0.1", port: daemon.port)
    let clip = try ClipPort(name: "listener", server: server.name)
    defer { clip.close() }
    let phrase = try AudioFile.read(
      URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()
        .appendingPathComponent("Sources/HouseModel/Resources/phrase.flac")
    ).resampled(to: 48000).channels[0]
    try clip.start(phrase, with: daemon.jackName)
    clip.begin()
    sleep(10)
    socket.send(OSCMessage("/transport/continue"), to: peer)
    try #require(daemon.waits(for: "joined"), "\(daemon.log)")

    let length = Self.minutes * 60 / 2
    let began = ContinuousClock.now
    var levels: [Double] = []  // LUFS of every half minute
    var memories: [Double] = []  // MiB, every half minute
    var factors: [Double] = []
    var underruns = 0
    var answered = 0
    var next = clip.frames
    var block: [[Float]] = [[], []]
    while (ContinuousClock.now - began) / .seconds(1) < length {
      sleep(3)
      let end = clip.frames
      let part = clip.recorded(next..<end)
      next = end
      block[0] += part[0]
      block[1] += part[1]
      guard block[0].count >= 30 * 48000 else { continue }
      levels.append(Double(Loudness(of: AudioClip(rate: 48000, channels: block)).integrated))
      block = [[], []]
      memories.append(memory(of: daemon.processIdentifier))
      _ = socket.receive()
      socket.send(OSCMessage("/status"), to: peer)
      usleep(300_000)
      for message in socket.receive().flatMap(\.messages) where message.path == "/reply" {
        answered += 1
        factors.append(message.arguments[4].number ?? 0)
        underruns = Int(message.arguments[7].number ?? 0)
        #expect(message.arguments[1].text == "playing")
      }
      // Knobs move now and then, as they would.
      let strength: Float = levels.count % 4 == 3 ? 1 : 0
      socket.send(OSCMessage("/knob/1/strength", [.float(strength)]), to: peer)
    }
    #expect(answered >= levels.count - 1)
    try #require(levels.count >= 4, "too short")
    func mean(_ values: some Collection<Double>) -> Double {
      values.reduce(0, +) / Double(max(values.count, 1))
    }
    let quarter = max(1, levels.count / 4)
    let drift = mean(levels.suffix(quarter)) - mean(levels.prefix(quarter))
    let early = mean(memories.dropFirst(min(4, memories.count / 4)).prefix(quarter))
    let late = mean(memories.suffix(quarter))
    print(
      """
      endless play, period \(period), \(Int(length)) s: \(underruns) underruns, loudness \
      \(levels.map { String(format: "%.1f", $0) }.joined(separator: " ")) LUFS (drift \
      \(String(format: "%.2f", drift)) LU), memory \(String(format: "%.1f", early)) to \
      \(String(format: "%.1f", late)) MiB, real-time factor \(String(format: "%.3f", mean(factors)))
      """)
    #expect(underruns == 0)
    #expect(abs(late - early) <= 0.01 * early)
    #expect(abs(drift) <= 3)
    #expect(!daemon.log.contains("too slow"), "\(daemon.log)")
  }
}
