import Testing

@testable import Engine

#if canImport(Glibc)
  import Glibc
#endif

@Suite(.serialized) struct PollLoopTests {
  /// Runs `body` with a loop and gives the signals back to whoever runs the tests.
  private func withLoop(socket: Int32, milliseconds: Int, _ body: (PollLoop) -> Void) {
    let loop = PollLoop(socket: socket, milliseconds: milliseconds)
    defer { for number in [SIGTERM, SIGINT, SIGHUP] { _ = signal(number, SIG_DFL) } }
    body(loop)
  }

  @Test func theTimerWakesItAgainAndAgain() throws {
    let server = try OSCServer(port: 0)
    withLoop(socket: server.descriptor, milliseconds: 2) { loop in
      var ticks = 0
      for _ in 0..<200 where ticks < 5 {
        let wake = loop.wait()
        #expect(wake.signal == nil)
        if wake.isTimer { ticks += 1 }
      }
      #expect(ticks == 5)
    }
  }

  @Test func aPacketWakesIt() throws {
    let server = try OSCServer(port: 0)
    let client = try OSCServer(port: 0)
    withLoop(socket: server.descriptor, milliseconds: 3_600_000) { loop in
      client.send(OSCMessage("/ping"), to: OSCPeer(host: "127.0.0.1", port: server.port))
      var received: [OSCMessage] = []
      for _ in 0..<50 where received.isEmpty {
        let wake = loop.wait()
        #expect(wake.signal == nil && !wake.isTimer)
        received = server.receive().flatMap(\.messages)
      }
      #expect(received.map(\.path) == ["/ping"])
    }
  }

  @Test func signalsComeOneByOneAndEndNothing() throws {
    let server = try OSCServer(port: 0)
    withLoop(socket: server.descriptor, milliseconds: 3_600_000) { loop in
      for number in [SIGHUP, SIGTERM, SIGINT] {
        #expect(kill(getpid(), number) == 0)
        var signals: [Int32] = []
        for _ in 0..<50 where signals.isEmpty {
          if let signal = loop.wait().signal { signals.append(signal) }
        }
        #expect(signals == [number])
      }
    }
  }
}
