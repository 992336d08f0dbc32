import Foundation
import Synchronization
import TestSupport
import Testing

@testable import Engine

@Suite(.serialized, .enabled(if: JackServer.isInstalled)) struct ClipPortTests {
  /// Waits until `condition` holds, at most 5 s.
  private func passes(_ condition: () -> Bool) -> Bool {
    let end = ContinuousClock.now + .seconds(5)
    while ContinuousClock.now < end {
      if condition() { return true }
      usleep(5_000)
    }
    return condition()
  }

  @Test func aClipGoesThroughAnotherClientOnceAndComesBackSampleBySample() throws {
    let server = JackServer(period: 128, isPatient: true)
    defer { server.stop() }
    let exchange = AudioExchange(seconds: 1)
    let port = AudioPort(name: "port", connect: "none", exchange: exchange, server: server.name)
    port.start()
    defer { port.stop() }
    #expect(passes { port.state == .running })
    // The live input passes as it is once its level has come up.
    #expect(passes { exchange.head.load(ordering: .acquiring) > 24_000 })
    var random = TestRandom(seed: 1)
    let signal = random.normal(9_600, scale: 0.2)
    var exact = false
    // A busy machine makes the server leave out or repeat a period; not three times in a row.
    for round in 1...3 where !exact {
      let clip = try ClipPort(name: "clip-\(round)", server: server.name)
      defer { clip.close() }
      #expect(clip.rate == 48_000 && clip.name == "clip-\(round)" && !clip.isGone)
      try clip.start(signal, with: "port")
      #expect(clip.frames == 0 && clip.serverStart == 0, "it waits for the word")
      clip.begin()
      #expect(passes { clip.frames > signal.count + 2_400 })
      #expect(clip.serverStart > 0)
      let heard = clip.recorded(0..<signal.count + 2_400)
      #expect(heard[0] == heard[1])
      guard let lag = heard[0].firstIndex(of: signal[0]), lag <= 1_024 else { continue }
      exact = Array(heard[0][lag..<lag + signal.count]) == signal
      // Once only: silence before and behind it.
      let around = heard[0][..<lag] + heard[0][(lag + signal.count)...]
      if exact { #expect(around.allSatisfy { $0 == 0 }) }
    }
    #expect(exact)
  }

  @Test func aClientThatIsNotThereIsNamed() throws {
    let server = JackServer()
    defer { server.stop() }
    #expect(server.waits())
    let clip = try ClipPort(name: "clip", server: server.name)
    defer { clip.close() }
    do {
      try clip.start([0], with: "nobody")
      Issue.record("it was connected")
    } catch AudioPortError.refused(let step) { #expect(step.contains("nobody:in_1")) }
  }

  @Test func aServerThatIsNotThereIsTold() {
    JackServer.withoutServers {
      let error = #expect(throws: AudioPortError.self) {
        try ClipPort(server: "continuo-no-such-server")
      }
      #expect(error?.problem.contains("no JACK server") == true)
    }
  }

  @Test func aServerThatEndsIsNoticedAndTheRecordingStays() throws {
    let server = JackServer()
    defer { server.stop() }
    let exchange = AudioExchange(seconds: 1)
    let port = AudioPort(name: "port", connect: "none", exchange: exchange, server: server.name)
    port.start()
    defer { port.stop() }
    #expect(passes { port.state == .running })
    let clip = try ClipPort(name: "clip", server: server.name)
    try clip.start([Float](repeating: 0.1, count: 4_800), with: "port")
    clip.begin()
    #expect(passes { clip.frames > 4_800 })
    server.kill()
    #expect(passes { clip.isGone })
    let frames = clip.frames
    clip.close()
    clip.close()
    #expect(clip.recorded(0..<frames)[0].contains { $0 != 0 })
    #expect(clip.recorded(frames + 10..<frames + 20)[0] == [Float](repeating: 0, count: 10))
  }
}
