import Foundation
import Synchronization
import TestSupport
import Testing

@testable import Engine

@Suite(.serialized) struct AudioCallbackTests {
  @Test func equalPowerSquaresAddUpToOneAndTheEndsAreExact() {
    #expect(equalPower(0) == 0)
    #expect(equalPower(1) == 1)
    for step in 0...100 {
      let share = Float(step) / 100
      let sum =
        equalPower(share) * equalPower(share) + equalPower(1 - share) * equalPower(1 - share)
      #expect(abs(sum - 1) < 4e-4)
    }
  }

  @Test func theCallbackWithoutAClientReturnsFromAForeignThread() {
    let exchange = AudioExchange(seconds: 1)
    let done = DispatchSemaphore(value: 0)
    let thread = Thread {
      _ = unsafe audioProcess(64, Unmanaged.passUnretained(exchange).toOpaque())
      _ = unsafe audioRate(44100, Unmanaged.passUnretained(exchange).toOpaque())
      unsafe audioGone(Unmanaged.passUnretained(exchange).toOpaque())
      _ = audioProcess(64, nil)
      done.signal()
    }
    thread.start()
    done.wait()
    #expect(exchange.sampleRate.load(ordering: .relaxed) == 44100)
    #expect(exchange.gone.load(ordering: .relaxed) == 1)
  }

  /// Records what the callback plays of `music` that is joined half a second from now and left to run dry.
  private func recording(
    of music: [Float], whilePlaying action: (AudioExchange, Int) -> Void = { _, _ in }
  ) throws -> (heard: [Float], exchange: AudioExchange) {
    let server = JackServer(period: 128, isPatient: true)
    defer { server.stop() }
    let exchange = AudioExchange(seconds: 2)
    exchange.dry = 0
    exchange.fadeFrames.store(1, ordering: .relaxed)
    let port = AudioPort(name: "port", connect: "none", exchange: exchange, server: server.name)
    port.start()
    defer { port.stop() }
    #expect(passes { port.state == .running })
    let probe = try #require(JackProbe(server: server.name, signal: []))
    defer { probe.close() }
    probe.connect(to: "port")
    let join = exchange.head.load(ordering: .acquiring) + 24_000
    exchange.joinFrame.store(join, ordering: .releasing)
    #expect(exchange.output.publish(music.span, music.span, at: join).late == 0)
    action(exchange, join)
    #expect(passes { exchange.output.claimed > join + music.count + 4_800 })
    return (probe.recorded(channel: 0), exchange)
  }

  /// Waits until `condition` holds, at most 5 s.
  private func passes(_ condition: () -> Bool) -> Bool {
    let end = ContinuousClock.now + .seconds(5)
    while ContinuousClock.now < end {
      if condition() { return true }
      usleep(5_000)
    }
    return condition()
  }

  @Test(.enabled(if: JackServer.isInstalled))
  func musicThatRunsDryFadesAwayFromItsLastSample() throws {
    // No two neighbours are equal, so that the last sample is found again.
    let music = (0..<4_800).map { Float($0 % 7 == 0 ? 0.5 : 0.3) + Float($0) * 1e-6 }
    let (heard, exchange) = try recording(of: music)
    let last = try #require(music.last)
    let place = try #require(heard.lastIndex(of: last))
    for step in 1...200 {
      #expect(abs(heard[place + step] - heard[place + step - 1] * 0.98) < 1e-6)
    }
    #expect(exchange.underruns.load(ordering: .relaxed) > 0)
    #expect(exchange.underrunFrames.load(ordering: .relaxed) > 0)
  }

  @Test(.enabled(if: JackServer.isInstalled))
  func aTurnOfTheLevelIsASlopeThatEndsAtTheLevel() throws {
    let music = [Float](repeating: 0.5, count: 48_000)
    let (heard, _) = try recording(of: music) { exchange, join in
      _ = passes { exchange.output.claimed > join + 4_800 }
      exchange.gain = 0
      _ = passes { exchange.output.claimed > join + 24_000 }
      exchange.gain = 0.5
    }
    let silent = try #require(heard.lastIndex { $0 == 0.5 })
    let low = heard[silent...].firstIndex { $0 == 0 }
    let quiet = heard[(low ?? heard.endIndex)...].firstIndex { $0 == 0.25 }
    #expect(low != nil && quiet != nil, "both levels are reached to the bit")
    for index in silent..<(quiet ?? silent) {
      #expect(abs(heard[index + 1] - heard[index]) < 0.0011, "no sample steps")
    }
  }
}
