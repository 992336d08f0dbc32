import Foundation
import Synchronization
import TestSupport
import Testing

@testable import Engine

/// Waits until `condition` holds, at most `seconds`.
private func wait(_ seconds: Double = 5, until condition: () -> Bool) -> Bool {
  let end = Date().addingTimeInterval(seconds)
  while Date() < end {
    if condition() { return true }
    usleep(20_000)
  }
  return condition()
}

@Suite(.serialized, .enabled(if: JackServer.isInstalled)) struct AudioPortTests {
  @Test func soundGoesInAndComesOutAtTheFramesItWasPutAt() throws {
    let server = JackServer(period: 128, isPatient: true)
    defer { server.stop() }
    let exchange = AudioExchange()
    let port = AudioPort(name: "port", connect: "none", exchange: exchange, server: server.name)
    port.start()
    defer { port.stop() }
    #expect(wait { port.state == .running })
    let ramp = (0..<96000).map { Float($0 % 1000) / 1000 }
    let probe = try #require(JackProbe(server: server.name, signal: ramp))
    defer { probe.close() }
    exchange.dry = 0
    probe.connect(to: "port")
    #expect(wait { exchange.input.filled > 4800 })
    exchange.fadeFrames.store(1, ordering: .relaxed)
    let pulse = (0..<4800).map { Float($0 % 480 == 0 ? 0.5 : 0) }
    // A busy machine makes the server leave out or repeat a period; not five times in a row.
    var gaps: [Int] = []
    for _ in 0..<5 where gaps != [Int](repeating: 480, count: 9) {
      let join = exchange.head.load(ordering: .acquiring) + 24000
      exchange.joinFrame.store(join, ordering: .releasing)
      let before = probe.frames
      #expect(exchange.output.publish(pulse.span, pulse.span, at: join).late == 0)
      #expect(wait { exchange.output.claimed > join + 6000 })
      let heard = probe.recorded(channel: 0)
      let pulses = heard.indices.filter { $0 >= before && heard[$0] > 0.4 }
      gaps = zip(pulses.dropFirst(), pulses).map { $0 - $1 }
      exchange.joinFrame.store(AudioExchange.never, ordering: .releasing)
    }
    #expect(gaps == [Int](repeating: 480, count: 9))
    #expect(exchange.underruns.load(ordering: .relaxed) > 0, "sound was due after the pulses")
    #expect(exchange.periods.load(ordering: .relaxed) > 0)
  }

  @Test func aServerKilledWithoutAGoodbyeIsFoundAgainAndConnectionsReturn() throws {
    let server = JackServer()
    defer { server.stop() }
    let exchange = AudioExchange()
    let port = AudioPort(name: "port", connect: "system", exchange: exchange, server: server.name)
    port.start()
    defer { port.stop() }
    #expect(wait { port.state == .running })
    for round in 1...2 {
      server.kill()
      #expect(wait(8) { port.state == .closed }, "round \(round): the server has gone")
      let before = exchange.head.load(ordering: .acquiring)
      server.start()
      #expect(wait(3) { port.state == .running }, "round \(round): the server is back")
      #expect(wait(3) { exchange.head.load(ordering: .acquiring) > before + 4800 })
      let probe = try #require(JackProbe(server: server.name, signal: []))
      defer { probe.close() }
      #expect(wait(3) { probe.peers(of: "port:out_1").contains("system:playback_1") })
      #expect(probe.peers(of: "port:in_1").contains("system:capture_1"))
    }
    #expect(port.openingCount == 3)
  }

  @Test func midiGoesBothWays() throws {
    let server = JackServer(isPatient: true)
    defer { server.stop() }
    let exchange = AudioExchange()
    let port = AudioPort(name: "port", connect: "none", exchange: exchange, server: server.name)
    port.start()
    defer { port.stop() }
    #expect(wait { port.state == .running })
    let probe = try #require(JackProbe(server: server.name, signal: []))
    defer { probe.close() }
    probe.connect(to: "port")
    probe.send(midi: 0xB0_0740)
    var message: UInt32 = 0
    #expect(
      wait {
        message = exchange.midiIn.take()
        return message != 0
      })
    #expect(message == 0xB0_0740)
  }
}
