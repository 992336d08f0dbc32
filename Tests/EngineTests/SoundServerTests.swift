import Engine
import TestSupport
import Testing

#if canImport(Glibc)
  import Glibc
#endif

@Suite("Sound server")
struct SoundServerTests {
  @Test("a server that does not run is not there")
  func missing() {
    JackServer.withoutServers {
      #expect(SoundServer.running(name: "continuo-no-such-server") == nil)
    }
  }

  @Test("a server that runs tells its rate and period", .enabled(if: JackServer.isInstalled))
  func running() throws {
    let server = JackServer(rate: 44_100, period: 512)
    defer { server.stop() }
    var found: SoundServer?
    for _ in 0..<100 where found == nil {
      found = SoundServer.running(name: server.name)
      usleep(50_000)
    }
    let sound = try #require(found)
    #expect(sound.rate == 44_100 && sound.period == 512 && !sound.version.isEmpty)
  }
}
