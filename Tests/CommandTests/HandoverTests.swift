import Audio
import Engine
import Foundation
import TestSupport
import Testing

#if canImport(Glibc)
  import Glibc
#endif

/// A click track goes in, the house model goes on: where everything lies in time, measured on what a
/// second JACK client records. The dry signal before the join tells the graph's own delay.
@Suite("Handover from player to model", .serialized)
struct HandoverTests {
  /// Clicks 0.5 s apart (120 beats per minute), each louder than the one before, so that one tells which
  /// it is.
  private func clicks(rate: Int, seconds: Int) -> [Float] {
    var signal = [Float](repeating: 0, count: rate * seconds)
    for index in 0..<(2 * seconds) {
      let level = 0.2 + 0.6 * Float(index) / Float(2 * seconds)
      let start = rate / 4 + index * rate / 2
      for sample in 0..<(rate / 50) where start + sample < signal.count {
        let time = Float(sample) / Float(rate)
        signal[start + sample] = level * sin(2 * .pi * 1000 * time) * exp(-time * 300)
      }
    }
    return signal
  }

  /// Σ x[i + lag] y[i] over all y, normalised, for every lag; the best one.
  private func bestLag(of part: [Float], in whole: [Float], around place: Int, reach: Int) -> (
    lag: Int, likeness: Double
  ) {
    var best = (lag: 0, likeness: -2.0)
    let power = part.reduce(0.0) { $0 + Double($1 * $1) }
    for lag in (place - reach)...(place + reach)
    where lag >= 0 && lag + part.count <= whole.count {
      var product = 0.0
      var energy = 0.0
      for index in part.indices {
        product += Double(part[index] * whole[lag + index])
        energy += Double(whole[lag + index] * whole[lag + index])
      }
      let likeness = product / max((power * energy).squareRoot(), 1e-12)
      if likeness > best.likeness { best = (lag, likeness) }
    }
    return best
  }

  /// Places and heights of peaks at least 0.3 s apart.
  private func peaks(of signal: [Float], rate: Int) -> [(place: Int, height: Float)] {
    var result: [(place: Int, height: Float)] = []
    for (place, sample) in signal.enumerated() where abs(sample) > 0.1 {
      if let last = result.last, place - last.place < rate * 3 / 10 {
        if abs(sample) > last.height { result[result.count - 1] = (place, abs(sample)) }
      } else {
        result.append((place, abs(sample)))
      }
    }
    return result
  }

  @Test(
    "the music continues on the player's time line within 1 ms, without a click",
    .enabled(if: JackServer.isInstalled), arguments: [44100, 48000])
  func onTime(rate: Int) throws {
    // A period that a busy machine leaves out would be one that the recording lacks.
    let server = JackServer(rate: rate, isPatient: true)
    defer { server.stop() }
    try #require(server.waits())
    // What a server or an engine without processor time makes of it says nothing about places: again, then.
    for attempt in 1...4 {
      if try measure(rate: rate, server: server, isLast: attempt == 4) { return }
    }
  }

  /// Plays, goes on, compares; false when periods were missed meanwhile, unless it is the last try.
  private func measure(rate: Int, server: JackServer, isLast: Bool) throws -> Bool {
    let home = try TemporaryFolder()
    let daemon = try #require(
      try RunningDaemon(server: server.name, ["--record", home.url.path], folder: nil))
    defer { daemon.stop() }
    #expect(daemon.waits(for: "model house"), "\(daemon.log)")
    let socket = try OSCServer(port: 0)
    let peer = OSCPeer(host: "127.0.0.1", port: daemon.port)
    socket.send(OSCMessage("/prompt/seconds", [.float(3)]), to: peer)

    let signal = clicks(rate: rate, seconds: 8)
    let clip = try ClipPort(name: "clicks", server: server.name)
    defer { clip.close() }
    try #require(daemon.waitsForJACK(), "\(daemon.log)")
    try clip.start(signal, with: daemon.jackName)
    clip.begin()
    func wait(until second: Double) {
      for _ in 0..<3000 where Double(clip.frames) < second * Double(rate) { usleep(10_000) }
    }
    wait(until: 4.6)
    socket.send(OSCMessage("/transport/continue"), to: peer)
    try #require(daemon.waits(for: "joined"), "\(daemon.log)")
    wait(until: 7.8)
    let end = clip.frames
    let output = clip.recorded(max(0, end - 8 * rate + 4096)..<end)[0]
    let skipped = max(0, end - 8 * rate + 4096)
    let status = try #require(daemon.wait(limit: 30, asking: socket) { _ in true }).status
    guard isLast || status.underruns + status.xruns == 0 else { return false }
    socket.send(OSCMessage("/transport/stop"), to: peer)
    try #require(daemon.waits(for: "kept take-"), "\(daemon.log)")
    let names = try home.names()
    let take = home.file(try #require(names.first { $0.hasPrefix("take-") }))

    // Where the prompt's first sample lay in what was played, by the loudness of its clicks.
    let resampler = SincResampler(from: 32000, to: rate)
    let prompt = resampler.whole(
      try AudioFile.read(take.appendingPathComponent("prompt.flac")).channels[0])
    let played = peaks(of: signal, rate: rate)
    let heard = try #require(peaks(of: prompt, rate: rate).dropFirst().first)
    let same = try #require(
      played.min { abs($0.height - heard.height) < abs($1.height - heard.height) })
    let part = Array(prompt[max(0, heard.place - rate / 20)..<heard.place + rate / 20])
    let offset = heard.place - max(0, heard.place - rate / 20)
    let matched = bestLag(of: part, in: signal, around: same.place - offset, reach: 64)
    #expect(matched.likeness > 0.98)
    let anchor = matched.lag - (heard.place - offset)

    // The graph's own delay, from the dry signal.
    let dry = bestLag(
      of: Array(signal[rate..<(rate * 3 / 2)]), in: output, around: rate - skipped + 600,
      reach: 1400)
    #expect(dry.likeness > 0.98)
    let delay = dry.lag + skipped - rate

    // The new music: where it must lie, and where it lies.
    let soundFile = home.file("again.wav")
    let result = try runProgram(
      "continuo",
      [
        "render", "--score", take.path, "--without-prompt", "--rate", "\(rate)", "--out",
        soundFile.path,
      ])
    try #require(result.status == 0, "\(result.errors)")
    let music = try AudioFile.read(soundFile).channels[0]
    let firstNew =
      anchor
      + Int((Double(prompt.count)).rounded())
    // Behind the latest join that may be expected and its fade.
    let from = Int(1.6 * Double(rate))
    let piece = Array(music[from..<from + rate / 2])
    let expected = firstNew + from + delay - skipped
    let reach = rate / 200
    let found = bestLag(of: piece, in: output, around: expected, reach: reach)
    #expect(found.likeness > 0.99, "\(found)")
    #expect(abs(found.lag - expected) <= rate / 1000, "\(found.lag - expected) frames off")

    // No sample jumps further than the clicks or the music do by themselves in the same stretch.
    func jump(_ samples: ArraySlice<Float>) -> Float {
      zip(samples.dropFirst(), samples).reduce(0) { max($0, abs($1.0 - $1.1)) }
    }
    let near = firstNew + delay - skipped
    let dryAt = near - rate / 10 - delay + skipped
    let own = max(jump(signal[dryAt..<dryAt + rate / 10 + from]), jump(music[0..<from]))
    #expect(jump(output[near - rate / 10..<near + from]) <= own)
    return true
  }
}
